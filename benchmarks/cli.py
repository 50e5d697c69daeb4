"""The project's command as the benchmarks start it: the real CLI, in a folder of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.measure import Measurement, measure
from harness.commands import MATERIALIZE
from harness.demo_api import DemoApi, settings_of
from harness.processes import REPOSITORY

FOREIGN_SETTINGS = ("DAGSTER_HOME", "ANALYTICS_", "DESTINATION__", "CELERY_", "ACCESS_TOKEN")
"""Beginnings of settings that the user may have, and that would change what is measured."""
OWN_SETTINGS = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    # The commands run elsewhere, so that no `.env` or `.dlt` here is read.
    "PYTHONPATH": str(REPOSITORY),
}


def environment(api: DemoApi, warehouse: Path) -> dict[str, str]:
    """The environment of a command that loads an API into a DuckDB file."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)
    }
    credentials = {"DESTINATION__DUCKDB__CREDENTIALS": str(warehouse)}
    return {**inherited, **OWN_SETTINGS, **settings_of(api), **credentials}


def materialize(api: DemoApi, folder: Path, *names: str) -> Measurement:
    """Materializes assets by the CLI, all without names, into a DuckDB file in a folder."""
    selection = " or ".join(f'key:"analytics/{name}"' for name in names) or "*"
    command = [sys.executable, "-m", "dagster", *MATERIALIZE, selection]
    warehouse = folder / "warehouse.duckdb"
    return measure(command, environment(api, warehouse), folder, folder / "output.log")
