"""How much of a rate limit two Celery workers use together: each loads a month of the events.

`python -m benchmarks.shared_limit`; 1,000 requests a minute, for all together.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.backfill import CHILD, check_rows, cluster_of, load_months, months_of
from benchmarks.rate_limit import use_of
from harness.demo_api import running_demo_server

WORKERS = 2
DEPLOYMENTS = 8_900
"""Two of its three months are a little less than six windows' requests: a few that have to wait for
a window of their own would count all of it as unused."""
LATENCY = 20


def main() -> None:
    """Loads one month, so that there is a table, then two at once; prints the ratio."""
    options = _options()
    size = ["--deployments", str(options.deployments), "--events", "5"]
    with running_demo_server(*size) as (server, api):
        months = months_of(api)
        first, *pair = list(months)[: 1 + WORKERS]
        loaded = set.union(*(months[month] for month in (first, *pair)))
        served = {key for key in api.rows(CHILD) if key[0] in loaded}
        with cluster_of(WORKERS, api) as cluster:
            load_months(cluster, server, [first])
            rate = f"{options.allowed}/{options.window}"
            api.control("POST", "/settings", latency=LATENCY, rate_limits={CHILD: rate})
            api.control("POST", "/requests/reset")
            load_months(cluster, server, pair)
            log = api.log(CHILD)
            check_rows(cluster, served)
    answered = {entry["path"].split("/")[3] for entry in log if entry["status"] == 200}
    given_up = len(set.union(*(months[month] for month in pair)) - answered)
    print(f"{WORKERS} workers: {use_of(log, options.allowed, options.window)}, {given_up} given up")
    if given_up:
        sys.exit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.shared_limit")
    parser.add_argument("--deployments", type=int, default=DEPLOYMENTS, metavar="N")
    parser.add_argument("--allowed", type=int, default=1_000, metavar="REQUESTS")
    parser.add_argument("--window", type=int, default=60, metavar="SECONDS")
    return parser.parse_args()


if __name__ == "__main__":
    main()
