"""Lets a run end with what it has done, on the console it was started on.

Dagster's own command has no place for that: the executor is what sees the last step end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, cast

from dagster import DagsterEvent, Executor, ExecutorDefinition, InitExecutorContext
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from rich.console import Console

from analytics_assets.execution.summary import summarize
from analytics_assets.output import lenient

WIDEST_LINE = 160
"""Characters of a line where the console has no width of its own: in a file or a pipe."""


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
        try:
            yield from self._executor.execute(plan_context, execution_plan)
        finally:
            _show_summary(plan_context)


def _show_summary(plan_context: PlanOrchestrationContext) -> None:
    """Prints what a run has done, which is over: whether that can be shown decides nothing."""
    try:
        parts = list(summarize(plan_context.instance, plan_context.dagster_run))
    except Exception:
        plan_context.log.warning("What the run has done cannot be told here.", exc_info=True)
        return
    with lenient(sys.stdout) as stream:
        width = None if stream.isatty() else WIDEST_LINE
        console = Console(file=stream, width=width, highlight=False)
        for part in parts:
            console.print(part)
