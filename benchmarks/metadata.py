"""What the metadata of a load costs, of its time, on a table of a million events.

Run it with `make bench`; `python -m benchmarks.metadata 10000` takes fewer rows.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, materialize
from dagster_dlt import DagsterDltResource

from analytics_assets.assets import build_assets
from analytics_assets.assets.keys import asset_key
from analytics_assets.assets.load import AssetLoad
from analytics_assets.configuration import ANALYTICS, read_api
from analytics_assets.resources import AnalyticsApi, Console, Warehouse
from harness.demo_api import running_demo_api, settings_of

ROWS = 1_000_000
EVENTS = 90
"""Of each deployment on average, a little more than the demo API makes: a page holds 100."""
TARGET = 0.05


def main() -> None:
    """Loads the events once, then those of one more deployment, and prints the ratios."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    size = ["--deployments", str(rows // (EVENTS - 4)), "--events", str(EVENTS)]
    spent: list[float] = []
    AssetLoad.metadata = _timed(AssetLoad.metadata, spent)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder, running_demo_api(*size) as api:
        file = Path(folder) / "warehouse.duckdb"
        os.environ |= {**settings_of(api), "DESTINATION__DUCKDB__CREDENTIALS": str(file)}
        _load("deployments")
        _report("first load", spent)
        api.add_deployments(1)
        _load("deployments")
        _report("one more deployment", spent)
        _report("nothing new", spent)


def _timed(metadata: Callable[[AssetLoad], dict[str, Any]], spent: list[float]) -> Any:
    def timed(load: AssetLoad) -> dict[str, Any]:
        started = time.perf_counter()
        reported = metadata(load)
        spent.append(time.perf_counter() - started)
        return reported

    return timed


def _report(what: str, spent: list[float]) -> None:
    rows, seconds = _load("deployment_events")
    print(
        f"metadata of deployment_events, {what}, {rows} rows in the table: {spent[-1]:.2f} s, "
        f"{spent[-1] / seconds:.3f} of the load's {seconds:.1f} s; target {TARGET} at a first load"
    )


def _load(name: str) -> tuple[int, float]:
    """Materializes one asset; returns the rows of its table, and its seconds."""
    result = materialize(
        build_assets(read_api(ANALYTICS)),
        selection=[asset_key(name)],
        instance=DagsterInstance.ephemeral(),
        resources={
            "dlt": DagsterDltResource(),
            "api": AnalyticsApi(),
            "warehouse": Warehouse(),
            "console": Console(),
        },
        run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
    )
    (event,) = result.get_asset_materialization_events()
    (step,) = result.filter_events(lambda event: event.is_step_success)
    rows: Any = event.materialization.metadata["dagster/row_count"].value
    return int(rows), step.step_success_data.duration_ms / 1000


if __name__ == "__main__":
    main()
