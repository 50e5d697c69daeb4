"""How a run on Celery watches its tasks: against a worker in this process, without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast
from unittest.mock import Mock

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from celery.result import AsyncResult
from dagster import DagsterEvent

from analytics_assets.execution import celery
from analytics_assets.execution.celery import WatchedTask, WatchedTasks
from harness.processes import wait_until


@pytest.fixture
def app() -> Iterator[Celery]:
    """An application with a worker, which has no task."""
    app = Celery(broker="memory://", backend="cache+memory://")
    with start_worker(app, perform_ping_check=False):
        wait_until(lambda: app.control.ping(timeout=0.5))
        yield app


@pytest.fixture
def tasks(app: Celery, monkeypatch: pytest.MonkeyPatch) -> list[WatchedTask]:
    """Eight tasks of one run, which have vanished."""
    ids = iter(f"task-{number}" for number in range(8))
    monkeypatch.setattr(celery, "_submit_task", lambda *_: AsyncResult(next(ids), app=app))
    watched = WatchedTasks(seconds_between_looks=1.0, seconds_to_answer=0.2)
    run: Any = Mock()
    return [watched.submit(app, run, cast(Any, None), "celery", 0, None) for _ in range(8)]


@pytest.mark.long(reason="several loads each")
def test_workers_are_asked_for_all_tasks_of_a_run_at_once(
    app: Celery, tasks: list[WatchedTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    inspect = Mock(wraps=app.control.inspect)
    monkeypatch.setattr(app.control, "inspect", inspect)
    time.sleep(1.1)
    assert not any(task.ready() for task in tasks)
    inspect.assert_called_once()


@pytest.mark.long(reason="several loads each")
def test_a_task_that_was_lost_is_never_begun(app: Celery, tasks: list[WatchedTask]) -> None:
    task, *_ = tasks
    wait_until(task.ready, pause=0.2)
    with pytest.MonkeyPatch.context() as patch:
        failure = Mock(return_value="its failure")
        patch.setattr(DagsterEvent, "step_failure_event", failure)
        patch.setattr(celery, "serialize_value", str)
        assert task.get() == ["its failure"]
    (_, data), _ = failure.call_args
    assert "was lost: its Celery worker" in data.user_failure_data.description
    wait_until(lambda: task.result.id in str(app.control.inspect(timeout=0.5).revoked()))
