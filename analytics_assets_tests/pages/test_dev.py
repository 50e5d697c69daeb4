"""The webserver and the daemon as the README says to start them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.demo_api import RESOURCES, DemoApi
from harness.dev_server import MAKE_DEV, PRODUCTION, STARTUP, DevServer, serving
from harness.processes import TIMEOUT, wait_until
from harness.project import Project, assert_everything_equal


@pytest.fixture(params=[MAKE_DEV, PRODUCTION], ids=["make dev", "production"])
def webserver(
    request: pytest.FixtureRequest, tmp_path: Path, demo_api: DemoApi
) -> Iterator[DevServer]:
    """A webserver and a daemon over the demo API."""
    with serving(request.param, tmp_path, demo_api) as server:
        yield server


REEXECUTE = """
mutation Reexecute($parameters: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


@pytest.mark.long(reason="dagster dev")
@pytest.mark.parametrize("webserver", [MAKE_DEV], indirect=True)
def test_reexecution_from_failure_runs_only_what_failed_and_what_was_skipped_for_it(
    webserver: DevServer, tmp_path: Path, demo_api: DemoApi
) -> None:
    demo_api.fail("deployments", "status", status=403, times=None)
    failed = webserver.launch_all()
    assert webserver.run_status(failed) == "FAILURE"
    demo_api.heal()
    parameters = {"parentRunId": failed, "strategy": "FROM_FAILURE"}
    with demo_api.counted() as requests:
        launched = webserver.query(REEXECUTE, parameters=parameters)["launchRunReexecution"]
        assert webserver.run_status(launched["run"]["runId"]) == "SUCCESS"
    assert set(requests) == {"deployments", "deployment_events"}
    project = Project(tmp_path, demo_api.url)
    assert_everything_equal(project, demo_api)


TERMINATE = "mutation Stop($id: String!) { terminateRun(runId: $id) { __typename } }"


@pytest.mark.long(reason="dagster dev")
@pytest.mark.parametrize("webserver", [MAKE_DEV], indirect=True)
def test_terminate_in_the_ui_cancels_a_run_and_no_console_shows_a_trace(
    webserver: DevServer, tmp_path: Path, demo_api: DemoApi
) -> None:
    demo_api.fail("aliases", "status", status=403, times=None)
    demo_api.fail("user", "hang", seconds=TIMEOUT * 5)
    run = webserver.launch_all()
    wait_until(lambda: demo_api.log("user"), STARTUP)
    since = time.monotonic()
    stopped = webserver.query(TERMINATE, id=run)["terminateRun"]
    assert stopped["__typename"] == "TerminateRunSuccess"
    assert webserver.run_status(run) == "CANCELED"
    assert time.monotonic() - since < TIMEOUT
    log = tmp_path / "log"
    wait_until(lambda: "Stopped by you. Loaded: auth_tokens, deployments" in log.read_text())
    shown = log.read_text()
    assert shown.count("aliases failed: GET /v4/aliases answered 403") == 1
    assert "Stack Trace" not in shown
    assert "Traceback" not in shown
    demo_api.heal()
    assert webserver.run_status(webserver.launch_all()) == "SUCCESS"
    assert_everything_equal(Project(tmp_path, demo_api.url), demo_api)


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
@pytest.mark.parametrize("webserver", [MAKE_DEV], indirect=True)
def test_a_month_is_loaded_again_from_the_backfill_page(
    webserver: DevServer, tmp_path: Path, demo_api: DemoApi
) -> None:
    repository = {
        "repositoryLocationName": "analytics_assets",
        "repositoryName": "__repository__",
    }
    parameters = {
        "selector": {
            "repositorySelector": repository,
            "partitionSetName": "reload_history_partition_set",
        },
        "partitionNames": ["2026-05-01"],
    }
    launched = webserver.query(BACKFILL, parameters=parameters)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    runs = """
        query Runs($tags: [ExecutionTag!]) {
          runsOrError(filter: {tags: $tags}) { ... on Runs { results { status } } }
        }
    """
    tags = [{"key": "dagster/backfill", "value": launched["backfillId"]}]

    def statuses() -> list[str]:
        found = webserver.query(runs, tags=tags)["runsOrError"]["results"]
        return [run["status"] for run in found]

    wait_until(lambda: set(statuses()) & {"SUCCESS", "FAILURE"}, STARTUP)
    assert statuses() == ["SUCCESS"]
    loaded = Project(tmp_path, demo_api.url).rows("deployments").values()
    assert loaded
    assert {time.gmtime(row["created"] / 1000)[:2] for row in loaded} == {(2026, 5)}


@pytest.mark.long(reason="dagster dev")
def test_the_ui_shows_nine_assets_with_three_edges_and_materializes_them(
    webserver: DevServer, tmp_path: Path, demo_api: DemoApi
) -> None:
    nodes = webserver.query("{ assetNodes { assetKey { path } dependencyKeys { path } } }")
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
    assert webserver.run_status(webserver.launch_all()) == "SUCCESS"
    project = Project(tmp_path, demo_api.url)
    assert_everything_equal(project, demo_api)
