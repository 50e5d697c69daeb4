"""Whether memory is bounded: the peak of a load with ten times the events, to that of one.

`python -m benchmarks.memory 15000`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cli import materialize
from benchmarks.measure import Measurement
from harness.demo_api import running_demo_api

DEPLOYMENTS = 1_500
EVENTS = 30
TARGET = 1.3


def main() -> None:
    """Loads both, and prints the ratio."""
    deployments = int(sys.argv[1]) if len(sys.argv) > 1 else DEPLOYMENTS
    one, ten = (_load(deployments, events) for events in (EVENTS, 10 * EVENTS))
    print(
        f"{deployments} deployments with {EVENTS} events each: {one.peak_memory_mb:.0f} MB at "
        f"most; with ten times the events {ten.peak_memory_mb / one.peak_memory_mb:.2f} times "
        f"that, in {ten.wall_seconds / one.wall_seconds:.1f} times the time; target {TARGET}"
    )


def _load(deployments: int, events: int) -> Measurement:
    size = ["--deployments", str(deployments), "--events", str(events)]
    with TemporaryDirectory() as name, running_demo_api(*size) as api:
        return materialize(api, Path(name), "deployments", "deployment_events")


if __name__ == "__main__":
    main()
