"""What PostgreSQL alone can do to a load: two at once, a crash of the server, rows it refuses."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
import pytest
from dagster import DagsterExecutionInterruptedError

from analytics_assets.resources import Warehouse, postgres_lock
from analytics_assets.source import parents, stored
from harness.commands import MATERIALIZE, assert_ended_well, run_cli, start_cli
from harness.demo_api import DemoApi, running_demo_api
from harness.postgres import PASSWORD, running_postgres
from harness.processes import wait_until
from harness.project import Project, assert_equal, assert_everything_equal, sentence
from harness.rules import ELSEWHERE
from harness.stores import PostgresDatabase, choose

PATIENCE = 120
NAMES = ("deployments", "deployment_events")


@contextmanager
def holding(database: PostgresDatabase, lock: str) -> Iterator[Any]:
    """Holds a lock as a load does, on a connection of its own; yields a cursor of that."""
    with database.server.connection(database.database) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [lock])
        yield cursor


@pytest.mark.parametrize(
    "selections",
    [
        ["analytics/deployments*"] * 3,
        ["analytics/deployments*", "analytics/projects*", "analytics/teams*"],
    ],
    ids=["the same", "different ones"],
)
def test_first_loads_that_begin_at_once_lose_no_row(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase, selections: list[str]
) -> None:
    logs = [tmp_path / f"log_{number}" for number in range(len(selections))]
    processes = [
        start_cli(*MATERIALIZE, selection, api=demo_api, log=log)
        for selection, log in zip(selections, logs, strict=True)
    ]
    assert_ended_well(processes, logs, PATIENCE)
    project = Project(tmp_path, demo_api.url, store=database)
    loaded = {name for selection in selections for name in children_of(selection)}
    assert_everything_equal(project, demo_api, *loaded)


def children_of(selection: str) -> list[str]:
    """The resources of a selection of an asset and its children."""
    name = selection.removeprefix("analytics/").removesuffix("*")
    children = {
        "deployments": "deployment_events",
        "projects": "environments",
        "teams": "teams_member",
    }
    return [name, children[name]]


def test_a_load_that_waits_too_long_for_another_one_says_so(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project = Project(tmp_path, demo_api.url, store=database, warehouse=Warehouse(patience=1))
    with holding(database, "analytics.user"):
        said = sentence(project, "user")
    assert said == (
        "Another load of analytics.user is under way, and still was after 1 s: wait for its end, "
        "or end it, and materialize again."
    )
    project.load_all("user")


def test_a_load_holds_its_lock_until_it_ends(database: PostgresDatabase) -> None:
    def is_free(what: str) -> bool:
        lock = f"select pg_try_advisory_lock(hashtextextended('{what}', 0)) as free"
        return bool(database.query(lock)[0]["free"])

    with Warehouse().opened_to_load("user", logging.getLogger()):
        assert not is_free("analytics.user")
        assert is_free("analytics.teams")
    assert is_free("analytics.user")


def test_a_first_load_keeps_no_load_of_another_asset_waiting(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project = Project(tmp_path, demo_api.url, store=database, warehouse=Warehouse(patience=1))
    with Warehouse().opened_to_load("user", logging.getLogger()):
        project.load_all("teams")
    project.load_all("user")


def test_two_runs_at_once_go_side_by_side(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    log = tmp_path / "log"
    with (
        holding(database, "analytics.user") as cursor,
        start_cli(*MATERIALIZE, "analytics/user", api=demo_api, log=log) as waiting,
    ):
        wait_until(lambda: "Another load of analytics.user" in log.read_text(), PATIENCE)
        other = run_cli(*MATERIALIZE, "analytics/teams*", api=demo_api)
        assert other.returncode == 0, other.stderr[-2000:]
        assert waiting.poll() is None
        cursor.execute("SELECT pg_advisory_unlock_all()")
        assert_ended_well([waiting], [log], PATIENCE)
    project = Project(tmp_path, demo_api.url, store=database)
    assert_everything_equal(project, demo_api, "user", "teams", "teams_member")


def test_a_lock_of_a_machine_that_has_vanished_ends_soon(database: PostgresDatabase) -> None:
    with Warehouse().opened_to_load("user", logging.getLogger()) as turn:
        shown = [
            turn.client.execute_sql(f"SHOW tcp_keepalives_{what}")
            for what in ("idle", "interval", "count")
        ]
    assert shown == [[("60",)], [("10",)], [("3",)]]


def test_a_run_that_waits_for_another_load_ends_when_it_is_told_to(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    log = tmp_path / "log"
    with (
        holding(database, "analytics.user"),
        start_cli(*MATERIALIZE, "analytics/user", api=demo_api, log=log) as run,
    ):
        wait_until(lambda: "Another load of analytics.user" in log.read_text(), PATIENCE)
        run.send_signal(signal.SIGTERM)
        assert run.wait(30), "it has not loaded"


class WaitingClient:
    """A connection that waits, until it is told so twice: the run is told to end in between."""

    def __init__(self) -> None:
        self.native_connection = self
        self.is_over = threading.Event()
        self._cancels = 0

    def execute_sql(self, *_: object) -> None:
        """Waits."""
        self.is_over.wait(10)

    def cancel(self) -> None:
        """Ends the wait, but for the first time."""
        self._cancels += 1
        if self._cancels == 1:
            raise DagsterExecutionInterruptedError
        self.is_over.set()


def test_a_run_that_is_told_to_end_twice_leaves_no_wait_behind() -> None:
    client: Any = WaitingClient()
    with pytest.raises(DagsterExecutionInterruptedError):
        postgres_lock._lock(client, "a table", shared=False, seconds=0.01)
    assert client.is_over.is_set()


def test_a_child_that_begins_while_its_parent_is_listed_asks_for_each_row_of_it(
    tmp_path: Path,
    demo_api: DemoApi,
    database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = Project(tmp_path, demo_api.url, store=database)
    project.load_all("teams")
    is_live, loads = stored.is_live, []

    def list_once_more(dataset: dlt.Dataset, name: str) -> Any:
        run = run_cli(*MATERIALIZE, "analytics/teams", api=demo_api)
        loads.append(run.returncode)
        return is_live(dataset, name)

    with monkeypatch.context() as patch:
        patch.setattr(parents, "is_live", list_once_more)
        project.load_all("teams_member")
    assert set(loads) == {0}
    assert_equal(project.rows("teams_member"), demo_api.rows("teams_member"))


def test_a_load_that_has_waited_is_later_than_what_it_waited_for(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project = Project(tmp_path, demo_api.url, store=database)
    project.load_all("user")
    ((person,),) = demo_api.rows("user")
    demo_api.control("POST", f"/rows/user?id={person}", set={"username": "changed"})
    ahead = time.time() + 8
    record = (
        "INSERT INTO analytics._dlt_loads (load_id, schema_name, status, inserted_at) "
        "VALUES (%s, 'user', 0, now())"
    )
    log = tmp_path / "log"
    with (
        holding(database, "analytics.user") as cursor,
        start_cli(*MATERIALIZE, "analytics/user", api=demo_api, log=log) as process,
    ):
        wait_until(lambda: "Another load of analytics.user" in log.read_text(), PATIENCE)
        cursor.execute(record, [str(ahead)])
        cursor.connection.close()
        assert process.wait(PATIENCE) == 0
    (newest,) = database.query("select max(load_id) as id from analytics._dlt_loads")
    assert float(newest["id"]) > ahead


def test_rows_that_the_server_refuses_are_an_error_in_its_words(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project = Project(tmp_path, demo_api.url, store=database)
    project.load_all("teams")
    database.run("ALTER TABLE analytics.teams ADD CHECK (name <> 'refused') NOT VALID")
    (key, *_) = demo_api.rows("teams")
    demo_api.control("POST", f"/rows/teams?id={key[0]}", set={"name": "refused"})
    said = sentence(project, "teams")
    assert said.startswith("The warehouse did not take the rows of teams: new row for relation ")
    assert PASSWORD not in said


@pytest.mark.long(reason=ELSEWHERE)
def test_a_server_that_crashes_in_a_load_costs_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        running_postgres() as server,
        running_demo_api("--deployments", "3000", "--events", "3") as api,
    ):
        database = PostgresDatabase.on(server)
        choose(database, monkeypatch)
        project = Project(tmp_path, api.url, store=database)
        project.load_all("deployments")
        log = tmp_path / "log"
        api.control("POST", "/requests/reset")
        with start_cli(*MATERIALIZE, "analytics/deployment_events", api=api, log=log) as process:
            wait_until(lambda: events_asked(api) > 1000, PATIENCE)
            server.kill()
            server.start()
            process.wait(PATIENCE)
        if process.returncode:
            assert "The warehouse" in log.read_text()
        assert PASSWORD not in log.read_text()
        project.load_all(*NAMES)
        assert_everything_equal(project, api, *NAMES)


def test_a_destination_that_has_a_staging_area_uses_the_one_that_is_set(
    tmp_path: Path, database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redshift, which is spoken to as PostgreSQL is."""
    credentials = database.settings["DESTINATION__POSTGRES__CREDENTIALS"]
    monkeypatch.setenv("DESTINATION__REDSHIFT__CREDENTIALS", credentials)
    monkeypatch.setenv("STAGING_TYPE", "filesystem")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", str(tmp_path))
    warehouse = Warehouse(destination="redshift")
    with warehouse.opened(logging.getLogger()), warehouse.pipeline("user") as pipeline:
        config: Any = pipeline.destination_client().config
        assert config.staging_config.bucket_url == tmp_path.as_uri()


def events_asked(api: DemoApi) -> int:
    return int(api.control("GET", "/requests")["counts"].get("deployment_events", 0))
