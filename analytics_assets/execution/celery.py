"""Dagster's Celery executor, with settings that need no file, and with an eye on its workers.

`dagster-celery` waits for the answer of a worker for ever, also where the worker was killed: a run
would never end, and hold its assets up. Celery itself tells of a worker's lost child alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from celery import Celery
from celery.exceptions import TaskRevokedError, WorkerLostError
from celery.result import AsyncResult
from celery.states import PENDING
from dagster import (
    DagsterEvent,
    Executor,
    ExecutorDefinition,
    InitExecutorContext,
    multiple_process_executor_requirements,
)
from dagster._core.execution.context.system import IStepContext, PlanOrchestrationContext
from dagster._core.execution.plan.objects import StepFailureData, UserFailureData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.step import ExecutionStep
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.run_cancellation_thread import start_run_cancellation_thread
from dagster._serdes import serialize_value
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_celery.core_execution_loop import core_celery_execution_loop
from dagster_celery.executor import CeleryExecutor, _submit_task

SECONDS_BETWEEN_LOOKS = 10.0
LOOKS = 3
"""Looks in which no worker knows a step until it counts as lost: a worker may be busy once."""
SECONDS_TO_ANSWER = 3.0

SETTINGS = {
    # Else nobody can tell a step that waits for a worker from one that a worker has begun.
    "task_track_started": True,
    # A busy worker leaves the next step to one that is idle. One at a time of each process, which
    # dagster-celery asks for, is one beside that under way (celery/celery#2788).
    "worker_disable_prefetch": True,
    # A worker waits for the broker's return, also at its start.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # Dagster's log is written as it is, and not as warnings of Celery's.
    "worker_redirect_stdouts": False,
    # An answer is read once, within seconds: it need not stay for a day.
    "result_expires": 3600,
}
"""Celery's, beside `CELERY_BROKER_URL` and `CELERY_RESULT_BACKEND`, which it reads itself."""


class WatchfulCeleryExecutor(CeleryExecutor):
    """Ends a run whose step was lost, and the process of a run that has ended without it."""

    def __init__(self) -> None:
        """Takes broker and backend from Celery's own settings."""
        super().__init__(RetryMode.ENABLED, config_source=SETTINGS)  # type: ignore[no-untyped-call]

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[DagsterEvent]:
        """Submits steps as tasks, as they become ready, until none is left."""
        # A process whose code server was killed lives on: its run is marked as failed, and tried
        # again. Dagster's own thread interrupts it then, so that it gives its workers back.
        thread, is_over = start_run_cancellation_thread(
            plan_context.instance, plan_context.dagster_run.run_id
        )
        tasks = WatchedTasks()
        try:
            yield from core_celery_execution_loop(
                plan_context, execution_plan, step_execution_fn=tasks.submit
            )
        finally:
            is_over.set()
            thread.join()
        if tasks.errors:
            # It is no step's own failure: `run_retries` are to try the run again.
            raise tasks.errors[0]


def _create(_: InitExecutorContext) -> Executor:
    return WatchfulCeleryExecutor()


celery_executor = ExecutorDefinition(
    name="celery",
    requirements=multiple_process_executor_requirements(),
    executor_creation_fn=_create,
    description="Steps on Celery workers.",
)


class WatchedTasks:
    """The tasks of a run that have no answer yet, and how often no worker knew of each.

    Workers are asked for all of them at once: the run waits meanwhile, and as nobody knows how many
    workers there are, it waits for as long as any may take to answer.

    Attributes:
        errors: Why tasks have no answer that could be read.
    """

    def __init__(
        self,
        seconds_between_looks: float = SECONDS_BETWEEN_LOOKS,
        seconds_to_answer: float = SECONDS_TO_ANSWER,
    ) -> None:
        """Begins without a task.

        Args:
            seconds_between_looks: How long a step is left alone until workers are asked for it.
            seconds_to_answer: How long they have.
        """
        self._seconds_between_looks = seconds_between_looks
        self._seconds_to_answer = seconds_to_answer
        self.errors: list[Exception] = []
        self._looked = time.monotonic()
        self._looks_in_vain: dict[WatchedTask, int] = {}

    def submit(
        self,
        app: Celery,
        plan_context: PlanOrchestrationContext,
        step: ExecutionStep,
        queue: str,
        priority: int,
        known_state: Any,
    ) -> WatchedTask:
        """Submits a step, as `dagster-celery` does, and watches its task."""
        result = _submit_task(app, plan_context, step, queue, priority, known_state)
        task = WatchedTask(self, result, plan_context.for_step(step), queue)
        self._looks_in_vain[task] = 0
        return task

    def is_lost(self, task: WatchedTask) -> bool:
        """Whether no worker knew of a task in as many looks as tell that none ever will."""
        if time.monotonic() - self._looked > self._seconds_between_looks:
            self._look(task.result.app)
            self._looked = time.monotonic()
        return self._looks_in_vain.get(task, 0) >= LOOKS

    def _look(self, app: Celery) -> None:
        unanswered = [task for task in self._looks_in_vain if not task.result.ready()]
        workers = app.control.inspect(timeout=self._seconds_to_answer)
        answers = workers.query_task(*(task.result.id for task in unanswered)) or {}
        known = {task_id for tasks in answers.values() for task_id in tasks}
        unbegun = {task for task in unanswered if task.result.state == PENDING}
        waiting = {queue for queue in {task.queue for task in unbegun} if _has_waiting(app, queue)}
        known |= {task.result.id for task in unbegun if task.queue in waiting}
        self._looks_in_vain = {
            task: 0 if task.result.id in known else self._looks_in_vain[task] + 1
            for task in unanswered
        }


def _has_waiting(app: Celery, queue: str) -> bool:
    """Whether tasks wait in a queue for a worker."""
    with app.connection_for_read() as connection:
        try:
            declared = connection.default_channel.queue_declare(queue, passive=True)
        except connection.channel_errors:
            # Redis keeps no empty queue.
            return False
        return bool(declared.message_count)


class WatchedTask:
    """A task whose answer may never come: what the loop of `dagster-celery` asks a result."""

    def __init__(
        self,
        tasks: WatchedTasks,
        result: AsyncResult[Any],
        step: IStepContext,
        queue: str,
    ) -> None:
        """Begins to wait for its answer.

        Args:
            tasks: What watches it.
            result: The answer of the task.
            step: The step that it executes, in its run.
            queue: Where it waits for a worker.
        """
        self.result = result
        self.queue = queue
        self._tasks = tasks
        self._step = step

    def ready(self) -> bool:
        """Whether there is an answer, or none will come."""
        return bool(self.result.ready()) or self._tasks.is_lost(self)

    def get(self) -> list[str]:
        """The events of the step, as text; that of its failure where there is no answer to read.

        After an error the loop of `dagster-celery` begins no step, and waits for ever for those
        that it could begin.

        Raises:
            TaskRevokedError: If the task was taken back.
        """
        try:
            return self._answer()
        except TaskRevokedError:
            raise
        except Exception as error:
            self._tasks.errors.append(error)
            return [serialize_value(self._failure(error))]

    def _failure(self, error: Exception) -> DagsterEvent:
        # Its words go into alerts: those of any other error may hold anything.
        told = str(error) if isinstance(error, WorkerLostError) else None
        failure = StepFailureData(
            serializable_error_info_from_exc_info(sys.exc_info()),
            UserFailureData(type(error).__name__, told),  # type: ignore[no-untyped-call]
        )
        return DagsterEvent.step_failure_event(self._step, failure)

    def _answer(self) -> list[str]:
        if self.result.ready():
            events: list[str] = self.result.get()
            return events
        # The broker delivers what was not acknowledged again, an hour later: its run is over then.
        self.revoke()
        raise WorkerLostError(
            f"{self._step.step.key} was lost: its Celery worker, or the broker, has ended in the "
            "middle. Materialize it again."
        )

    def revoke(self) -> None:
        """Takes the task back, from a worker that has begun with it, too.

        Its process is told by a signal, which Dagster makes an interruption of the step.
        """
        self.result.revoke(terminate=True)
