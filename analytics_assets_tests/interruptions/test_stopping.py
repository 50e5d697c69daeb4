"""Ctrl-C ends a run at once, wherever it strikes, keeps what was committed, and leaves nothing."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import (
    DagsterExecutionInterruptedError,
    DagsterInstance,
    DagsterRunStatus,
    raise_execution_interrupts,
)
from dagster._utils.interrupts import capture_interrupts
from dlt.destinations.impl.duckdb.duck import DuckDbCopyJob

from analytics_assets.assets.factory import POOL
from analytics_assets.assets.failures import failing_in_one_sentence
from analytics_assets.execution import stopping
from analytics_assets.execution.stopping import watching
from analytics_assets.source.retry import RetryPolicy
from harness.demo_api import DemoApi
from harness.interrupted import Commands, Ending, Moment, commands
from harness.processes import REPOSITORY, TIMEOUT
from harness.project import Project, assert_everything_equal
from harness.stores import PostgresDatabase

SOON = 10
"""Seconds in which a run ends that is told to, on a machine with much else to do."""
EVENTS = "+analytics/deployment_events"


@pytest.fixture(scope="module")
def command() -> Iterator[Commands]:
    """What executes commands: the project is imported once."""
    with commands() as commands_:
        yield commands_


def assert_ended(ending: Ending, code: int = 130, by: str = "you") -> None:
    """Fails unless a command was told to end, did so soon, and says by whom."""
    assert ending.seconds is not None, f"the moment never came: {ending.said}"
    assert ending.code == code, ending.said
    assert ending.said.count(f"Stopped by {by}.") == 1, ending.said
    assert "Stack Trace" not in ending.said
    assert "had failed" not in ending.said
    assert "Materialization failed" not in ending.said
    assert ending.seconds < SOON, ending.said
    assert not ending.left


def assert_stopped(ending: Ending, code: int = 130, by: str = "you") -> None:
    """Fails unless a command has also ended without any trace, or anything of dlt's."""
    assert_ended(ending, code, by)
    assert "Traceback" not in ending.said
    assert "dlt: " not in ending.said


MOMENTS = {
    "load": Moment("load", 6),
    "imports": Moment("dagster._cli.asset:execute_materialize_command"),
    "extract": Moment("extract", 7),
    "normalize": Moment("normalize", 20),
    "a job of a load": Moment("load", 9, seconds=0.01),
    "a check": Moment("analytics_assets.checks.factory:check_columns"),
    "between steps": Moment("analytics_assets.assets.load:AssetLoad.metadata", 1, seconds=0.05),
    "the last moment": Moment("analytics_assets.execution.ending:unshield", 30),
}


@pytest.mark.long_but_first(reason="runs that are stopped or killed")
@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_ctrl_c_at_any_moment_ends_the_run_and_costs_no_row(
    tmp_path: Path, demo_api: DemoApi, command: Commands, moment: Moment
) -> None:
    ending = command.materialize(tmp_path, demo_api, EVENTS, moment)
    assert_stopped(ending)
    project = Project(tmp_path, demo_api.url)
    kept = {name: len(project.rows(name)) for name in loaded(ending)}
    assert kept == {name: len(demo_api.rows(name)) for name in kept}
    project.load_all("deployments", "deployment_events")
    assert_everything_equal(project, demo_api, "deployments", "deployment_events")


JOB = "dlt.destinations.impl.duckdb.duck:DuckDbCopyJob.run"


@pytest.mark.long_but_first(reason="runs that are stopped or killed")
@pytest.mark.parametrize("seconds", [3.5, TIMEOUT], ids=["long", "too long"])
def test_ctrl_c_ends_a_run_whose_warehouse_is_slow(
    tmp_path: Path, demo_api: DemoApi, command: Commands, seconds: float
) -> None:
    """Jobs of a load go on in threads of their own, for longer than dlt waits for them."""
    moment = Moment(JOB, lasts=seconds)
    assert_stopped(command.materialize(tmp_path, demo_api, "analytics/user", moment))


def test_no_job_outlasts_its_load(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not either where Ctrl-C strikes as its thread starts, which its pool does not know of yet."""

    def jobs() -> list[threading.Thread]:
        return [each for each in threading.enumerate() if each.name.startswith("dlt-pool")]

    def start(thread: threading.Thread) -> None:
        start_in_peace(thread)
        if thread in jobs():
            raise DagsterExecutionInterruptedError

    def run_slowly(job: DuckDbCopyJob) -> None:
        time.sleep(0.5)
        run(job)
        done.append(job)

    done: list[DuckDbCopyJob] = []
    start_in_peace, run = threading.Thread.start, DuckDbCopyJob.run
    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(DuckDbCopyJob, "run", run_slowly)
    assert not project.load("user").success
    assert jobs() == []
    assert len(done) == 1


def loaded(ending: Ending) -> set[str]:
    """The assets that the end of a run tells to be loaded."""
    names = ending.said.partition("Loaded: ")[2].partition(".")[0]
    return set(names.replace(" and ", ", ").split(", ")) - {"nothing"}


WAITS: dict[str, tuple[dict[str, Any], Moment]] = {
    "for an answer": (
        {"kind": "hang", "seconds": 300},
        Moment("analytics_assets.source.transport:Transport.wait", seconds=0.2),
    ),
    "before a retry": (
        {"kind": "status", "status": 503, "times": None},
        Moment("analytics_assets.source.client:ApiClient._note_failure", 3, seconds=0.5),
    ),
    "for a rate limit": (
        {"kind": "status", "status": 429, "headers": {"Retry-After": "600"}, "times": None},
        Moment("analytics_assets.source.rate_limit:RateLimit.learn", seconds=0.5),
    ),
}


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(("fault", "moment"), WAITS.values(), ids=WAITS)
def test_ctrl_c_ends_each_wait(
    tmp_path: Path, demo_api: DemoApi, command: Commands, fault: dict[str, Any], moment: Moment
) -> None:
    demo_api.fail("user", **fault)
    assert_stopped(command.materialize(tmp_path, demo_api, "analytics/user", moment))


@pytest.mark.long(reason="several loads each")
def test_a_service_manager_ends_a_run_too(
    tmp_path: Path, demo_api: DemoApi, command: Commands
) -> None:
    moment = Moment("load", 6, signal=signal.SIGTERM)
    ending = command.materialize(tmp_path, demo_api, "analytics/user", moment)
    assert_stopped(ending, code=143, by="SIGTERM")


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path, demo_api: DemoApi, command: Commands) -> None:
    """Also where Dagster only notes the first one."""
    moment = Moment("analytics_assets.execution.ending:stop_if_told", number_of_signals=2)
    ending = command.materialize(tmp_path, demo_api, "analytics/user", moment)
    assert ending.code == 130
    assert not ending.left


def test_a_signal_whose_error_is_lost_is_repeated() -> None:
    """DuckDB answers it with an error of its own, libcurl drops it."""
    with (
        capture_interrupts(),
        watching(seconds_to_unwind=0.2) as watch,
        raise_execution_interrupts(),
    ):
        with suppress(DagsterExecutionInterruptedError):
            signal.raise_signal(signal.SIGINT)
        assert watch
        assert watch.signal == signal.SIGINT
        with pytest.raises(DagsterExecutionInterruptedError):
            time.sleep(TIMEOUT)
        watch.hear()
    assert stopping.signal_received() is None


def test_an_error_that_came_of_a_signal_is_no_failure_of_the_load() -> None:
    def query() -> None:
        with failing_in_one_sentence("user", RetryPolicy()):
            signal.raise_signal(signal.SIGINT)
            raise duckdb.InterruptException("Query interrupted")

    with capture_interrupts(), watching(), pytest.raises(DagsterExecutionInterruptedError):
        query()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """What commands record their runs in, with the limits of the project."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    with DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.mark.long(reason="runs that are stopped or killed")
def test_a_run_that_waits_for_its_turn_ends_and_none_keeps_a_place(
    tmp_path: Path, demo_api: DemoApi, command: Commands, instance: DagsterInstance
) -> None:
    home = {"DAGSTER_HOME": instance.root_directory}
    moment = Moment("load", 6)
    ending = command.materialize(tmp_path, demo_api, "analytics/user", moment, **home)
    assert_stopped(ending)
    (run,) = instance.get_runs()
    assert run.status is DagsterRunStatus.CANCELED
    pools = instance.event_log_storage
    assert pools.get_concurrency_info(POOL).active_slot_count == 0

    assert pools.claim_concurrency_slot(POOL, "another run", "user").is_claimed
    moment = Moment("dagster._core.execution.plan.active:ActiveExecution.sleep_til_ready")
    ending = command.materialize(tmp_path, demo_api, "analytics/user", moment, **home)
    assert_stopped(ending)
    assert pools.get_concurrency_info(POOL).pending_step_count == 0


@pytest.mark.long(reason="runs that are stopped or killed")
@pytest.mark.parametrize("number", [8, 14])
def test_ctrl_c_ends_all_processes_of_a_run_and_leaves_no_lock(
    tmp_path: Path,
    demo_api: DemoApi,
    command: Commands,
    database: PostgresDatabase,
    number: int,
) -> None:
    """Each step has a process, which the terminal tells, too."""
    moment = Moment("dagster._core.execution.plan.active:ActiveExecution.handle_event", number)
    several = {"ANALYTICS_EXECUTOR": "multiprocess"}
    demo_api.fail("teams", "hang", seconds=300)
    ending = command.materialize(
        tmp_path, demo_api, "analytics/teams,analytics/user", moment, **several
    )
    # Each of Dagster's watchers of orphans is a process, too, and shows Python's own trace.
    assert_ended(ending)
    assert not database.query("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
    demo_api.heal()
    project = Project(tmp_path, demo_api.url, store=database)
    project.load_all("teams", "user")
    assert_everything_equal(project, demo_api, "teams", "user")
