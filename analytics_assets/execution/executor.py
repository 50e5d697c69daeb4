"""Chooses the Dagster executor: where the steps of a run are executed."""

from __future__ import annotations

import os
from collections.abc import Callable

from dagster import ExecutorDefinition, in_process_executor, multiprocess_executor

from analytics_assets.execution.ending import with_summary
from analytics_assets.resources import Warehouse
from analytics_assets.resources.warehouse import DESTINATION
from analytics_assets.source.errors import SettingError

EXECUTOR = "ANALYTICS_EXECUTOR"
BROKER, RESULTS = "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"
"""Celery's own settings (Celery, "Configuration and defaults"): the first makes it the default."""


def build_executor() -> ExecutorDefinition:
    """The executor that the settings name, or else one process, unless there is a broker.

    Raises:
        SettingError: If it is none of these, lacks what it needs, or could not share the warehouse.
    """
    name = os.environ.get(EXECUTOR) or _default()
    if name not in EXECUTORS:
        raise SettingError(f"{EXECUTOR} is none of {', '.join(EXECUTORS)}: {name!r}.")
    if name in ("celery", "k8s") and not Warehouse().is_postgres():
        # Elsewhere nothing keeps two loads of a table apart, or machines do not share it.
        raise SettingError(
            f"Steps on {name} need PostgreSQL, where loads of a table take turns: name it in "
            f"{DESTINATION}, or another executor in {EXECUTOR} (docs/cluster.md)."
        )
    try:
        return EXECUTORS[name]()
    except ModuleNotFoundError as error:
        raise SettingError(
            f"Steps on {name} need the extra `{name}`: pip install 'analytics-assets[{name}]'."
        ) from error


def ends_with_summary(executor: ExecutorDefinition) -> bool:
    """Whether the runs of an executor end with what they have done, on the same console."""
    return executor.name in ("in_process", "multiprocess")


def check_broker() -> None:
    """Looks for Celery's settings, without which it asks a server that nobody has started.

    Raises:
        SettingError: If one is missing.
    """
    for name in (BROKER, RESULTS):
        if not os.environ.get(name):
            raise SettingError(
                f"Steps on celery need a broker: set {name}, like redis://:password@host:6379/0 "
                "(docs/cluster.md)."
            )


def _default() -> str:
    # To begin a process for each step takes longer than most loads (`benchmarks.executors`).
    return "celery" if os.environ.get(BROKER) else "in_process"


def _in_process() -> ExecutorDefinition:
    return with_summary(in_process_executor)


def _multiprocess() -> ExecutorDefinition:
    # Forks of a process that has imported the definitions: each step would import them again.
    forking = multiprocess_executor.configured(
        {"start_method": {"forkserver": {}}}, name="multiprocess"
    )
    return with_summary(forking)


def _celery() -> ExecutorDefinition:
    from analytics_assets.execution.celery import celery_executor

    check_broker()
    return celery_executor


def _k8s() -> ExecutorDefinition:
    from dagster_k8s import k8s_job_executor

    executor: ExecutorDefinition = k8s_job_executor
    return executor


EXECUTORS: dict[str, Callable[[], ExecutorDefinition]] = {
    "in_process": _in_process,
    "multiprocess": _multiprocess,
    "celery": _celery,
    "k8s": _k8s,
}
"""What makes each executor; the libraries of the last two are extras."""
