"""How much of a rate limit a fan-out uses: requests answered, to those that were allowed.

`python -m benchmarks.rate_limit 1500`, of that many deployments; 1,000 a minute, in windows of 15
seconds.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cli import materialize
from harness.demo_api import running_demo_api
from harness.stores import Row

ALLOWED, WINDOW = 250, 15
DEPLOYMENTS = 6 * ALLOWED
TARGET = 0.9


def main() -> None:
    """Loads the events of some windows' deployments, and prints the ratio."""
    deployments = int(sys.argv[1]) if len(sys.argv) > 1 else DEPLOYMENTS
    size = ["--deployments", str(deployments), "--events", "5", "--latency", "20"]
    limit = ["--rate-limit", f"deployment_events={ALLOWED}/{WINDOW}"]
    with TemporaryDirectory() as name, running_demo_api(*size, *limit) as api:
        materialize(api, Path(name), "deployments", "deployment_events")
        log = api.log("deployment_events")
    print(use_of(log, ALLOWED, WINDOW))


def use_of(log: Sequence[Row], allowed_in_window: int, window: float) -> str:
    """How much of a limit some requests have used, the oldest first."""
    statuses = Counter(entry["status"] for entry in log)
    seconds = log[-1]["at"] - log[0]["at"]
    # A window is used up at its beginning: the last one counts as far as it was needed.
    allowed = allowed_in_window * (1 + seconds / window)
    return (
        f"{statuses[200]} answered of {allowed:.0f} allowed in {seconds:.0f} s: "
        f"{statuses[200] / allowed:.2f}, target {TARGET}; {statuses[429]} rejected"
    )


if __name__ == "__main__":
    main()
