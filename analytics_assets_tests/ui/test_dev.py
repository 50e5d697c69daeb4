"""The webserver and the daemon as the README says to start them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from harness.demo_api import RESOURCES, DemoApi
from harness.dev_server import PRODUCTION, STARTUP, DevServer, serving
from harness.processes import TIMEOUT, wait_until
from harness.project import Project, assert_everything_equal

REEXECUTE = """
mutation Reexecute($parameters: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


def test_reexecution_from_failure_runs_only_what_failed_and_what_was_skipped_for_it(
    server: DevServer, demo_api: DemoApi, project: Project
) -> None:
    demo_api.fail("deployments", "status", status=403, times=None)
    failed = server.launch("deployments", "deployment_events", "user")
    assert server.run_status(failed) == "FAILURE"
    demo_api.heal()
    parameters = {"parentRunId": failed, "strategy": "FROM_FAILURE"}
    with demo_api.counted() as requests:
        launched = server.query(REEXECUTE, parameters=parameters)["launchRunReexecution"]
        assert server.run_status(launched["run"]["runId"]) == "SUCCESS"
    assert set(requests) == {"deployments", "deployment_events"}
    assert_everything_equal(project, demo_api, "deployments", "deployment_events", "user")


TERMINATE = "mutation Stop($id: String!) { terminateRun(runId: $id) { __typename } }"


def test_terminate_in_the_ui_cancels_a_run_and_no_console_shows_a_trace(
    server: DevServer, demo_api: DemoApi, project: Project
) -> None:
    names = ("aliases", "auth_tokens", "user")
    before = len(server.log.read_text())

    def written() -> str:
        return server.log.read_text()[before:]

    demo_api.fail("aliases", "status", status=403, times=None)
    demo_api.fail("user", "hang", seconds=TIMEOUT * 5)
    run = server.launch(*names)
    wait_until(lambda: demo_api.log("user"), STARTUP)
    since = time.monotonic()
    stopped = server.query(TERMINATE, id=run)["terminateRun"]
    assert stopped["__typename"] == "TerminateRunSuccess"
    assert server.run_status(run) == "CANCELED"
    assert time.monotonic() - since < TIMEOUT
    wait_until(lambda: "Stopped by you. Loaded: auth_tokens" in written())
    shown = written()
    assert shown.count("aliases failed: GET /v4/aliases answered 403") == 1
    assert "Stack Trace" not in shown
    assert "Traceback" not in shown
    demo_api.heal()
    assert server.run_status(server.launch(*names)) == "SUCCESS"
    assert_everything_equal(project, demo_api, *names)


BACKFILL = """
mutation Backfill($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


@pytest.mark.long(reason="dagster dev")
def test_a_month_is_loaded_again_from_the_backfill_page(
    server: DevServer, demo_api: DemoApi, project: Project
) -> None:
    # The month before the one that is loaded again by clicks.
    month = (datetime.now(timezone.utc).replace(day=1) - timedelta(days=32)).replace(day=1)
    repository = {
        "repositoryLocationName": "analytics_assets",
        "repositoryName": "__repository__",
    }
    parameters = {
        "selector": {
            "repositorySelector": repository,
            "partitionSetName": "reload_history_partition_set",
        },
        "partitionNames": [f"{month:%Y-%m-%d}"],
    }
    launched = server.query(BACKFILL, parameters=parameters)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    runs = """
        query Runs($tags: [ExecutionTag!]) {
          runsOrError(filter: {tags: $tags}) { ... on Runs { results { status } } }
        }
    """
    tags = [{"key": "dagster/backfill", "value": launched["backfillId"]}]

    def statuses() -> list[str]:
        found = server.query(runs, tags=tags)["runsOrError"]["results"]
        return [run["status"] for run in found]

    wait_until(lambda: set(statuses()) & {"SUCCESS", "FAILURE"}, STARTUP)
    assert statuses() == ["SUCCESS"]
    loaded = project.rows("deployments").values()
    assert loaded
    assert {time.gmtime(row["created"] / 1000)[:2] for row in loaded} == {(month.year, month.month)}


@pytest.mark.long(reason="dagster dev")
def test_the_ui_shows_nine_assets_with_three_edges_and_materializes_them(
    server: DevServer, demo_api: DemoApi, project: Project
) -> None:
    assert_assets_are_shown(server)
    assert server.run_status(server.launch()) == "SUCCESS"
    assert_everything_equal(project, demo_api)


@pytest.mark.long(reason="dagster dev")
def test_webserver_and_daemon_of_production_do_the_same(
    tmp_path: Path, demo_api: DemoApi, project: Project
) -> None:
    family = ("teams", "teams_member")
    with serving(PRODUCTION, tmp_path, demo_api, **project.store.settings) as server:
        assert_assets_are_shown(server)
        assert server.run_status(server.launch(*family)) == "SUCCESS"
    assert_everything_equal(project, demo_api, *family)


def assert_assets_are_shown(server: DevServer) -> None:
    nodes = server.query("{ assetNodes { assetKey { path } dependencyKeys { path } } }")
    edges = {
        (parent["path"][-1], node["assetKey"]["path"][-1])
        for node in nodes["assetNodes"]
        for parent in node["dependencyKeys"]
    }
    assert {node["assetKey"]["path"][-1] for node in nodes["assetNodes"]} == set(RESOURCES)
    assert edges == {
        ("projects", "environments"),
        ("deployments", "deployment_events"),
        ("teams", "teams_member"),
    }
