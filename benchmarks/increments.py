"""What a run costs where nothing, or one deployment, is new.

`python -m benchmarks.increments --size M --latency 50`; the wall time is told as a ratio to that of
`dagster asset list`, which starts Dagster, loads the definitions and asks the API for nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cli import environment, materialize
from benchmarks.lineup import SIZES
from benchmarks.measure import measure
from harness.demo_api import DemoApi, running_demo_api
from harness.forked import MODULE

START_UP = [sys.executable, "-m", "dagster", "asset", "list", "-m", MODULE]
INCREMENTAL = ["deployments", "deployment_events"]


def main() -> None:
    """Loads everything once, then what is new, and prints requests and ratios."""
    parser = argparse.ArgumentParser("python -m benchmarks.increments")
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--latency", type=int, default=50, metavar="MS")
    options = parser.parse_args()
    size = [*SIZES[options.size], "--latency", str(options.latency)]
    with TemporaryDirectory() as name, running_demo_api(*size) as api:
        folder = Path(name)
        log = folder / "output.log"
        start_up = measure(
            START_UP, environment(api, folder / "none.duckdb"), folder, log
        ).wall_seconds
        materialize(api, folder)
        _report(api, folder, start_up, "all nine, nothing new")
        _report(api, folder, start_up, "deployments and events, nothing new", *INCREMENTAL)
        api.add_deployments(1)
        _report(api, folder, start_up, "deployments and events, one new", *INCREMENTAL)


def _report(api: DemoApi, folder: Path, start_up: float, what: str, *names: str) -> None:
    with api.counted() as requests:
        wall = materialize(api, folder, *names).wall_seconds
    print(f"{what}: {wall / start_up:.2f} times the start-up; requests {requests}", flush=True)


if __name__ == "__main__":
    main()
