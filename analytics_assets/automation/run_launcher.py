"""Dagster's own launcher of runs, which also tells its run monitoring whether a run still lives.

Runs end with the machine, or with the process that started them, by `kill -9`: Dagster would take
them to be running for ever, and neither load their assets again nor let another run begin.
`dagster.yaml` names this launcher. Dagster's own cannot be asked: up to 1.13.29 its
`supports_check_run_worker_health` is false.
"""

from dagster import DagsterRun
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value


class MonitoredRunLauncher(DefaultRunLauncher):
    """Starts a process for each run, and knows whether it lives."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring can ask: yes."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Asks the code server that started a run whether the run still lives.

        A run without one was started on the command line, by a process nobody can ask: it counts as
        running.
        """
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError as error:
            if "DEADLINE_EXCEEDED" in repr(error.__cause__):
                # A busy machine answers late: that is no sign of death.
                return CheckRunHealthResult(WorkerStatus.RUNNING)
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "Its code server is gone.")
        is_alive = deserialize_value(answer, CanCancelExecutionResult).can_cancel
        return CheckRunHealthResult(WorkerStatus.RUNNING if is_alive else WorkerStatus.NOT_FOUND)
