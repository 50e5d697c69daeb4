"""A process for each step against one process for all: a first load into PostgreSQL, by the CLI.

`python -m benchmarks.executors`; `--deployments 3000 --latency 50` is a longer load.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.cli import environment
from benchmarks.measure import measure
from harness.commands import MATERIALIZE
from harness.demo_api import DemoApi, running_demo_api
from harness.postgres import PostgresServer, running_postgres
from harness.stores import PostgresDatabase

EXECUTORS = ("in_process", "multiprocess")


def main() -> None:
    """Loads with both in turn, each time into an empty database, and prints their ratio."""
    parser = argparse.ArgumentParser("python -m benchmarks.executors")
    parser.add_argument("--deployments", type=int, default=400, metavar="N")
    parser.add_argument("--latency", type=int, default=0, metavar="MS")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    options = parser.parse_args()
    size = ["--deployments", str(options.deployments), "--latency", str(options.latency)]
    with running_postgres() as server, running_demo_api(*size) as api:
        rounds = [
            {name: _load(name, server, api) for name in EXECUTORS} for _ in range(options.rounds)
        ]
    ratio = median(seconds["multiprocess"] / seconds["in_process"] for seconds in rounds)
    alone = median(seconds["in_process"] for seconds in rounds)
    print(
        f"{options.deployments} deployments, {options.latency} ms, {os.cpu_count()} cores: with a "
        f"process for each step a first load takes {ratio:.1f} times the {alone:.0f} s of one "
        "process for all."
    )


def _load(executor: str, server: PostgresServer, api: DemoApi) -> float:
    """The seconds of a first load of all assets, into an empty database."""
    database = PostgresDatabase.on(server)
    with TemporaryDirectory() as name:
        folder = Path(name)
        measured = measure(
            [sys.executable, "-m", "dagster", *MATERIALIZE, "*"],
            {
                **environment(api, folder / "none.duckdb"),
                **database.settings,
                "ANALYTICS_EXECUTOR": executor,
            },
            folder,
            folder / "output.log",
        )
    database.drop()
    return measured.wall_seconds


if __name__ == "__main__":
    main()
