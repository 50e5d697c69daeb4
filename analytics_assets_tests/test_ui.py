"""What a user sees and presses in the Dagster UI, in a real browser.

Screenshots of each page are left in the folder that SCREENSHOTS names, `build/screenshots` without.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from playwright.sync_api import expect

from analytics_assets_tests.browser import CHROMIUM, Ui, browsing
from analytics_assets_tests.demo_api.server import REPOSITORY
from analytics_assets_tests.dev_server import MAKE_DEV, DevServer, serving
from analytics_assets_tests.stores import DuckDbFile
from analytics_assets_tests.support import (
    PARENTS,
    RESOURCES,
    DemoApi,
    assert_equal,
    running_demo_api,
    stored_rows,
)

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or REPOSITORY / "build" / "screenshots").resolve()

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing"),
]


@pytest.fixture
def demo_api() -> Iterator[DemoApi]:
    """A demo API whose newest rows are of today: pictures show the last 30 days."""
    with running_demo_api("--anchor", datetime.now(timezone.utc).isoformat()) as api:
        yield api


@pytest.fixture
def server(tmp_path: Path, demo_api: DemoApi) -> Iterator[DevServer]:
    """`make dev` over the demo API."""
    with serving(MAKE_DEV, tmp_path, demo_api) as server:
        yield server


@pytest.fixture
def ui(server: DevServer) -> Iterator[Ui]:
    """The UI in a browser."""
    with browsing(server.url) as ui:
        yield ui


def test_the_graph_draws_nine_assets_and_three_edges(ui: Ui) -> None:
    ui.open_graph(len(RESOURCES))
    expect(ui.nodes).to_have_count(9)
    ui.take(SCREENSHOTS, "asset_graph")
    assert sorted(ui.node_names()) == sorted(RESOURCES)
    assert ui.edges() == {(parent, child) for child, parent in PARENTS.items()}


def test_what_is_materialized_from_the_graph_is_in_the_warehouse(
    ui: Ui, tmp_path: Path, demo_api: DemoApi
) -> None:
    ui.materialize("key:analytics/deployment*", assets=2)
    ui.expect_run("Success")
    ui.take(SCREENSHOTS, "run_that_succeeded")
    store = DuckDbFile.in_folder(tmp_path)
    for resource in ("deployments", "deployment_events"):
        assert_equal(stored_rows(store, resource), demo_api.rows(resource))


def test_a_failed_asset_says_in_its_run_what_to_do(
    ui: Ui, server: DevServer, demo_api: DemoApi
) -> None:
    demo_api.fail("user", "status", status=403, times=None)
    run_id = server.launch_all()
    assert server.run_status(run_id) == "FAILURE"
    ui.open(f"/runs/{run_id}")
    ui.expect_run("Failure")
    # The list of the steps that failed leads to the error.
    ui.page.get_by_text("Errored (1)").wait_for()
    ui.page.get_by_text("user", exact=True).first.click()
    sentence = "GET /v2/user answered 403: the token in ACCESS_TOKEN was rejected"
    expect(ui.page.get_by_text(sentence).first).to_be_visible()
    ui.take(SCREENSHOTS, "run_that_failed")
    ui.page.get_by_role("button", name="View full message").click()
    expect(ui.page.get_by_role("dialog").get_by_text(sentence).first).to_be_visible()
    ui.take(SCREENSHOTS, "error")


def test_the_page_of_an_asset_says_what_it_is_and_how_it_is(ui: Ui, server: DevServer) -> None:
    assert server.run_status(server.launch_all()) == "SUCCESS"
    ui.open("/assets/analytics/deployments")
    ui.expect_texts(
        "Deployments: each time that a project was built and put online, with its state, "
        "its creator and its commit.",
        "analytics.deployments",
        "400",
        "data",
        "cadence: quarter_hourly",
        "load: incremental",
        # Of the columns, spelled as the API spells them.
        "primary key",
        "aliasAssigned",
        "When its build began, in epoch milliseconds.",
        "api_documentation",
    )
    ui.expect_after_reload("Passing")
    ui.take(SCREENSHOTS, "asset_overview")
    ui.page.get_by_text("Plots", exact=True).click()
    expect(ui.page.locator("canvas").first).to_be_visible()
    ui.take(SCREENSHOTS, "asset_plots")
    ui.open("/assets/analytics/deployments?view=events")
    ui.expect_texts(
        "dagster/row_count",
        "rows_new",
        "rows_changed",
        "rows_unchanged",
        "requests",
        "retries",
        "bytes_received",
        "seconds_waited",
        "seconds_extracting",
        "seconds_normalizing",
        "seconds_loading",
        "watermark_after",
        "newest_rows",
        # Of the preview.
        "isRollbackCandidate",
    )
    ui.take(SCREENSHOTS, "asset_events")
    for name in ("deployments_per_day", "build_time"):
        ui.page.get_by_role("row", name=name).get_by_text("[Show Markdown]").click()
        image = ui.page.get_by_role("dialog").locator("img")
        expect(image).to_be_visible()
        assert image.evaluate("image => image.complete && image.naturalWidth") > 500
        ui.take(SCREENSHOTS, f"picture_of_{name}")
        ui.page.keyboard.press("Escape")
        expect(image).to_be_hidden()
    ui.open("/assets/analytics/deployments?view=checks")
    ui.expect_texts("key_is_unique", "columns_are_declared", "rows_did_not_fall")
    ui.take(SCREENSHOTS, "asset_checks")
