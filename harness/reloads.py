"""What the tests of the past share: the jobs that load it again, run in this process."""

from __future__ import annotations

from typing import Any

from dagster import DagsterInstance, ExecuteInProcessResult

from analytics_assets.configuration import ANALYTICS, ApiConfig
from analytics_assets.definitions import build_definitions
from analytics_assets.resources import AnalyticsApi
from harness.demo_api import TOKEN, DemoApi

WINDOW = {"start": "2026-05-01", "end": "2026-06-01"}
"""Days of which the demo API has deployments."""


def reload_past(
    url: str,
    *,
    job: str = "reload_history",
    config: ApiConfig = ANALYTICS,
    token: str = TOKEN,
    instance: DagsterInstance | None = None,
    **choice: Any,
) -> ExecuteInProcessResult:
    """Runs a job that loads the past again, with the month or the run configuration chosen."""
    definitions = build_definitions(config)
    definitions.resources["api"] = AnalyticsApi(  # type: ignore[index]
        base_url=url, access_token=token, backoff_factor=0.01
    )
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance or DagsterInstance.ephemeral(), raise_on_error=False, **choice
    )


def as_window(**days: str) -> dict[str, Any]:
    """The run configuration that the Launchpad asks for."""
    return {"ops": {"window": {"config": days}}}


def created_within(api: DemoApi, start: int, end: int) -> set[str]:
    """The deployments created between two moments, in epoch milliseconds."""
    return {uid for (uid,), row in api.rows("deployments").items() if start <= row["created"] < end}


def spoil_oldest(api: DemoApi, start: int, end: int) -> str:
    """Changes the oldest deployment created between two moments, at the server; returns its id."""
    rows = api.rows("deployments")
    uid = min(created_within(api, start, end), key=lambda uid: rows[(uid,)]["created"])
    api.control("POST", f"/rows/deployments?id={uid}", set={"state": "CANCELED", "late": "yes"})
    return uid
