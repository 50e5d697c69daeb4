"""Months of the events, loaded by Dagster's own backfill on the Celery workers of `deploy/cluster`.

The warehouse is PostgreSQL; all of the deployment runs on this machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import pytest
import requests
from dagster import DagsterRunStatus

from benchmarks.cli import FOREIGN_SETTINGS
from benchmarks.measure import tree_of
from harness.cluster import FINISHED, Cluster, running_cluster
from harness.demo_api import DemoApi, Key, own_id
from harness.demo_server import DemoServer
from harness.processes import wait_until

PARENT, CHILD = "deployments", "deployment_events"
JOB = f"reload_{CHILD}"
PATIENCE = 6 * 3600
LAUNCH = """mutation ($backfill: LaunchBackfillParams!) {
    launchPartitionBackfill(backfillParams: $backfill) {
        ... on LaunchBackfillSuccess { backfillId }
        ... on PythonError { message }
    }
}"""
RUNS = """query ($backfill: String!) {
    runsOrError(filter: {tags: [{key: "dagster/backfill", value: $backfill}]}) {
        ... on Runs {
            results { status creationTime endTime stepStats { stepKey startTime endTime } }
        }
    }
}"""


@dataclass(frozen=True)
class Backfill:
    """What a backfill took."""

    wall_seconds: float
    """From the first run that was queued to the last one's end."""
    load_seconds: float
    """Of all workers, those in which they executed loads: not started them, nor checked rows."""
    cpu_seconds: dict[str, float]
    """User and system time of each part of the deployment."""

    @property
    def cores(self) -> float:
        """The cores that were busy on average."""
        return sum(self.cpu_seconds.values()) / self.wall_seconds


@contextmanager
def cluster_of(workers: int, api: DemoApi) -> Iterator[Cluster]:
    """The deployment with an empty warehouse, and the deployments loaded into it."""
    # Settings of the user's would change what is measured.
    for name in [name for name in os.environ if name.startswith(FOREIGN_SETTINGS)]:
        del os.environ[name]
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "yes"
    try:
        with (
            TemporaryDirectory(prefix="cluster_") as name,
            running_cluster(Path(name), api, workers) as cluster,
        ):
            if cluster.await_end(cluster.launch(PARENT)) is not DagsterRunStatus.SUCCESS:
                sys.exit(f"The run of {PARENT} has failed.")
            yield cluster
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))


def months_of(api: DemoApi) -> dict[str, set[str]]:
    """The deployments of each month, by the key of its partition, the first month first."""
    months: dict[str, set[str]] = {}
    for row in sorted(api.rows(PARENT).values(), key=lambda row: int(row["created"])):
        created = datetime.fromtimestamp(row["created"] / 1000, timezone.utc)
        months.setdefault(f"{created:%Y-%m}-01", set()).add(own_id(row))
    return months


def load_months(cluster: Cluster, server: DemoServer, months: Sequence[str]) -> Backfill:
    """Loads the events of the deployments of some months, a run for each, and waits for the end.

    A run that fails ends the benchmark.
    """
    parts = _parts(cluster, server)
    before = {part: _cpu_seconds(processes) for part, processes in parts.items()}
    runs = _await_runs(cluster, _launch(cluster, months), len(months))
    if failed := [run for run in runs if run["status"] != DagsterRunStatus.SUCCESS.value]:
        sys.exit(f"{len(failed)} of {len(runs)} runs have failed.")
    return Backfill(
        max(run["endTime"] for run in runs) - min(run["creationTime"] for run in runs),
        sum(_load_seconds(run) for run in runs),
        {part: _cpu_seconds(processes) - before[part] for part, processes in parts.items()},
    )


def check_rows(cluster: Cluster, served: set[Key]) -> None:
    """Ends the benchmark unless the warehouse holds each row that the server has, once."""
    query = f'SELECT "_{PARENT}_id" AS parent, id FROM analytics.{CHILD}'
    stored = [(row["parent"], row["id"]) for row in cluster.store.query(query)]
    if len(stored) != len(served) or set(stored) != served:
        sys.exit(f"{len(stored)} rows are stored, and not the {len(served)} of the server.")


def _launch(cluster: Cluster, months: Sequence[str]) -> str:
    """Asks the webserver for a backfill, as the UI does; returns its id.

    The webserver queues the runs at once: the daemon would begin with it within half a minute.
    """
    repository = {
        "repositoryLocationName": "analytics_assets",
        "repositoryName": "__repository__",
    }
    selector = {"partitionSetName": f"{JOB}_partition_set", "repositorySelector": repository}
    backfill = {
        "selector": selector,
        "partitionNames": list(months),
        "forceSynchronousSubmission": True,
    }
    launched = _ask(cluster, LAUNCH, backfill=backfill)["launchPartitionBackfill"]
    return str(launched["backfillId"])


def _await_runs(cluster: Cluster, backfill_id: str, count: int) -> list[dict[str, Any]]:
    """The runs of a backfill, once all have ended."""
    runs: list[dict[str, Any]] = []

    def have_ended() -> bool:
        runs[:] = _ask(cluster, RUNS, backfill=backfill_id)["runsOrError"]["results"]
        ended = [run for run in runs if DagsterRunStatus(run["status"]) in FINISHED]
        return len(ended) == len(runs) >= count

    wait_until(have_ended, PATIENCE, pause=1.0)
    return runs


def _load_seconds(run: dict[str, Any]) -> float:
    (step,) = [step for step in run["stepStats"] if step["stepKey"].endswith(CHILD)]
    return float(step["endTime"] - step["startTime"])


def _ask(cluster: Cluster, query: str, **variables: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{cluster.settings['WEBSERVER_PORT']}/graphql"
    response = requests.post(url, json={"query": query, "variables": variables}, timeout=60)
    response.raise_for_status()
    data: dict[str, Any] = response.json()["data"]
    return data


def _parts(cluster: Cluster, server: DemoServer) -> dict[str, list[int]]:
    """The first processes of each part of the deployment."""
    workers = [name for name in cluster.processes if name.startswith("worker")]
    others = cluster.processes.keys() - set(workers)
    return {
        "workers": [cluster.processes[name].pid for name in workers],
        "Dagster and Redis": [cluster.processes[name].pid for name in others],
        "PostgreSQL": [cluster.postgres.process],
        "the API": [server.process.pid],
    }


def _cpu_seconds(roots: Sequence[int]) -> float:
    """User and system time of processes and all that they have started, ended or not."""
    return sum(_cpu_seconds_of_tree(psutil.Process(root)) for root in roots)


def _cpu_seconds_of_tree(root: psutil.Process) -> float:
    seconds = 0.0
    for process in tree_of(root):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        # Those of children are of such as have ended.
        seconds += times.user + times.system + times.children_user + times.children_system
    return seconds
