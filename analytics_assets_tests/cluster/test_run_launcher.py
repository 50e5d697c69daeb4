"""What run monitoring is told of a run whose code server does not answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, DagsterRun
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from analytics_assets.automation.run_launcher import MonitoredRunLauncher
from harness.processes import free_port


def status_of_a_run_started_at(place: dict[str, Any], **options: float) -> WorkerStatus:
    """The status of a run that a code server at this place has started, which is not there."""
    launcher = MonitoredRunLauncher(**options)  # type: ignore[arg-type]
    with DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        tags = {GRPC_INFO_TAG: json.dumps({"host": "localhost", **place})}
        run = instance.add_run(DagsterRun(job_name="a_job", tags=tags))
        return launcher.check_run_worker_health(run).status


def test_a_code_server_with_an_address_may_come_back() -> None:
    place = {"port": free_port()}
    assert status_of_a_run_started_at(place) is WorkerStatus.RUNNING
    assert status_of_a_run_started_at(place, seconds_to_come_back=0.0) is WorkerStatus.NOT_FOUND


def test_a_code_server_on_a_socket_has_ended_with_the_daemon(tmp_path: Path) -> None:
    socket = str(tmp_path / "socket")
    assert status_of_a_run_started_at({"socket": socket}) is WorkerStatus.NOT_FOUND
