"""One asset over many workers: months of a child that several processes load at once."""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import cast

import pytest

from analytics_assets.configuration import ANALYTICS, ApiConfig, ResourceConfig, read_api
from analytics_assets.resources import Warehouse
from analytics_assets.resources.one_load import Turn
from analytics_assets.resources.warehouse import DATASET
from analytics_assets.source.coverage import Coverage, cover
from analytics_assets.source.window import Window
from harness.commands import MATERIALIZE, assert_ended_well, start_cli
from harness.configurations import endpoint_words, words_of
from harness.demo_api import DemoApi, running_demo_api
from harness.processes import wait_until
from harness.project import Project, assert_everything_equal, failures
from harness.stores import PostgresDatabase

PATIENCE = 180
PARENT, CHILD = "deployments", "deployment_events"
MONTHS = ["2026-03-01", "2026-04-01", "2026-05-01", "2026-06-01", "2026-07-01"]


def start_month(number: int, api: DemoApi, log: Path) -> subprocess.Popen[bytes]:
    """Starts a process that loads a month of the child."""
    window = {"start": MONTHS[number], "end": MONTHS[number + 1]}
    config = json.dumps({"ops": {CHILD: {"config": window}}})
    options = [f"analytics/{CHILD}", "--config-json", config]
    return start_cli(
        *MATERIALIZE,
        *options,
        api=api,
        log=log,
        ANALYTICS_EXECUTOR="in_process",
    )


def month_of(milliseconds: int) -> str:
    (month,) = Window(milliseconds, milliseconds + 1).months
    return month


@pytest.fixture
def demo_api() -> Iterator[DemoApi]:
    """A demo API whose months have more deployments than are asked for at once."""
    with running_demo_api() as api:
        yield api


def test_months_are_loaded_at_once_and_the_next_run_asks_for_none_of_them_again(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project = Project(tmp_path, demo_api.url, store=database)
    project.load_all(PARENT)
    created = {uid: row["created"] for (uid,), row in demo_api.rows(PARENT).items()}
    # The same rows, slowly, so that months are under way together. The first one, alone, creates
    # the table.
    with running_demo_api("--latency", "1500") as slow_api:
        logs = [tmp_path / f"log_{number}" for number in range(4)]
        processes = [start_month(number, slow_api, log) for number, log in enumerate(logs)]
        assert_ended_well(processes, logs, PATIENCE)
        asked = [entry["path"].split("/")[3] for entry in slow_api.log(CHILD)]
    assert sorted(asked) == sorted(created), "each was asked for once"
    months = [month_of(created[uid]) for uid in asked]
    assert sum(one != other for one, other in pairwise(months)) > len(MONTHS), "in turns"
    assert_everything_equal(project, demo_api, PARENT, CHILD)
    with demo_api.counted() as counts:
        project.load_all(PARENT, CHILD)
    assert counts.get(CHILD, 0) == 0
    (uid,) = demo_api.add_deployments(events=4)
    project.load_all(PARENT, CHILD)
    assert {key for key in project.rows(CHILD) if key[0] == uid}
    assert_everything_equal(project, demo_api, PARENT, CHILD)
    assert datasets(database) == {"analytics", "analytics_staging"}


def test_a_month_whose_process_is_killed_is_left_to_the_next_run(
    tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project = Project(tmp_path, demo_api.url, store=database)
    project.load_all(PARENT)
    log = tmp_path / "log"
    assert_ended_well([start_month(3, demo_api, log)], [log], PATIENCE)
    demo_api.fail(CHILD, "hang", after=50)
    demo_api.control("POST", "/requests/reset")
    killed = start_month(0, demo_api, tmp_path / "log_of_killed")
    wait_until(lambda: len(demo_api.log(CHILD)) > 50, PATIENCE, pause=0.1)
    assert_ended_well([start_month(1, demo_api, log)], [log], PATIENCE)
    killed.kill()
    killed.wait()
    demo_api.heal()
    with demo_api.counted() as counts:
        project.load_all(CHILD)
    assert 0 < counts[CHILD] < len(demo_api.rows(PARENT)), "what was loaded is not asked for again"
    assert_everything_equal(project, demo_api, PARENT, CHILD)


@contextmanager
def turn_of(name: str, *months: str) -> Iterator[tuple[Turn, list[str]]]:
    """The turn of a load, that of some months or of all, and what it was told."""
    said: list[str] = []
    log = cast(logging.Logger, SimpleNamespace(info=said.append))
    with Warehouse(patience=PATIENCE).opened_to_load(name, log, months) as turn:
        yield turn, said


TABLE = (f"CREATE SCHEMA {DATASET}", f"CREATE TABLE {DATASET}.{CHILD} (id text)")


def test_other_months_wait_for_the_first_batch_of_the_one_that_makes_the_table(
    database: PostgresDatabase,
) -> None:
    begun = Event()

    def load_another() -> list[str]:
        with turn_of(CHILD, "2026_04") as (_, said):
            begun.set()
            return said

    with ThreadPoolExecutor(1) as pool, turn_of(CHILD, "2026_03") as (first, _):
        other = pool.submit(load_another)
        first.go_on()
        assert not begun.wait(2)
        database.run(*TABLE)
        first.go_on()
        assert other.result(PATIENCE) == [
            f"Another load of the first rows of analytics.{CHILD} is under way: waiting for its "
            "end."
        ]


def test_a_load_of_all_months_has_its_turn_among_those_of_single_ones(
    database: PostgresDatabase,
) -> None:
    database.run(*TABLE)
    begun: list[str] = []

    def load(*months: str) -> None:
        with turn_of(CHILD, *months):
            begun.append(months[0] if months else "all")

    with ThreadPoolExecutor(2) as pool:
        with turn_of(CHILD, "2026_03"):
            of_all = pool.submit(load)
            wait_until(lambda: waiting_loads(database) == 1, PATIENCE)
            later = pool.submit(load, "2026_04")
            wait_until(lambda: waiting_loads(database) == 2 or later.done(), PATIENCE)
        for of_either in (of_all, later):
            of_either.result(PATIENCE)
    assert begun == ["all", "2026_04"]


def waiting_loads(database: PostgresDatabase) -> int:
    """Loads that wait for a lock."""
    return len(database.query("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))


def test_a_load_that_waits_loses_no_lock_it_has(database: PostgresDatabase) -> None:
    database.run(*TABLE)
    held = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock'"

    def count_locks_of_waiting() -> int:
        own = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        with turn_of(CHILD, "2026_03", "2026_04") as (turn, _):
            ((locks,),) = turn.client.execute_sql(own) or []
            return int(locks)

    with ThreadPoolExecutor(1) as pool:
        with turn_of(CHILD, "2026_04"):
            waiting = pool.submit(count_locks_of_waiting)
            wait_until(lambda: waiting_loads(database) == 1, PATIENCE)
            assert len(database.query(held)) == 2
        assert waiting.result(PATIENCE) == 3


def test_a_month_has_a_staging_dataset_of_each_child_to_itself(database: PostgresDatabase) -> None:
    with turn_of(CHILD, "2026_03") as (turn, _):
        staging = turn.client.staging_dataset_name
        database.run(f"CREATE SCHEMA {staging}")
        with turn_of("another_child", "2026_03") as (other, _):
            assert other.client.staging_dataset_name != staging
        assert staging in datasets(database)
    assert staging not in datasets(database)


def test_what_a_month_that_failed_has_left_is_dropped_by_the_next_load_of_all(
    database: PostgresDatabase,
) -> None:
    left = f"{DATASET}_staging_{CHILD}_2026_03"
    kept = {f"{DATASET}_staging", f"{DATASET}_staging_a_{CHILD}_2026_03", f"my_{left}"}
    database.run(*(f"CREATE SCHEMA {name}; CREATE TABLE {name}.t ()" for name in {left, *kept}))
    with turn_of(CHILD, "2026_04"):
        assert left in datasets(database)
    with turn_of(CHILD):
        assert datasets(database) == kept


def datasets(database: PostgresDatabase) -> set[str]:
    rows = database.query("SELECT nspname AS name FROM pg_namespace WHERE nspname ~ 'analytics'")
    return {row["name"] for row in rows}


def test_a_month_notes_what_it_has_done_later_than_one_whose_clock_is_ahead(
    database: PostgresDatabase,
) -> None:
    database.run(f"CREATE SCHEMA {DATASET}", f"CREATE TABLE {DATASET}._dlt_loads (load_id text)")
    with turn_of(CHILD, "2026_03") as (turn, _):
        ahead = time.time() + 3
        database.run(f"INSERT INTO {DATASET}._dlt_loads VALUES ({ahead})")  # noqa: S608
        with turn.alone_with_state():
            assert time.time() > ahead


GRANDCHILD: ResourceConfig = {
    **words_of(ANALYTICS, CHILD),
    "name": "events_of_events",
    "primary_key": ["_deployment_events_id", "id"],
    "endpoint": endpoint_words(ANALYTICS, CHILD)
    | {"path": "/v3/deployments/{resources.deployment_events.id}/events"},
}
# Only what has a parent that is asked for by time can be asked for again.
del GRANDCHILD["asked_again"]


@pytest.mark.parametrize(("grandchildren", "waits"), [([], False), ([GRANDCHILD], True)])
def test_months_of_a_child_that_is_a_parent_itself_are_loaded_one_after_the_other(
    tmp_path: Path,
    demo_api: DemoApi,
    database: PostgresDatabase,
    grandchildren: list[ResourceConfig],
    waits: bool,
) -> None:
    config: ApiConfig = {**ANALYTICS, "resources": [*ANALYTICS["resources"], *grandchildren]}
    api, warehouse = read_api(config), Warehouse(patience=1)
    project = Project(tmp_path, demo_api.url, api, store=database, warehouse=warehouse)
    project.load_all(PARENT, CHILD)
    window = {"start": MONTHS[0], "end": MONTHS[1]}
    another = "SELECT pg_advisory_lock_shared(hashtextextended('analytics.deployment_events', 0))"
    with database.server.connection(database.database) as month, month.cursor() as cursor:
        cursor.execute(another)
        result = project.load(CHILD, run_config={"ops": {CHILD: {"config": window}}})
    assert result.success is not waits
    assert not waits or "Another load of analytics.deployment_events" in failures(result)[CHILD]


@pytest.mark.parametrize(
    ("start", "end", "months"),
    [
        (1_767_225_600_000, 1_767_225_600_001, ["2026_01"]),
        (1_764_547_199_999, 1_767_225_600_000, ["2025_11", "2025_12"]),
        (1_764_547_200_000, 1_769_904_000_001, ["2025_12", "2026_01", "2026_02"]),
    ],
)
def test_a_window_touches_the_months_that_it_has_a_moment_of(
    start: int, end: int, months: list[str]
) -> None:
    assert Window(start, end).months == months


@pytest.mark.parametrize(
    ("entries", "new", "expected"),
    [
        ([], (1, 2, "a"), [(1, 2, "a")]),
        ([(1, 2, "a")], (2, 3, "a"), [(1, 3, "a")]),
        ([(1, 2, "a"), (3, 4, "a")], (2, 3, "a"), [(1, 4, "a")]),
        ([(1, 2, "a")], (2, 3, "b"), [(1, 2, "a"), (2, 3, "b")]),
        ([(1, 2, "a")], (1, 3, "b"), [(1, 3, "b")]),
        ([(1, 2, "b")], (1, 3, "a"), [(1, 2, "b"), (1, 3, "a")]),
    ],
)
def test_what_windows_have_asked_for_is_kept_short(
    entries: list[tuple[int, int, str]],
    new: tuple[int, int, str],
    expected: list[tuple[int, int, str]],
) -> None:
    assert cover((Coverage(*entry) for entry in entries), Coverage(*new)) == expected
