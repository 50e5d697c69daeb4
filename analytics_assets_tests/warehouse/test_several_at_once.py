"""Several processes want the one DuckDB file at once: each has its turn, and nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import duckdb
import pytest
from dagster import DagsterInstance, DagsterLogManager, DagsterRunStatus

from analytics_assets.resources import Warehouse
from harness.commands import MATERIALIZE, assert_ended_well, start_cli
from harness.demo_api import DemoApi
from harness.processes import REPOSITORY, free_port, stop_all, wait_until
from harness.project import Project, assert_everything_equal, failures
from harness.rules import WAITING

PATIENCE = 120
TEAMS = "+analytics/teams_member"

HOLDER = """
import duckdb, sys
with duckdb.connect(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""

# The project with what it does not have by itself yet: a schedule.
EVERY_MINUTE = """
from dagster import AssetSelection, DefaultScheduleStatus, Definitions, ScheduleDefinition
from analytics_assets.configuration import ANALYTICS
from analytics_assets.definitions import build_definitions

every_minute = ScheduleDefinition(
    name="every_minute",
    cron_schedule="* * * * *",
    target=AssetSelection.assets("analytics/teams", "analytics/teams_member"),
    default_status=DefaultScheduleStatus.RUNNING,
)
defs = Definitions.merge(build_definitions(ANALYTICS), Definitions(schedules=[every_minute]))
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """What all processes of a test record their runs in.

    Opened before any of them starts: two processes must not make a new DAGSTER_HOME at once.
    """
    home = tmp_path / "dagster_home"
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    with DagsterInstance.from_config(str(home)) as instance:
        yield instance


@contextmanager
def held_open(file: Path) -> Iterator[int]:
    """A DuckDB file while another process holds it; yields that process's id."""
    command = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        yield holder.pid
        holder.stdin.close()


def waits_for(file: Path, holder: int, said: str) -> bool:
    """Whether a log says which file is waited for, and which process has it."""
    return f"(PID {holder}), has {file} open: waiting for its end" in said


def test_two_commands_at_once_both_succeed_and_load_every_row_once(
    tmp_path: Path, demo_api: DemoApi, instance: DagsterInstance
) -> None:
    """In one DAGSTER_HOME, as two shells of one user have it."""
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    command, home = [*MATERIALIZE, TEAMS], instance.root_directory
    runs = [start_cli(*command, api=demo_api, log=log, DAGSTER_HOME=home) for log in logs]
    assert_ended_well(runs, logs, PATIENCE)
    project = Project(tmp_path, demo_api.url)
    assert_everything_equal(project, demo_api, "teams", "teams_member")


@pytest.mark.xdist_group(WAITING)
def test_a_scheduled_run_and_a_command_wait_for_a_reader_and_then_load_every_row_once(
    tmp_path: Path, demo_api: DemoApi, instance: DagsterInstance
) -> None:
    """The command has no DAGSTER_HOME: in one, the daemon would queue its own run behind it."""
    project = Project(tmp_path, demo_api.url)
    workspace, log = tmp_path / "every_minute.py", tmp_path / "command.log"
    workspace.write_text(EVERY_MINUTE)
    dev = ["dev", "-f", str(workspace), "--host", "127.0.0.1", "--port", str(free_port())]
    home = instance.root_directory

    def command_waits() -> bool:
        return waits_for(project.file, reader, log.read_text())

    def scheduled_run_waits() -> bool:
        return any(
            waits_for(project.file, reader, entry.user_message)
            for run in instance.get_runs()
            for entry in instance.all_logs(run.run_id)
        )

    def scheduled_run_is_over() -> bool:
        return any(run.status == DagsterRunStatus.SUCCESS for run in instance.get_runs())

    with ExitStack() as started:
        server = start_cli(*dev, api=demo_api, log=tmp_path / "dev.log", DAGSTER_HOME=home)
        started.callback(stop_all, server)
        with held_open(project.file) as reader:
            command = start_cli(*MATERIALIZE, TEAMS, api=demo_api, log=log)
            started.callback(command.kill)
            wait_until(command_waits, PATIENCE)
            since = time.monotonic()
            wait_until(scheduled_run_waits, PATIENCE)
            wait_until(lambda: time.monotonic() - since > 20)
        assert command.wait(PATIENCE) == 0, log.read_text()
        wait_until(scheduled_run_is_over, PATIENCE)
    assert_everything_equal(project, demo_api, "teams", "teams_member")


def test_a_file_that_stays_open_elsewhere_is_named_with_its_process(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url, warehouse=Warehouse(patience=1))
    with held_open(project.file) as holder:
        said = failures(project.load("user"))["user"].partition("Failure: ")[2].strip()
    assert said.startswith("Another process, ")
    assert said.endswith(
        f"(PID {holder}), has {project.file} open, and still had it after 1 s: end that process, "
        "or wait for its end, and materialize again."
    )


def test_a_file_that_another_process_has_only_just_begun_is_waited_for(tmp_path: Path) -> None:
    """A new DuckDB file is empty for a moment, in which DuckDB calls it invalid, not locked."""
    file = tmp_path / "warehouse.duckdb"
    file.touch()
    said = []

    def go_on_as_the_other_process(message: str) -> None:
        said.append(message)
        file.unlink()
        duckdb.connect(str(file)).close()

    log = cast(DagsterLogManager, SimpleNamespace(info=go_on_as_the_other_process))
    with Warehouse().opened(log):
        assert said == [f"Another process is making {file}: waiting for its end, up to 1800 s."]
