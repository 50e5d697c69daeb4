"""What a user sees and presses in the Dagster UI, in a real browser.

Screenshots of each page are left in the folder that SCREENSHOTS names, `build/screenshots` without.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from playwright.sync_api import expect

from harness.browser import CHROMIUM, Ui
from harness.demo_api import PARENTS, RESOURCES, DemoApi
from harness.dev_server import DevServer
from harness.processes import REPOSITORY
from harness.project import assert_equal, stored_rows
from harness.reloads import spoil_oldest
from harness.stores import DuckDbFile

SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or REPOSITORY / "build" / "screenshots").resolve()

pytestmark = [
    pytest.mark.long(reason="a browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing"),
]


def test_the_graph_draws_nine_assets_and_three_edges(ui: Ui) -> None:
    ui.open_graph(len(RESOURCES))
    expect(ui.nodes).to_have_count(9)
    ui.take(SCREENSHOTS, "asset_graph")
    assert sorted(ui.node_names()) == sorted(RESOURCES)
    assert ui.edges() == {(parent, child) for child, parent in PARENTS.items()}


def test_what_is_materialized_from_the_graph_is_in_the_warehouse(
    ui: Ui, store: DuckDbFile, demo_api: DemoApi
) -> None:
    ui.materialize("key:analytics/deployment*", assets=2)
    ui.expect_run("Success")
    ui.take(SCREENSHOTS, "run_that_succeeded")
    for resource in ("deployments", "deployment_events"):
        assert_equal(stored_rows(store, resource), demo_api.rows(resource))


def test_a_failed_asset_says_in_its_run_what_to_do(
    ui: Ui, server: DevServer, demo_api: DemoApi
) -> None:
    demo_api.fail("user", "status", status=403, times=None)
    run_id = server.launch("user", "teams")
    assert server.run_status(run_id) == "FAILURE"
    demo_api.heal()
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


def test_the_past_is_loaded_again_by_clicks(
    ui: Ui, server: DevServer, store: DuckDbFile, demo_api: DemoApi
) -> None:
    assert server.run_status(server.launch("deployments", "deployment_events")) == "SUCCESS"
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    month = (today.replace(day=1) - timedelta(days=15)).replace(day=1)
    for first, end in ((month, today.replace(day=1)), (month - timedelta(days=9), month)):
        start, after = (int(day.timestamp() * 1000) for day in (first, end))
        uid = spoil_oldest(demo_api, start, after)
        assert stored_rows(store, "deployments")[(uid,)].get("late") is None
        if first is month:
            ui.open_job("reload_history", "Partitions")
            ui.take(SCREENSHOTS, "reload_months")
            ui.reload_months(f"{month:%Y-%m-%d}")
            ui.open(f"/runs/{server.run_of_month(f'{month:%Y-%m-%d}')}")
        else:
            ui.open_job("reload_history", "Launchpad")
            ui.take(SCREENSHOTS, "reload_window")
            ui.reload_window(start=f"{first:%Y-%m-%d}", end=f"{end:%Y-%m-%d}")
        ui.expect_run("Success")
        assert stored_rows(store, "deployments")[(uid,)]["late"] == "yes"
        for resource in ("deployments", "deployment_events"):
            assert_equal(stored_rows(store, resource), demo_api.rows(resource))
    ui.take(SCREENSHOTS, "run_that_reloaded")


def test_a_reload_that_nobody_gave_a_window_says_so(ui: Ui) -> None:
    ui.open_job("reload_history", "Launchpad")
    ui.reload_window()
    ui.expect_run("Failure")
    ui.page.get_by_text("window.deployments", exact=True).first.click()
    sentence = "A reload needs a window, and nothing was loaded"
    expect(ui.page.get_by_text(sentence).first).to_be_visible()


def test_each_page_says_what_a_newcomer_asks(ui: Ui, server: DevServer) -> None:
    ui.open("/assets")
    description = ui.page.get_by_text("Teams that the token can see, some of them in a short form.")
    expect(description.first).to_be_visible()
    ui.take(SCREENSHOTS, "catalog")
    ui.expect_no_texts("`", "](", "https://")
    pages = {
        "jobs/load_hourly": "Loads what is new of projects, teams, environments, aliases and",
        "jobs/reload_history": "Loads a past window of deployments and deployment_events again.",
        "jobs/reload_deployment_events": "Loads a past window of deployment_events again.",
        "resources/dlt": "Runs dlt's pipelines: they read the API and write the warehouse.",
        "resources/console": "Shows the progress of long fan-outs on a terminal, and keeps the log",
        "schedules/hourly": "Loads what is new of projects, teams, environments, aliases and",
        "sensors/alerts": "Tells the webhook in ANALYTICS_ALERT_WEBHOOK what failed or is stale",
    }
    for path, text in pages.items():
        ui.open(f"/locations/analytics_assets/{path}")
        expect(ui.page.get_by_text(text).first).to_be_visible()
        ui.take(SCREENSHOTS, path.replace("/", "_"))


def test_the_page_of_an_asset_says_what_it_is_and_how_it_is(
    ui: Ui, server: DevServer, store: DuckDbFile, demo_api: DemoApi
) -> None:
    # Pictures are drawn of what has changed.
    demo_api.add_deployments(1)
    assert server.run_status(server.launch("deployments")) == "SUCCESS"
    ui.open("/assets/analytics/deployments")
    ui.expect_texts(
        "Deployments: each time that a project was built and put online, with its state, "
        "its creator and its commit.",
        "From GET /v6/deployments; each load asks for what is newer than 3 days before its newest "
        "row.",
        "The job reload_history loads past months of it again.",
        "analytics.deployments",
        str(len(demo_api.rows("deployments"))),
        "data",
        "cadence: quarter_hourly",
        "load: incremental",
        # Of the columns, spelled as the API spells them.
        "primary key",
        "aliasAssigned",
        "When its build began, in epoch milliseconds.",
        "api_documentation",
        # Where the rows come from, and where they are.
        demo_api.url,
        f"{store.file} (duckdb)",
    )
    ui.expect_no_texts("dagster_dlt", "unserializable", "DltSource", demo_api.token)
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
    )
    preview = ui.page.get_by_role("row", name="newest_rows")
    headings = preview.locator("table th, table thead td").all_inner_texts()
    assert (headings[:3], headings[-1]) == (["name", "createdAt", "state"], "id")
    newest = max(demo_api.rows("deployments").values(), key=lambda row: int(row["created"]))
    moment = datetime.fromtimestamp(newest["created"] / 1000, timezone.utc)
    expect(preview.get_by_text(f"{moment:%Y-%m-%d %H:%M:%S} UTC").first).to_be_visible()
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
