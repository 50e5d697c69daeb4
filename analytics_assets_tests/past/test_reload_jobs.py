"""The jobs that load the past again: what they report, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance

from analytics_assets.assets.keys import asset_key
from analytics_assets.configuration import iso_time
from analytics_assets.source.clock import epoch_milliseconds
from harness.bookshop import BOOKSHOP, BOOKSHOP_API, OPENED, open_bookshop
from harness.bookshop import TOKEN as BOOKSHOP_TOKEN
from harness.demo_api import DemoApi, settings_of
from harness.forked import MODULE
from harness.processes import REPOSITORY
from harness.project import Project, failures, metadata
from harness.reloads import WINDOW, as_window, reload_past, spoil_oldest

RELOADED = ("deployments", "deployment_events")


@pytest.mark.long(reason="several loads each")
def test_a_reload_reports_its_assets_and_their_checks_as_any_load_does(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    instance = DagsterInstance.ephemeral()
    project = Project(tmp_path, demo_api.url, instance=instance)
    project.load_all(*RELOADED)
    uid = spoil_oldest(demo_api, *map(epoch_milliseconds, WINDOW.values()))
    result = reload_past(demo_api.url, instance=instance, run_config=as_window(**WINDOW))
    assert result.success
    assert project.rows("deployments")[(uid,)]["late"] == "yes"
    for name in RELOADED:
        loaded = metadata(result, name)
        assert loaded["rows_changed"] == (1 if name == "deployments" else 0)
        assert loaded["dagster/row_count"] == len(demo_api.rows(name))
        shown = instance.get_latest_materialization_event(asset_key(name))
        assert shown
        assert shown.run_id == result.run_id, "the page of the asset shows it"
        found = [
            found
            for found in result.get_asset_check_evaluations()
            if found.asset_key == asset_key(name)
        ]
        alone = project.check(name)
        assert {f.check_name: f.passed for f in found} == {
            check: evaluation.passed for check, evaluation in alone.items()
        }


NO_WINDOW = "A reload needs a window, and nothing was loaded"


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("job", ["reload_history", "reload_deployment_events"])
@pytest.mark.parametrize(
    ("days", "words"),
    [
        ({}, NO_WINDOW),
        ({"start": "", "end": ""}, NO_WINDOW),
        ({"start": "2026-05-01"}, NO_WINDOW),
        ({"end": "2026-06-01"}, NO_WINDOW),
        ({"start": "May", "end": "2026-06-01"}, "'May' is no ISO date: write it like 2026-05-31."),
        ({"start": "2026-06-01", "end": "2026-05-01"}, "A window begins before it ends"),
    ],
)
def test_a_reload_without_a_window_is_refused_before_anything_is_loaded(
    tmp_path: Path, demo_api: DemoApi, job: str, days: dict[str, str], words: str
) -> None:
    result = reload_past(demo_api.url, job=job, run_config=as_window(**days) if days else {})
    assert not result.success
    (failed,) = failures(result).values()
    assert failed.partition("Failure: ")[2].startswith(words)
    assert demo_api.log("deployments") == demo_api.log("deployment_events") == []
    assert not (tmp_path / "warehouse.duckdb").exists()


@pytest.mark.long(reason="commands in processes of their own")
@pytest.mark.parametrize(
    "command",
    [
        ["dagster", "job", "execute", "-m", MODULE, "-j", "reload_history"],
        ["dg", "launch", "--job", "reload_history"],
    ],
    ids=["dagster", "dg"],
)
def test_a_reload_without_a_window_is_refused_on_the_command_line(
    demo_api: DemoApi, command: list[str]
) -> None:
    run = subprocess.run(
        [Path(sys.executable).parent / command[0], *command[1:]],
        cwd=REPOSITORY,
        env={**os.environ, **settings_of(demo_api)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.returncode != 0
    assert NO_WINDOW in run.stdout + run.stderr
    assert demo_api.log("deployments") == []


@pytest.mark.long(reason="several loads each")
def test_a_window_of_another_api_is_loaded_again(tmp_path: Path) -> None:
    with open_bookshop() as shop:
        project = Project(tmp_path, shop.url, BOOKSHOP_API, access_token=BOOKSHOP_TOKEN)
        project.load_all("orders")
        expected = {number: order["total"] for number, order in shop.orders.items()}
        early, late = "B-0003", "B-0020"
        shop.orders[early]["total"] = expected[early] = -1.0
        shop.orders[late]["total"] = -1.0
        end = iso_time(int(shop.orders[early]["updated_ms"]) + 1)
        reloaded = reload_past(
            shop.url,
            config=BOOKSHOP,
            token=BOOKSHOP_TOKEN,
            run_config=as_window(start=str(iso_time(OPENED)), end=str(end)),
        )
        assert reloaded.success, failures(reloaded)
    rows = project.query("select order_no, total from analytics.orders")
    assert {row["order_no"]: row["total"] for row in rows} == expected
