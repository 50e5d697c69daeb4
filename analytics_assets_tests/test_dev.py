"""The webserver and the daemon as the README says to start them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
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
    assert_equal,
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path / "dagster_home"
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    settings = {
        "ANALYTICS_BASE_URL": demo_api.url,
        "ACCESS_TOKEN": demo_api.token,
        "DAGSTER_HOME": str(home),
    }
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
            processes.callback(_stop, process)
            _wait_until(lambda: _answers(address), STARTUP)
        yield address


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and all it started; not by SIGINT, which a background job ignores."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _answers(address: str) -> bool:
    try:
        return bool(query(address, "{ assetNodes { id } }")["assetNodes"])
    except (requests.ConnectionError, requests.HTTPError):
        return False


def _wait_until(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.2)


def query(address: str, graphql: str, **variables: Any) -> dict[str, Any]:
    response = requests.post(
        address, json={"query": graphql, "variables": variables}, timeout=TIMEOUT
    )
    response.raise_for_status()
    body = response.json()
    assert "errors" not in body, json.dumps(body["errors"])
    data: dict[str, Any] = body["data"]
    return data


LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""


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
    selector = {
        "repositoryLocationName": "analytics_assets",
        "repositoryName": "__repository__",
        "pipelineName": "__ASSET_JOB",
        "assetSelection": [{"path": ["analytics", name]} for name in RESOURCES],
    }
    launched = query(webserver, LAUNCH, parameters={"selector": selector, "mode": "default"})
    run_id = launched["launchRun"]["run"]["runId"]

    def is_over() -> bool:
        run = query(
            webserver,
            "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }",
            id=run_id,
        )
        status = run["runOrError"]["status"]
        assert status != "FAILURE"
        return bool(status == "SUCCESS")

    _wait_until(is_over, STARTUP)
    project = Project(tmp_path, demo_api.url)
    for resource in RESOURCES:
        assert_equal(project.rows(resource), demo_api.rows(resource))
