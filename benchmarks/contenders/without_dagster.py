"""The project's own loading without Dagster's runs, steps, checks and metadata.

It shows what these cost. `python -m benchmarks.contenders.without_dagster WAREHOUSE.duckdb`
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, cast

from dagster import DagsterLogManager

from analytics_assets.assets.garbage import searching_new_objects_alone
from analytics_assets.assets.load import AssetLoad
from analytics_assets.configuration import ANALYTICS, Resource, read_api
from analytics_assets.resources import AnalyticsApi, Warehouse
from analytics_assets.resources.one_load import Turn
from analytics_assets.source.limits import LIMITS


def main() -> None:
    """Loads into the file named, each parent before its children."""
    os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = sys.argv[1]
    # The configuration lists parents before their children.
    for resource in read_api(ANALYTICS).resources.values():
        _load(resource, AnalyticsApi(), Warehouse())


def _load(resource: Resource, api: AnalyticsApi, warehouse: Warehouse) -> None:
    log = cast("DagsterLogManager", logging.getLogger(resource.name))
    with searching_new_objects_alone(), warehouse.opened(log) as client:
        turn = Turn(client)
        load = AssetLoad(resource, api, warehouse, turn, None, _ignore, _ignore, LIMITS)
        for source in load.sources():
            with warehouse.pipeline(resource.name) as pipeline:
                pipeline.run(source)


def _ignore(*_: Any) -> None:
    """Tells and shows nobody anything."""


if __name__ == "__main__":
    main()
