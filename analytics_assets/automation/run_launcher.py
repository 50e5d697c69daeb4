"""Dagster's own launcher of runs, which also tells its run monitoring whether a run still lives.

Runs end with the machine, or with the process that started them, by `kill -9`: Dagster would take
them to be running for ever, and neither load their assets again nor let another run begin.
`dagster.yaml` names this launcher. Dagster's own cannot be asked: up to 1.13.29 its
`supports_check_run_worker_health` is false.
"""

from __future__ import annotations

import time

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

SECONDS_TO_COME_BACK = 600.0


class MonitoredRunLauncher(DefaultRunLauncher):
    """Starts a process for each run, and knows whether it lives."""

    def __init__(
        self,
        inst_data: ConfigurableClassData | None = None,
        seconds_to_come_back: float = SECONDS_TO_COME_BACK,
    ) -> None:
        """Begins with all code servers there.

        Args:
            inst_data: Dagster's.
            seconds_to_come_back: For which a code server with an address of its own may be away.
        """
        super().__init__(inst_data)
        self._seconds_to_come_back = seconds_to_come_back
        self._gone_since: dict[str, float] = {}

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring can ask: yes."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Asks the code server that started a run whether the run still lives.

        A run without one was started on the command line, by a process nobody can ask: it counts as
        running. So does one whose server will be started again at its address: its process may live
        and end well, and a run that failed now could not be tried again.
        """
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError as error:
            # A busy machine answers late: that is no sign of death.
            is_late = "DEADLINE_EXCEEDED" in repr(error.__cause__)
            # One on a socket was started by the webserver or the daemon, and ended with them.
            if is_late or (not client.socket and self._may_come_back(run)):
                return CheckRunHealthResult(WorkerStatus.RUNNING)
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "Its code server is gone.")
        was_gone = self._gone_since.pop(run.run_id, None) is not None
        is_alive = deserialize_value(answer, CanCancelExecutionResult).can_cancel
        # The daemon takes a moment to know a server again, without which it cannot try a run again.
        is_running = is_alive or was_gone
        return CheckRunHealthResult(WorkerStatus.RUNNING if is_running else WorkerStatus.NOT_FOUND)

    def _may_come_back(self, run: DagsterRun) -> bool:
        since = self._gone_since.setdefault(run.run_id, time.monotonic())
        return time.monotonic() - since < self._seconds_to_come_back
