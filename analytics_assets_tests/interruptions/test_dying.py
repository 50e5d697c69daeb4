"""A run that is killed costs no row, whenever it dies: the next one loads what is missing."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from signal import SIGKILL

import duckdb
import pytest

from analytics_assets.resources.duckdb_file import HEADERS
from harness.demo_api import PARENTS, RESOURCES, DemoApi, Key, running_demo_api
from harness.killed import FEW_PARENTS, FILE_EVENTS, PHASES, REQUEST, Death, Outcome, Runs
from harness.project import Project, assert_equal, failures, stored_rows
from harness.scripted import Answer, scripted_api
from harness.stores import DuckDbFile, MakeStore, Row, Store, make_old
from harness.things import api_of, things

# Few rows, so that runs are short; several pages and several loads of a child all the same.
FEW_ROWS = (
    *("--projects", "4", "--variables", "2", "--members", "3", "--aliases", "15"),
    *("--deployments", "30", "--events", "3", "--max-limit", "10"),
)


@dataclass(frozen=True)
class Plan:
    """Which runs are killed, and what follows.

    Attributes:
        killed: What the runs load that are killed; nothing means everything, here and below.
        again: What the next run loads.
        changed: What changes on the server before an incremental load.
        points: Where runs are killed in each phase, in equal distances.
    """

    killed: tuple[str, ...]
    again: tuple[str, ...]
    changed: Sequence[str]
    points: int


KILLS = int(os.environ.get("KILLS", "1"))
"""Multiplies the points at which runs are killed; CI has time for some sixty of each kind."""
DEPLOYMENTS = ("deployments", "deployment_events")
PROJECTS = ("projects", "environments")
PLANS = [
    Plan(("deployments",), again=DEPLOYMENTS, changed=DEPLOYMENTS, points=2 * KILLS),
    Plan(("deployment_events",), again=("deployment_events",), changed=(), points=KILLS),
    Plan(PROJECTS, again=PROJECTS, changed=PROJECTS, points=KILLS),
    Plan((), again=(), changed=RESOURCES, points=0),
]
PLANS_ELSEWHERE = [
    Plan(("deployments",), again=DEPLOYMENTS, changed=DEPLOYMENTS, points=KILLS),
    Plan(("deployment_events",), again=("deployment_events",), changed=(), points=KILLS),
]
"""Where a load takes longer: what differs there is less than what does not."""

# Runs of everything are long: one is killed in each phase, each the next run after another one.
THREE_IN_A_ROW = [
    Death("extract", 100, waits=False),
    Death("normalize", 150, waits=True),
    Death("load", 20, waits=False),
]

# When the rows of a load are committed, and the load is not yet recorded.
BEFORE_A_RECORD = ('INSERT INTO "analytics"."_dlt_loads"', "os.rename _dlt_loads")
RECORDS = ("INSERT", "os.rename")
"""How they begin."""


@dataclass(frozen=True)
class Scene:
    """Where the runs of a plan start, each attempt in a folder of its own, and where they arrive.

    Attributes:
        plan: The plan.
        runs: The processes.
        url: The API.
        folder: Holds the attempts' folders.
        make: Makes the warehouse that the first run of an attempt finds.
        served: The rows the warehouse is to hold in the end, by resource.
    """

    plan: Plan
    runs: Runs
    url: str
    folder: Path
    make: MakeStore
    served: Mapping[str, Mapping[Key, Row]]
    stores: dict[str, Store] = field(default_factory=dict)

    @property
    def after(self) -> Store:
        """The warehouse that a run leaves which is not killed."""
        return self.stores["whole"]

    def attempts(self) -> list[list[Death]]:
        """Where to kill: moments spread over each phase, a request, and each load's record."""
        if not self.plan.points:
            return [THREE_IN_A_ROW]
        whole = self._run("whole", *self.plan.killed)
        assert whole.code == 0, whole.failures
        chosen = []
        for phase, moments in whole.moments.items():
            eves = [n for n, what in enumerate(moments, 1) if what.startswith(BEFORE_A_RECORD)]
            requests = [n for n, what in enumerate(moments, 1) if what == REQUEST]
            eves += requests[len(requests) // 2 :][:1]
            others = [n for n in range(1, len(moments) + 1) if n not in eves]
            distance = len(others) // (self.plan.points + 1)
            spread = others[distance::distance][: self.plan.points]
            chosen += [(phase, moment) for moment in spread + eves]
        return [
            [Death(phase, moment, waits=number % 2 == 0)]
            for number, (phase, moment) in enumerate(chosen)
        ]

    def play(self, deaths: Sequence[Death]) -> list[str]:
        """Kills runs, then loads again, at times after a run of a child alone.

        Returns:
            What each run was killed before: the first word of it, for each phase.

        Raises:
            AssertionError: If the last run fails or leaves another warehouse than it should.
        """
        attempt = "_".join(f"{death.phase}{death.moment}" for death in deaths)
        struck = []
        for death in deaths:
            died = self._run(attempt, *self.plan.killed, death=death)
            assert died.code == -SIGKILL, (death, died)
            struck.append(f"{death.phase}: {died.struck.partition(' ')[0]}")
        where = f"{self.plan} killed at {deaths}, before {died.struck!r}"
        if "deployments" in self.plan.changed and death.waits:
            child = self._run(attempt, "deployment_events")
            assert all("was never loaded" in said for said in child.failures.values()), where
        again = self._run(attempt, *self.plan.again)
        assert again.code == 0, f"{where}: {again.failures}"
        for resource, rows in self.served.items():
            try:
                assert_equal(stored_rows(self.stores[attempt], resource), rows)
            except AssertionError as error:
                raise AssertionError(f"{where}: {resource}: {error}") from error
        self.stores[attempt].drop()
        shutil.rmtree(self.folder / attempt)
        return struck

    def _run(self, attempt: str, *names: str, death: Death | None = None) -> Outcome:
        folder = self.folder / attempt
        if not folder.exists():
            folder.mkdir(parents=True)
            self.stores[attempt] = self.make(folder)
        return self.runs.run(folder, self.url, *names, death=death, store=self.stores[attempt])


def first_loads(
    plans: Sequence[Plan], runs: Runs, folder: Path, api: DemoApi, make: MakeStore
) -> Iterator[Scene]:
    """Each plan's resources into a warehouse that lacks them, everything into none."""
    before, served = make, dict[str, Mapping[Key, Row]]()
    for number, plan in enumerate(plans):
        served |= {name: api.rows(name) for name in plan.again or RESOURCES}
        if not plan.killed:
            before = make
        scene = Scene(plan, runs, api.url, folder / str(number), before, served)
        yield scene
        if plan.points:
            before = scene.after.copy


def incremental_loads(
    plans: Sequence[Plan], runs: Runs, folder: Path, api: DemoApi, make: MakeStore
) -> Iterator[Scene]:
    """Each plan's resources into a complete warehouse, after changes on the server."""
    (folder / "before").mkdir()
    complete = make(folder / "before")
    assert runs.run(folder / "before", api.url, store=complete).code == 0
    before = complete.copy
    for number, plan in enumerate(plans):
        for name in plan.changed:
            change(api, name)
        served = {name: api.rows(name) for name in RESOURCES}
        scene = Scene(plan, runs, api.url, folder / str(number), before, served)
        yield scene
        if plan.points:
            before = scene.after.copy


def change(api: DemoApi, name: str) -> None:
    """Gives the newest row, and its parent, a new field; adds deployments for two loads."""
    key = next(iter(api.rows(name)))
    new_field = {"appeared": "text"}
    if name in PARENTS:
        api.control("POST", f"/rows/{PARENTS[name]}?id={key[0]}", set=new_field)
        api.control("POST", f"/rows/{name}?parent={key[0]}", set=new_field)
    else:
        api.control("POST", f"/rows/{name}?id={key[0]}", set=new_field)
    if name == "deployments":
        api.add_deployments(FEW_PARENTS.parents_per_load + 1)


def test_a_kill_in_each_phase_costs_no_row(tmp_path: Path, runs: Runs) -> None:
    plan = Plan(("deployments",), again=DEPLOYMENTS, changed=(), points=1)
    with running_demo_api(*FEW_ROWS) as api, ThreadPoolExecutor(os.cpu_count()) as pool:
        served = {name: api.rows(name) for name in DEPLOYMENTS}
        scene = Scene(plan, runs, api.url, tmp_path, DuckDbFile.in_folder, served)
        killed = Counter(chain.from_iterable(pool.map(scene.play, scene.attempts())))
    for phase in PHASES:
        assert any(what.startswith(phase) for what in killed), killed
    assert killed[f"extract: {REQUEST}"], killed
    assert any(killed[f"load: {what}"] for what in RECORDS), killed


@pytest.mark.long(reason="runs that are stopped or killed")
@pytest.mark.parametrize("scenes", [first_loads, incremental_loads])
def test_after_a_kill_at_any_moment_the_next_run_loads_everything(
    tmp_path: Path,
    runs: Runs,
    make_store: MakeStore,
    scenes: Callable[[Sequence[Plan], Runs, Path, DemoApi, MakeStore], Iterator[Scene]],
) -> None:
    plans = PLANS if make_store == DuckDbFile.in_folder else PLANS_ELSEWHERE
    killed: Counter[str] = Counter()
    with running_demo_api(*FEW_ROWS) as api, ThreadPoolExecutor(os.cpu_count()) as pool:
        for scene in scenes(plans, runs, tmp_path, api, make_store):
            attempts = scene.attempts()
            killed.update(chain.from_iterable(pool.map(scene.play, attempts)))
    least = min(len(plans), 3)
    assert killed.total() >= 5 * len(plans) - 2, killed
    for phase in PHASES:
        assert sum(n for what, n in killed.items() if what.startswith(phase)) >= least, killed
    assert killed[f"extract: {REQUEST}"] >= least, killed
    for phase in ("extract", "normalize"):
        assert any(killed[f"{phase}: {event}"] for event in ("open", *FILE_EVENTS)), killed
    assert sum(killed[f"load: {what}"] for what in RECORDS) >= least, killed


def test_what_undeclared_fields_hold_outlives_a_first_load_that_was_not_recorded(
    tmp_path: Path,
) -> None:
    rows: list[Row] = [{"id": "a", "fresh": "kept", "password": "secret"}, {"id": "b"}]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        project = Project(tmp_path, api.url, api_of(things()))
        project.load_all("things")
        with duckdb.connect(str(project.file)) as connection:
            connection.execute("DELETE FROM analytics._dlt_loads")
        project.load_all("things")
        del rows[0]
        project.load_all("things")
    (gone,) = project.query("SELECT * FROM analytics.things WHERE _deleted_at IS NOT NULL")
    assert gone["fresh"] == "kept"
    check = "secrets_are_decided"
    assert not project.check("things", check)[check].passed


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("size", [0, 4096, HEADERS - 4096])
def test_a_file_that_a_dying_run_left_half_made_is_made_anew(
    project: Project, demo_api: DemoApi, size: int
) -> None:
    duckdb.connect(str(project.file)).close()
    os.truncate(project.file, size)
    make_old(project.file)
    project.load_all("user")
    assert_equal(project.rows("user"), demo_api.rows("user"))


def test_a_file_that_is_no_warehouse_is_left_alone(project: Project) -> None:
    project.file.write_text("somebody's")
    make_old(project.file)
    assert "is no DuckDB file, and was left as it is" in failures(project.load("user"))["user"]
    assert project.file.read_text() == "somebody's"
