"""The first load of the events, spread over Celery workers: 1, 2 and 4 of them on this machine.

`python -m benchmarks.workers`; `--deployments 400 --days 60 --workers 1 2` takes a minute or two.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence

from analytics_assets.resources import AnalyticsApi
from benchmarks.backfill import (
    CHILD,
    Backfill,
    check_rows,
    cluster_of,
    load_months,
    months_of,
)
from harness.demo_api import DemoApi, Key, running_demo_server
from harness.demo_server import DemoServer

CONNECTIONS: int = AnalyticsApi.model_fields["connections"].default
"""Requests that a load has under way at once."""


def main() -> None:
    """Loads with each number of workers, and prints a table of ratios."""
    options = _options()
    size = ["--deployments", str(options.deployments), "--days", str(options.days)]
    with running_demo_server(*size) as (server, api):
        # The newest is a day's: while the first one creates the table, all others wait.
        months = dict(reversed(months_of(api).items()))
        served = set(api.rows(CHILD))
        api.control("POST", "/settings", latency=options.latency)
        most = max(len(parents) for parents in months.values())
        waited = options.deployments * options.latency / 1000 / CONNECTIONS
        print(
            f"{options.deployments} deployments with {len(served)} events, {options.latency} ms; "
            f"{len(months)} months of up to {most} deployments; {os.cpu_count()} cores. One load "
            f"after the other waits {waited:.0f} s for answers, {CONNECTIONS} requests at once.\n"
        )
        backfills: list[Backfill] = []
        for count in options.workers:
            backfills.append(_load(count, server, api, list(months), served))
            print("\n".join(_rows(options.workers, backfills)), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.workers")
    parser.add_argument("--deployments", type=int, default=20_000, metavar="N")
    parser.add_argument("--days", type=int, default=120, help="that they were made in")
    parser.add_argument("--latency", type=int, default=50, metavar="MS")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    return parser.parse_args()


def _load(
    workers: int, server: DemoServer, api: DemoApi, months: Sequence[str], served: set[Key]
) -> Backfill:
    """Loads all months into an empty warehouse, and checks its rows."""
    with cluster_of(workers, api) as cluster:
        backfill = load_months(cluster, server, months)
        check_rows(cluster, served)
    return backfill


def _rows(workers: Sequence[int], backfills: Sequence[Backfill]) -> list[str]:
    """The newest row of the table, below its head if it is the first one."""
    first, newest, count = backfills[0], backfills[-1], workers[len(backfills) - 1]
    speed_up = first.wall_seconds / newest.wall_seconds
    cells = {
        "workers": str(count),
        "wall": f"{newest.wall_seconds:.0f} s",
        "speed-up": f"{speed_up:.2f}",
        "efficiency": f"{speed_up * workers[0] / count:.2f}",
        "loading": f"{newest.load_seconds / (count * newest.wall_seconds):.2f}",
        **{f"CPU of {part}": f"{seconds:.0f} s" for part, seconds in newest.cpu_seconds.items()},
        "cores busy": f"{newest.cores:.2f}",
    }
    head = [_row(cells), "|---:" * len(cells) + "|"] if newest is first else []
    return [*head, _row(cells.values())]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
