"""Which runs have not finished: what has begun is not to be begun again behind it."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


def has_unfinished_run(instance: DagsterInstance, tags: Mapping[str, str]) -> bool:
    """Whether a run with these tags waits or runs."""
    return bool(instance.get_runs(RunsFilter(tags=tags, statuses=UNFINISHED), limit=1))
