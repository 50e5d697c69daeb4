"""What it costs when a part of the deployment on several machines dies, or a run is told to end."""

from __future__ import annotations

import time

import pytest
from dagster import DagsterRunStatus

from harness.cluster import Cluster, wait_until
from harness.project import assert_everything_equal

pytestmark = pytest.mark.long(reason="a cluster: workers, broker and database")
CHILD = "deployment_events"
NAMES = ("projects", "environments", "deployments", CHILD)
"""What runs load: two families, so that there is a step beside the one at hand."""


def test_a_worker_that_is_killed_loses_its_step_alone(cluster: Cluster) -> None:
    # What comes after `projects` begins when the other step was lost.
    cluster.api.fail("projects", "hang", seconds=3600, times=None)
    run_id = launch_and_stop_in_the_middle(cluster, seconds=3600, times=None)
    worker = cluster.worker_of(run_id, CHILD)
    cluster.kill(worker)
    wait_until(lambda: cluster.tells(run_id, "its Celery worker"))
    cluster.api.heal()
    assert cluster.await_end(run_id) is DagsterRunStatus.FAILURE
    assert_everything_equal(cluster.project(), cluster.api, "projects", "environments")
    wait_until(lambda: cluster.retry_of(run_id))
    cluster.start(worker)
    assert_the_next_run_completes(cluster)


def test_a_run_outlives_its_code_location(cluster: Cluster) -> None:
    run_id = launch_and_stop_in_the_middle(cluster, seconds=60)
    cluster.kill_alone("code")
    assert cluster.await_end(run_id) is DagsterRunStatus.SUCCESS
    assert_everything_equal(cluster.project(), cluster.api, *NAMES)


def test_a_run_whose_code_location_is_started_again_is_tried_again(cluster: Cluster) -> None:
    run_id = launch_and_stop_in_the_middle(cluster, seconds=3600, times=None)
    cluster.kill_alone("code")
    looks = cluster.looks_at(run_id)
    wait_until(lambda: cluster.looks_at(run_id) > looks + 1)
    assert cluster.status(run_id) is DagsterRunStatus.STARTED, "nothing could try it again yet"
    cluster.start("code")
    assert cluster.await_end(run_id) is DagsterRunStatus.FAILURE
    wait_until(lambda: cluster.retry_of(run_id))
    retry = str(cluster.retry_of(run_id))
    # Else what is left of it would go on as soon as the API answers.
    wait_until(lambda: cluster.tells(run_id, "revoking active tasks"))
    cluster.api.heal()
    assert cluster.await_end(retry) is DagsterRunStatus.SUCCESS
    assert cluster.status(run_id) is DagsterRunStatus.FAILURE, "what was left of it has ended"
    wait_until(lambda: len(cluster.idle_workers()) == 2)
    assert_everything_equal(cluster.project(), cluster.api, *NAMES)


def test_a_run_that_is_told_to_end_gives_its_worker_back(cluster: Cluster) -> None:
    run_id = launch_and_stop_in_the_middle(cluster, seconds=3600, times=None)
    cluster.client().terminate_run(run_id)
    wait_until(lambda: len(cluster.idle_workers()) == 2)
    assert cluster.await_end(run_id) is DagsterRunStatus.CANCELED
    assert_the_next_run_completes(cluster)


def test_a_broker_that_is_killed_loses_nothing(cluster: Cluster) -> None:
    run_id = launch_and_stop_in_the_middle(cluster, seconds=10)
    cluster.kill("redis")
    time.sleep(5)
    cluster.start("redis")
    assert cluster.await_end(run_id)
    assert_the_next_run_completes(cluster)


def test_a_database_that_is_killed_loses_nothing(cluster: Cluster) -> None:
    run_id = launch_and_stop_in_the_middle(cluster, seconds=10)
    cluster.postgres.kill()
    time.sleep(5)
    cluster.postgres.start()
    assert cluster.await_end(run_id)
    assert_the_next_run_completes(cluster)


def launch_and_stop_in_the_middle(cluster: Cluster, seconds: float, times: int | None = 1) -> str:
    """Launches a run of all assets, in whose fan-out the API takes that long over an answer.

    Over one, or so many; over all further ones for None.
    """
    cluster.api.fail(CHILD, "hang", seconds=seconds, after=30, times=times)
    run_id = cluster.launch(*NAMES, timeout=20, max_retries=20)
    wait_until(lambda: len(cluster.api.log(CHILD)) > 30)
    return run_id


def assert_the_next_run_completes(cluster: Cluster) -> None:
    """A run after a crash loads what is missing, and what is new."""
    cluster.api.heal()
    cluster.api.add_deployments(3)
    wait_until(lambda: len(cluster.workers()) == 2)
    assert cluster.await_end(cluster.launch_as_soon_as_it_can(*NAMES)) is DagsterRunStatus.SUCCESS
    assert_everything_equal(cluster.project(), cluster.api, *NAMES)
