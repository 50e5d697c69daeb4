"""Whatever happens in whatever order, a last run makes the warehouse what the server is.

Hypothesis draws the sequences: assets are selected and loaded, by one process or by two at once;
endpoints and single parents fail, and loads are killed; and rows come, change and go at the server,
within what the README says is reached. Each load is a process of its own, forked from one that has
imported everything.

The seeds are fixed: CI, which plays 28, is to fail for a change, not for its luck. To play others,
and more:

    SEQUENCES=2000 SEQUENCES_SEED=1 .venv/bin/python -m pytest -k any_sequence
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import psycopg2
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from analytics_assets.configuration import ANALYTICS, Api, read_api
from analytics_assets.demo_api.operations import OPERATIONS
from harness.configurations import ANALYTICS_API, endpoint_words
from harness.demo_api import PARENTS, RESOURCES, DemoApi, Key, running_demo_api
from harness.killed import before_each_request
from harness.postgres import running_postgres
from harness.project import Project, assert_equal, draw_no_pictures, failures, metadata
from harness.stores import DeltaFolder, DuckDbFile, MakeStore, PostgresDatabase, Row

SEQUENCES = int(os.environ.get("SEQUENCES", "20"))
FIRST_SEED = int(os.environ.get("SEQUENCES_SEED", "0"))
WORKERS = 2
STEPS = 5
PATIENCE = 120

MakesStores = AbstractContextManager[MakeStore]

CHILDREN = {parent: child for child, parent in PARENTS.items()}
# What a sequence plays with. Assets of two lines share nothing but the file, and loading all nine
# each time would take four times as long.
DEPLOYMENTS = ["deployments", "deployment_events"]
PROJECTS = ["projects", "environments"]
TEAMS = ["teams", "teams_member"]
SINGLE = ["aliases", "auth_tokens", "user"]
CASTS = [*[DEPLOYMENTS] * 6, *[PROJECTS] * 4, *[TEAMS] * 2, SINGLE, RESOURCES]

TINY = (
    "--projects=5 --variables=2 --teams=2 --members=2 --deployments=4 --events=2 --aliases=2 "
    "--tokens=1 --projects-by-change --keep-times"
)
ROWS_OF_A_PAGE = 4
"""Few, so that lists have several pages."""
NOTHING_THERE = (duckdb.CatalogException, duckdb.IOException, psycopg2.errors.UndefinedTable)
"""What a table that was never loaded says, or a warehouse that never was."""
HOUR = 3_600_000
LOOK_BACK = 72 * HOUR

FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 403},
    {"kind": "html"},
    {"kind": "cut"},
]
# What one parent may answer instead of its children.
OF_ONE_PARENT: list[dict[str, Any]] = [
    {"kind": "status", "status": status} for status in (404, 403, 500)
]
# Values of a field that the server did not have before: its type changes, too.
NEW_VALUES: list[Any] = [None, 1, ["list"]]


def with_small_pages() -> Api:
    """The configuration, whose lists are asked for in pages of few rows."""
    config = deepcopy(ANALYTICS)
    for name, resource in ANALYTICS_API.resources.items():
        params = endpoint_words(config, name).get("params") or {}
        if "limit" in params and not resource.bare_list:
            params["limit"] = ROWS_OF_A_PAGE
    return read_api(config)


SMALL_PAGES = with_small_pages()


@dataclass(frozen=True)
class Outcome:
    """What a load said of its assets: why they failed, or what they report."""

    failed: dict[str, str]
    loaded: dict[str, dict[str, Any]]


class Load:
    """A load in a process of its own, which dies at its so-manieth step if it is told to."""

    def __init__(self, project: Project, names: Sequence[str], dies_at: int = 0) -> None:
        context = multiprocessing.get_context("fork")
        self._outcome, answer = context.Pipe(duplex=False)
        self._process = context.Process(target=_load, args=(project, names, dies_at, answer))
        self._process.start()
        answer.close()

    def outcome(self) -> Outcome | None:
        """Waits for its end; None if it was killed before."""
        assert self._outcome.poll(PATIENCE), "the load neither ends nor fails"
        try:
            outcome: Outcome | None = self._outcome.recv()
        except EOFError:
            outcome = None
        self._process.join()
        assert self._process.exitcode == (-signal.SIGKILL if outcome is None else 0)
        return outcome


def _load(project: Project, names: Sequence[str], dies_at: int, answer: Connection) -> None:
    # What a killed load leaves goes with the warehouse's folder.
    tempfile.tempdir = str(project.file.parent)
    if dies_at:
        _die_at(dies_at)
    result = project.load(*names)
    events = result.get_asset_materialization_events()
    loaded = [event.asset_key.path[-1] for event in events if event.asset_key]
    answer.send(Outcome(failures(result), {name: metadata(result, name) for name in loaded}))


def _die_at(number: int) -> None:
    """Kills this process at its so-manieth step: a request, or a file that dlt has written."""
    steps = itertools.count(1)

    def step() -> None:
        if next(steps) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(event: str, _: object) -> None:
        if event == "os.rename":
            step()

    before_each_request(step)
    sys.addaudithook(watch)


class Loads(RuleBasedStateMachine):
    """One sequence, from an empty warehouse and a new server to the last run."""

    api: ClassVar[DemoApi]
    make_store: ClassVar[MakeStore]
    played: ClassVar[int] = 0

    rows = st.runner().flatmap(
        lambda self: st.tuples(st.sampled_from(self.cast), st.integers(0, 3))
    )
    selections = st.runner().flatmap(
        lambda self: st.lists(st.sampled_from(self.cast), min_size=1, max_size=2, unique=True)
    )
    moments = st.integers(1, 90)

    def __init__(self) -> None:
        super().__init__()
        self.api.reset()
        self.folder = Path(tempfile.mkdtemp())
        self.store = type(self).make_store(self.folder)
        os.environ.update(self.store.settings)
        self.project = Project(self.folder, self.api.url, SMALL_PAGES, store=self.store)
        self.cast: list[str] = []
        self.loaded: set[str] = set()
        self.maybe_loaded: set[str] = set()
        self.gone: dict[str, dict[Key, Row]] = {name: {} for name in RESOURCES}
        self.newest = max(row["created"] for row in self.api.rows("deployments").values())
        self.numbers = itertools.count(1)

    @initialize(cast=st.sampled_from(CASTS))
    def begin(self, cast: list[str]) -> None:
        """Chooses what the sequence plays with."""
        self.cast = cast

    @rule(names=selections)
    def load(self, names: list[str]) -> None:
        """Loads some assets."""
        self._check({Load(self.project, names): names})

    @rule(names=selections, fault=st.sampled_from(FAULTS), after=st.integers(0, 2))
    def load_while_the_first_endpoint_fails(
        self, names: list[str], fault: dict[str, Any], after: int
    ) -> None:
        """Loads some assets; the first one's endpoint fails, at once or after a request or two."""
        self.api.fail(names[0], **fault, after=after, times=None)
        self._check({Load(self.project, names): names}, broken=names[0])

    @rule(row=rows, fault=st.sampled_from(OF_ONE_PARENT), with_parent=st.booleans())
    def load_while_a_parent_fails(
        self, row: tuple[str, int], fault: dict[str, Any], with_parent: bool
    ) -> None:
        """Loads a child, of which one parent has a new row, and does not answer for it yet."""
        child = CHILDREN.get(row[0], row[0])
        if child not in PARENTS or child not in self.cast:
            return
        key = self._pick(PARENTS[child], row[1])
        if key is None:
            return
        self._add((child, row[1]), 1)
        self.api.fail(child, **fault, parent=key[0], times=None)
        names = [PARENTS[child], child] if with_parent else [child]
        self._check({Load(self.project, names): names}, broken=child)

    @rule(names=selections, place=st.integers(0, 9), after=st.integers(0, 3))
    def load_while_a_project_moves(self, names: list[str], place: int, after: int) -> None:
        """Loads some assets; a project moves to the beginning while their list is read."""
        key = self._pick("projects", place)
        if key and "projects" in names:
            self.api.fail("projects", "touch", row=key[0], after=after)
        self._check({Load(self.project, names): names})

    @rule(names=selections, dies_at=moments)
    def kill_a_load(self, names: list[str], dies_at: int) -> None:
        """Kills a load at one of its steps, if it has so many."""
        self._check({Load(self.project, names, dies_at): names})

    @rule(names=selections, others=selections, dies_at=st.just(0) | moments)
    def load_twice_at_once(self, names: list[str], others: list[str], dies_at: int) -> None:
        """Loads in two processes, of which the first may be killed."""
        self._check({Load(self.project, names, dies_at): names, Load(self.project, others): others})

    @rule(row=rows, hours=st.sampled_from([0, 0, 20, 60]))
    def add_a_row(self, row: tuple[str, int], hours: int) -> None:
        """Adds a row at the server; of deployments also one that is older than the newest."""
        self._add(row, 1, hours if row[0] == "deployments" else 0)

    @rule(row=rows, count=st.integers(2, 2 * ROWS_OF_A_PAGE))
    def add_rows_of_one_moment(self, row: tuple[str, int], count: int) -> None:
        """Adds rows that were all created in one millisecond, be they more than a page holds."""
        self._add(row, count)

    @rule(row=rows, value=st.sampled_from(NEW_VALUES))
    def change_a_row(self, row: tuple[str, int], value: Any) -> None:
        """Changes a row at the server, and the type of one of its fields."""
        if key := self._pick(*row):
            self._change(row[0], key, {"name": f"changed {next(self.numbers)}", "new": value})
            self._announce(row[0], key)

    @rule(row=rows)
    def delete_a_row(self, row: tuple[str, int]) -> None:
        """Deletes a row at the server, which is to stay in the warehouse."""
        name, key = row[0], self._pick(*row)
        if key is None or name == "user" or len(self.api.rows(name)) == 1:
            return
        self._remember(name, lambda other: other == key)
        if name in CHILDREN:
            self._remember(CHILDREN[name], lambda other: other[0] == key[0])
        self.api.control("DELETE", f"/rows/{name}?id={key[-1]}&parent={key[0]}")
        self._announce(name, key)

    def teardown(self) -> None:
        """Loads all that the sequence played with, and holds it against the server."""
        try:
            # Of a step that failed there is nothing more to find out.
            if self.cast and sys.exc_info()[0] is None:
                self.load(self.cast)
                assert self.loaded >= set(self.cast)
                type(self).played += 1
        finally:
            self.store.drop()
            shutil.rmtree(self.folder)

    def _pick(self, name: str, place: int) -> Key | None:
        """One of the server's rows whose change is reached: of deployments, a recent one."""
        recent = {
            key[0]
            for key, row in self.api.rows("deployments").items()
            if row["created"] > self.newest - LOOK_BACK
        }
        keys = [
            key
            for key, row in sorted(self.api.rows(name).items())
            if OPERATIONS[name].id_field in row and (name not in DEPLOYMENTS or key[0] in recent)
        ]
        return keys[place % len(keys)] if keys else None

    def _add(self, row: tuple[str, int], count: int, hours: int = 0) -> None:
        name, number = row[0], next(self.numbers)
        parent = self._pick(PARENTS[name], row[1]) if name in PARENTS else ("",)
        if parent is None or name == "user":
            return
        created = self.newest + number - hours * HOUR
        self.newest = max(self.newest, created)
        operation = OPERATIONS[name]
        for place in range(count):
            fields = {operation.id_field: f"new {number} {place}", operation.created_field: created}
            if name == "projects":
                fields["updatedAt"] = created
            self.api.control("POST", f"/rows/{name}/add?parent={parent[0]}", **fields)
        self._announce(name, parent)

    def _change(self, name: str, key: Key, fields: Row) -> None:
        self.api.control("POST", f"/rows/{name}?id={key[-1]}&parent={key[0]}", set=fields)

    def _announce(self, name: str, key: Key) -> None:
        """Changes the deployment, too: events are asked for when theirs is new or changed."""
        if name == "deployment_events":
            self._change("deployments", key[:1], {"state": f"state {next(self.numbers)}"})

    def _remember(self, name: str, is_deleted: Callable[[Key], bool]) -> None:
        """Notes the stored rows that are about to be deleted at the server: they are to stay."""
        rows = self._stored(name).items()
        self.gone[name] |= {key: row for key, row in rows if is_deleted(key)}

    def _stored(self, name: str) -> dict[Key, Row]:
        try:
            return self.project.rows(name)
        except NOTHING_THERE:
            return {}

    def _check(self, loads: Mapping[Load, list[str]], broken: str = "") -> None:
        """Waits for loads, and holds what they say and what they stored against the server."""
        outcomes = {load: load.outcome() for load in loads}
        self.api.heal()
        self.maybe_loaded.update(*loads.values())
        for load, outcome in outcomes.items():
            if outcome is not None:
                for name in loads[load]:
                    self._check_said(name, loads[load], outcome, broken)
        for outcome in filter(None, outcomes.values()):
            self.loaded.update(outcome.loaded)
            for name, report in outcome.loaded.items():
                # A child that is broken may be green: a parent that answers 404 is asked for again.
                is_complete = name != broken or name not in PARENTS
                if is_complete and (name not in PARENTS or PARENTS[name] in outcome.loaded):
                    self._check_stored(name, report)

    def _check_said(self, name: str, names: list[str], outcome: Outcome, broken: str) -> None:
        parent = PARENTS.get(name)
        if name in outcome.loaded:
            assert parent is None or parent in self.maybe_loaded, f"{name} without its parent"
        elif name not in outcome.failed:
            assert parent in names, f"{name} was left out"
            assert parent not in outcome.loaded, f"{name} was left out"
        else:
            said = outcome.failed[name]
            is_orphan = parent is not None and parent not in self.loaded and parent not in names
            assert (
                (name == broken and " answered " in said)
                or (is_orphan and "was never loaded: materialize" in said)
                # All its parents were deleted, and nobody listed them since.
                or (parent not in names and "answered 404, as for each of its" in said)
            ), said

    def _check_stored(self, name: str, report: Mapping[str, Any]) -> None:
        stored, served = self._stored(name), self.api.rows(name)
        assert stored.keys() == served.keys() | self.gone[name].keys(), (
            f"{name}: {served.keys() - stored.keys()} lost, {stored.keys() - served.keys()} kept"
        )
        assert_equal({key: stored[key] for key in served}, served)
        assert {key: stored[key] for key in self.gone[name]} == self.gone[name]
        assert_deletions_are_reported(name, report, len(self.gone[name]))


def assert_deletions_are_reported(name: str, report: Mapping[str, Any], count: int) -> None:
    if ANALYTICS_API.resources[name].is_listed_in_full:
        assert report["rows_no_longer_listed"] == count


def warm_up(api: DemoApi) -> None:
    """Loads once here: what is imported now need not be imported in each fork.

    Into DuckDB: Delta's library refuses to work in a fork of a process that has used it.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = DuckDbFile.in_folder(Path(folder))
        os.environ.update(store.settings)
        Project(Path(folder), api.url).load_all(*DEPLOYMENTS)


@contextmanager
def duckdb_files() -> Iterator[MakeStore]:
    yield DuckDbFile.in_folder


@contextmanager
def postgres_databases() -> Iterator[MakeStore]:
    with running_postgres() as server:
        yield lambda _: PostgresDatabase.on(server)


@contextmanager
def delta_folders() -> Iterator[MakeStore]:
    yield DeltaFolder.in_folder


def play(stores: Callable[[], MakesStores], first_seed: int, count: int) -> int:
    """Plays so many sequences; returns how many came to their end."""
    # Dagster's log: what a load has to say, its outcome says.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    until = ["--inclusive-until"] if first_seed % 2 else []
    with running_demo_api(*TINY.split(), *until) as Loads.api, stores() as make_store:
        Loads.make_store = staticmethod(make_store)
        draw_no_pictures()
        warm_up(Loads.api)
        run_state_machine_as_test(
            seed(first_seed)(Loads),
            settings=settings(
                max_examples=count,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink],
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return Loads.played


def test_after_some_sequences_a_last_run_makes_the_warehouse_what_the_server_is() -> None:
    assert_sequences_end_well(duckdb_files, 2)


@pytest.mark.long(reason="drawn sequences")
@pytest.mark.parametrize(
    ("stores", "sequences"),
    # A load takes longer there, and what differs is less than what does not.
    [
        (duckdb_files, SEQUENCES),
        (postgres_databases, -(-SEQUENCES // 4)),
        (delta_folders, -(-SEQUENCES // 8)),
    ],
    ids=["duckdb", "postgres", "files"],
)
def test_after_any_sequence_a_last_run_makes_the_warehouse_what_the_server_is(
    stores: Callable[[], MakesStores], sequences: int
) -> None:
    assert_sequences_end_well(stores, sequences)


def assert_sequences_end_well(stores: Callable[[], MakesStores], sequences: int) -> None:
    """Plays so many sequences, by several processes."""
    # A process takes as long to begin as a sequence.
    processes = min(WORKERS, -(-sequences // 2))
    share = -(-sequences // processes)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as workers:
        seeds = range(FIRST_SEED * WORKERS, FIRST_SEED * WORKERS + processes)
        games = [workers.submit(play, stores, first_seed, share) for first_seed in seeds]
    assert sum(game.result() for game in games) >= sequences
