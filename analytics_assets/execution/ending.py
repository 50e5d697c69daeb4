"""Lets a run end with what it has done, on the console it was started on, also where it is stopped.

Dagster's own command has no place for that: the executor is what sees the last step end.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing import parent_process
from pathlib import Path
from typing import Any, TextIO, cast

from dagster import (
    DagsterEvent,
    DagsterEventType,
    Executor,
    ExecutorDefinition,
    InitExecutorContext,
)
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from rich.console import Console

from analytics_assets.execution.run_log import keep_short
from analytics_assets.execution.stopping import (
    Watch,
    end_soon,
    exit_code,
    shield_children,
    stop_if_told,
    unshield,
    watching,
)
from analytics_assets.execution.summary import summarize
from analytics_assets.output import lenient

WIDEST_TABLE = 160
"""Characters of a line where the console has no width of its own: in a file or a pipe."""

BEFORE_THE_FIRST_STEP = {
    DagsterEventType.ENGINE_EVENT,
    DagsterEventType.RESOURCE_INIT_STARTED,
    DagsterEventType.RESOURCE_INIT_SUCCESS,
    DagsterEventType.STEP_WORKER_STARTING,
}
"""Events before Dagster has started the processes that a run needs."""


def with_summary(definition: ExecutorDefinition) -> ExecutorDefinition:
    """The same executor, whose runs end with a table of what was loaded."""
    create = cast("Callable[[InitExecutorContext], Executor]", definition.executor_creation_fn)

    def create_with_summary(context: InitExecutorContext) -> Executor:
        return _Summarizing(create(context))

    return ExecutorDefinition(
        name=definition.name,
        config_schema=cast(Any, definition.config_schema),
        requirements=definition.get_requirements,
        executor_creation_fn=create_with_summary,
        description=definition.description,
    )


class _Summarizing(Executor):
    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    @property
    def retries(self) -> RetryMode:
        return self._executor.retries

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        return self._executor.step_dependency_config

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        keep_short(
            plan_context.log, plan_context.instance, plan_context.dagster_run, tells_why=False
        )
        is_command = parent_process() is None
        told: int | None = None
        with watching(ends_at_the_second=is_command) as watch:
            try:
                yield from _until_told(self._executor.execute(plan_context, execution_plan), watch)
            except Exception:
                # Whatever it is, it came of the signal.
                stop_if_told()
                raise
            finally:
                if watch and (told := watch.signal):
                    watch.hear()
                    if is_command:
                        _leave_after(plan_context, told)
                _show_summary(plan_context, told)


def _until_told(events: Iterator[DagsterEvent], watch: Watch | None) -> Iterator[DagsterEvent]:
    """The events of an executor, until the process is told to end.

    Raises:
        DagsterExecutionInterruptedError: If it is told, be it in the last moment.
    """
    stop_if_told()
    shield_children()
    try:
        for event in events:
            if event.event_type not in BEFORE_THE_FIRST_STEP:
                unshield()
            if watch:
                watch.take_over()
            yield event
    finally:
        unshield()
    stop_if_told()


def _leave_after(context: PlanOrchestrationContext, number: int) -> None:
    """Has a command that was stopped end with the signal's exit code, once its run has ended.

    Dagster takes a run that was interrupted for one that has failed, unless it was asked to cancel
    it: a person who presses Ctrl-C asks for that.
    """
    if number == signal.SIGINT:
        context.instance.report_run_canceling(context.dagster_run, "Stopped by Ctrl-C.")
    context.log.addHandler(_Leave(number))


class _Leave(logging.Handler):
    """Ends the process with the next event of a run, which is its last one, when it is recorded."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "dagster_event", None):
            end_soon(self._number)
            raise SystemExit(exit_code(self._number))


def _show_summary(context: PlanOrchestrationContext, told: int | None) -> None:
    """Prints what a run has done, which is over: whether that can be shown decides nothing."""
    try:
        parts = list(summarize(context.instance, context.dagster_run, told))
    except Exception:
        context.log.warning("What the run has done cannot be told here.", exc_info=True)
        return
    # Whoever discards the one reads why in the other, as in a mail from cron.
    with lenient(sys.stderr if _is_discarded(sys.stdout) else sys.stdout) as stream:
        is_terminal = stream.isatty()
        width = None if is_terminal else WIDEST_TABLE
        console = Console(file=stream, width=width, highlight=False)
        for part in parts:
            # A sentence in a file stays a line, so that it is found.
            console.print(part, soft_wrap=not is_terminal)


def _is_discarded(stream: TextIO | None) -> bool:
    if stream is None:
        return False
    try:
        return os.path.samestat(os.fstat(stream.fileno()), Path(os.devnull).stat())
    except (OSError, ValueError):
        return False
