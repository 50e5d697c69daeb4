"""The webserver and the daemon as the README says to start them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import requests

from analytics_assets_tests.demo_api.server import REPOSITORY
from analytics_assets_tests.support import (
    RESOURCES,
    TIMEOUT,
    DemoApi,
    Project,
    assert_everything_equal,
    free_port,
    settings_of,
    stop_all,
    wait_until,
)

STARTUP = 90


# What the README says to start, with the folder and the port of the test.
MAKE_DEV = ["make dev BIN={bin} PORT={port} DAGSTER_HOME={home}"]
PRODUCTION = [
    "{bin}/dagster-webserver --workspace workspace.yaml --host 127.0.0.1 --port {port}",
    "{bin}/dagster-daemon run --workspace workspace.yaml",
]


@pytest.fixture(params=[MAKE_DEV, PRODUCTION], ids=["make dev", "production"])
def webserver(request: pytest.FixtureRequest, tmp_path: Path, demo_api: DemoApi) -> Iterator[str]:
    """A webserver and a daemon over the demo API; yields the address of the GraphQL API."""
    port = free_port()
    home = tmp_path / "dagster_home"
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    settings = {**settings_of(demo_api), "DAGSTER_HOME": str(home)}
    address = f"http://127.0.0.1:{port}/graphql"
    with ExitStack() as processes:
        log = processes.enter_context((tmp_path / "log").open("w"))
        for command in request.param:
            process = processes.enter_context(
                subprocess.Popen(
                    shlex.split(
                        command.format(bin=Path(sys.executable).parent, port=port, home=home)
                    ),
                    cwd=REPOSITORY,
                    env={**os.environ, **settings},
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
            processes.callback(stop_all, process)
            wait_until(lambda: _answers(address), STARTUP)
        yield address


def _answers(address: str) -> bool:
    try:
        return bool(query(address, "{ assetNodes { id } }")["assetNodes"])
    except (requests.ConnectionError, requests.HTTPError):
        return False


def query(address: str, graphql: str, **variables: Any) -> dict[str, Any]:
    response = requests.post(
        address, json={"query": graphql, "variables": variables}, timeout=TIMEOUT
    )
    response.raise_for_status()
    body = response.json()
    assert "errors" not in body, json.dumps(body["errors"])
    data: dict[str, Any] = body["data"]
    return data


REEXECUTE = """
mutation Reexecute($parameters: ReexecutionParams!) {
  launchRunReexecution(reexecutionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""

LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


def launch_all(webserver: str) -> str:
    """Materializes all assets, as the button of the UI does; returns the run's id."""
    selector = {
        "repositoryLocationName": "analytics_assets",
        "repositoryName": "__repository__",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [{"path": ["analytics", name]} for name in RESOURCES],
    }
    launched = query(webserver, LAUNCH, parameters={"selector": selector, "mode": "default"})
    return str(launched["launchRun"]["run"]["runId"])


def run_status(webserver: str, run_id: str) -> str:
    """How a run ends."""
    asked = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"

    def status() -> str:
        return str(query(webserver, asked, id=run_id)["runOrError"]["status"])

    wait_until(lambda: status() in ("SUCCESS", "FAILURE", "CANCELED"), STARTUP)
    return status()


@pytest.mark.long
@pytest.mark.parametrize("webserver", [MAKE_DEV], indirect=True)
def test_reexecution_from_failure_runs_only_what_failed_and_what_was_skipped_for_it(
    webserver: str, tmp_path: Path, demo_api: DemoApi
) -> None:
    demo_api.fail("deployments", "status", status=403, times=None)
    failed = launch_all(webserver)
    assert run_status(webserver, failed) == "FAILURE"
    demo_api.heal()
    parameters = {"parentRunId": failed, "strategy": "FROM_FAILURE"}
    with demo_api.counted() as requests:
        launched = query(webserver, REEXECUTE, parameters=parameters)["launchRunReexecution"]
        assert run_status(webserver, launched["run"]["runId"]) == "SUCCESS"
    assert set(requests) == {"deployments", "deployment_events"}
    project = Project(tmp_path, demo_api.url)
    assert_everything_equal(project, demo_api)


BACKFILL = """
mutation Backfill($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}
"""


@pytest.mark.long
@pytest.mark.parametrize("webserver", [MAKE_DEV], indirect=True)
def test_a_month_is_loaded_again_from_the_backfill_page(
    webserver: str, tmp_path: Path, demo_api: DemoApi
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
    launched = query(webserver, BACKFILL, parameters=parameters)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    runs = """
        query Runs($tags: [ExecutionTag!]) {
          runsOrError(filter: {tags: $tags}) { ... on Runs { results { status } } }
        }
    """
    tags = [{"key": "dagster/backfill", "value": launched["backfillId"]}]

    def statuses() -> list[str]:
        found = query(webserver, runs, tags=tags)["runsOrError"]["results"]
        return [run["status"] for run in found]

    wait_until(lambda: set(statuses()) & {"SUCCESS", "FAILURE"}, STARTUP)
    assert statuses() == ["SUCCESS"]
    loaded = Project(tmp_path, demo_api.url).rows("deployments").values()
    assert loaded
    assert {time.gmtime(row["created"] / 1000)[:2] for row in loaded} == {(2026, 5)}


@pytest.mark.long
def test_the_ui_shows_nine_assets_with_three_edges_and_materializes_them(
    webserver: str, tmp_path: Path, demo_api: DemoApi
) -> None:
    nodes = query(webserver, "{ assetNodes { assetKey { path } dependencyKeys { path } } }")
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
    assert run_status(webserver, launch_all(webserver)) == "SUCCESS"
    project = Project(tmp_path, demo_api.url)
    assert_everything_equal(project, demo_api)
