"""The webserver and the daemon, started as the README says, and what a user asks of them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.demo_api import RESOURCES, DemoApi, settings_of
from harness.processes import REPOSITORY, TIMEOUT, free_port, stop_all, wait_until

STARTUP = 180

# What the README says to start, with the folder and the port of the test.
MAKE_DEV = ("make dev BIN={bin} PORT={port} DAGSTER_HOME={home}",)
PRODUCTION = (
    "{bin}/dagster-webserver --workspace workspace.yaml --host 127.0.0.1 --port {port}",
    "{bin}/dagster-daemon run --workspace workspace.yaml",
)

LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}
"""
RUNS = """
query Runs($tags: [ExecutionTag!]) {
  runsOrError(filter: {tags: $tags}) { ... on Runs { results { runId } } }
}
"""
STATUS = "query Run($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


@dataclass(frozen=True)
class DevServer:
    """A running webserver with its daemon, and what they write."""

    url: str
    log: Path

    def query(self, graphql: str, **variables: Any) -> dict[str, Any]:
        """The data that GraphQL answers; fails where it answers errors."""
        response = requests.post(
            f"{self.url}/graphql", json={"query": graphql, "variables": variables}, timeout=TIMEOUT
        )
        response.raise_for_status()
        body = response.json()
        assert "errors" not in body, json.dumps(body["errors"])
        data: dict[str, Any] = body["data"]
        return data

    def launch(self, *names: str) -> str:
        """Materializes assets, all nine without names, as the UI does; returns the run's id."""
        selector = {
            "repositoryLocationName": "analytics_assets",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": ["analytics", name]} for name in names or RESOURCES],
        }
        launched = self.query(LAUNCH, parameters={"selector": selector, "mode": "default"})
        return str(launched["launchRun"]["run"]["runId"])

    def run_of_month(self, month: str) -> str:
        """The run that loads a month, once the daemon has begun it; returns its id."""

        def found() -> list[dict[str, str]]:
            tags = [{"key": "dagster/partition", "value": month}]
            runs: list[dict[str, str]] = self.query(RUNS, tags=tags)["runsOrError"]["results"]
            return runs

        wait_until(found, STARTUP)
        return found()[0]["runId"]

    def run_status(self, run_id: str) -> str:
        """How a run ends."""

        def status() -> str:
            return str(self.query(STATUS, id=run_id)["runOrError"]["status"])

        wait_until(lambda: status() in ("SUCCESS", "FAILURE", "CANCELED"), STARTUP)
        return status()

    def answers(self) -> bool:
        """Whether the definitions are loaded."""
        try:
            return bool(self.query("{ assetNodes { id } }")["assetNodes"])
        except requests.RequestException:
            return False


@contextmanager
def serving(
    commands: Sequence[str], folder: Path, api: DemoApi, **settings: str
) -> Iterator[DevServer]:
    """A webserver and a daemon over the demo API, with all they write in the folder."""
    if (REPOSITORY / ".env").exists():
        # Dagster prefers it to the environment: it would load from, and to, what a user has set.
        pytest.skip("move .env out of the repository: the servers of the tests would read it")
    home = folder / "dagster_home"
    home.mkdir()
    # As the README has it: each with the settings that are meant for it.
    settings_of_dagster = "deploy/dagster.yaml" if commands == PRODUCTION else "dagster.yaml"
    shutil.copy(REPOSITORY / settings_of_dagster, home)
    server = DevServer(f"http://127.0.0.1:{free_port()}", folder / "log")
    values = {
        "bin": Path(sys.executable).parent,
        "port": server.url.rpartition(":")[2],
        "home": home,
    }
    with ExitStack() as processes:
        log = processes.enter_context(server.log.open("w"))
        for command in commands:
            process = processes.enter_context(
                subprocess.Popen(
                    shlex.split(command.format(**values)),
                    cwd=REPOSITORY,
                    env={
                        **os.environ,
                        **settings_of(api),
                        "DAGSTER_HOME": str(home),
                        **settings,
                    },
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
            processes.callback(stop_all, process)
            wait_until(server.answers, STARTUP)
        yield server
