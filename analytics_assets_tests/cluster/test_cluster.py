"""The deployment on several machines: its commands, and two workers."""

from __future__ import annotations

import pytest
from dagster import DagsterRunStatus

from harness.canaries import leaks, reveals
from harness.cluster import Cluster, wait_until
from harness.project import assert_everything_equal

pytestmark = pytest.mark.long(reason="a cluster: workers, broker and database")


def test_two_workers_load_all_that_the_webserver_is_asked_for_and_no_secret_passes_between(
    cluster: Cluster,
) -> None:
    run_id = cluster.launch()
    assert cluster.await_end(run_id) is DagsterRunStatus.SUCCESS
    assert_everything_equal(cluster.project(), cluster.api)
    executed = [event for event in cluster.events(run_id) if "in celery worker" in event]
    for worker in ("worker1@", "worker2@"):
        assert any(worker in event for event in executed), "each had its share"
    # Redis' log of what it was told, Dagster's folder, and what each process has written.
    assert leaks(cluster.folder) == []
    records = cluster.records()
    assert not [cell for cells in records.values() for cell in cells if reveals(cell.encode())]


def test_a_busy_worker_leaves_the_next_step_to_one_that_is_idle(cluster: Cluster) -> None:
    cluster.api.fail("projects", "hang", seconds=3600)
    cluster.launch("projects")
    wait_until(lambda: cluster.api.log("projects"))
    # The busy worker would have taken one of them in time.
    for name in ("user", "teams", "auth_tokens"):
        assert cluster.await_end(cluster.launch(name)) is DagsterRunStatus.SUCCESS
