"""What it brings to read a long list in stretches of time: the first load of many deployments.

`python -m benchmarks.long_list 100000`.
"""

from __future__ import annotations

import os
import sys
import time
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

from analytics_assets.configuration import ANALYTICS, Api, read_api
from harness.configurations import words_of
from harness.demo_api import running_demo_api
from harness.project import Project, failures, metadata

DEPLOYMENTS = 10_000
LATENCY = 50


def main() -> None:
    """Loads the list both ways, and prints the ratio."""
    deployments = int(sys.argv[1]) if len(sys.argv) > 1 else DEPLOYMENTS
    page_by_page = deepcopy(ANALYTICS)
    del words_of(page_by_page, "deployments")["since_param"]
    size = ["--deployments", str(deployments), "--events", "1", "--latency", str(LATENCY)]
    with running_demo_api(*size) as api:
        chained, pages = _load(read_api(page_by_page), api.url)
        split, requests = _load(read_api(ANALYTICS), api.url)
    print(
        f"{deployments} deployments at {LATENCY} ms: in stretches {split / chained:.2f} of the "
        f"{chained:.1f} s page by page, with {requests} requests instead of {pages}"
    )


def _load(api: Api, url: str) -> tuple[float, int]:
    """Seconds and requests of a first load."""
    with TemporaryDirectory() as name:
        file = Path(name) / "warehouse.duckdb"
        os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = str(file)
        started = time.perf_counter()
        result = Project(Path(name), url, api).load(
            "deployments",
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
        seconds = time.perf_counter() - started
    if not result.success:
        sys.exit(str(failures(result)))
    return seconds, int(metadata(result, "deployments")["requests"])


if __name__ == "__main__":
    main()
