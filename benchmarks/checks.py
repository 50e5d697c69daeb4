"""What the asset checks cost: their steps against those that load, in one run of the demo's rows.

Run it with `make bench`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dagster import DagsterInstance, ExecuteInProcessResult

from analytics_assets.definitions import defs
from harness.demo_api import running_demo_api, settings_of


def main() -> None:
    """Loads and checks all assets once, and prints the ratio."""
    with tempfile.TemporaryDirectory() as folder, running_demo_api() as api:
        file = Path(folder) / "warehouse.duckdb"
        os.environ |= {**settings_of(api), "DESTINATION__DUCKDB__CREDENTIALS": str(file)}
        result = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=DagsterInstance.ephemeral(),
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
    checks = _seconds(result, of_checks=True)
    loads = _seconds(result, of_checks=False)
    count = len(result.get_asset_check_evaluations())
    print(f"{count} asset checks: {checks:.2f} s, {checks / loads:.2f} of the loads' {loads:.1f} s")


def _seconds(result: ExecuteInProcessResult, of_checks: bool) -> float:
    """The seconds of all steps that check, or of those that load."""
    return sum(
        event.step_success_data.duration_ms / 1000
        for event in result.filter_events(lambda event: event.is_step_success)
        if str(event.step_key).endswith("_checks") is of_checks
    )


if __name__ == "__main__":
    main()
