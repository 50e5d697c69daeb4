"""A grown DuckDB warehouse moves to another destination; the next run there is incremental."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from analytics_assets.resources import Warehouse
from analytics_assets.source.columns import DELETED_AT, LOAD_ID
from analytics_assets.source.limits import Limits
from analytics_assets.source.stored import count_deleted
from harness.bookshop import BOOKSHOP_API, open_bookshop
from harness.bookshop import TOKEN as BOOKSHOP_TOKEN
from harness.configurations import ANALYTICS_API
from harness.demo_api import PARENTS, RESOURCES, DemoApi, running_demo_api
from harness.earlier import leave_behind, without_marks
from harness.postgres import PostgresServer
from harness.processes import REPOSITORY
from harness.project import Project, assert_equal, metadata, stored_rows
from harness.stores import WAREHOUSE, DeltaFolder, DuckDbFile, PostgresDatabase, Row, Store, choose


def run_move(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "analytics_assets.move", str(file), *options]
    # As from the folder of a user's own configuration.
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


Choose = Callable[[], None]


@pytest.fixture(params=["postgres", "files"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty warehouse that `.env` names, of each kind in turn."""
    target: Store = DeltaFolder.in_folder(tmp_path)
    if request.param == "postgres":
        target = PostgresDatabase.on(request.getfixturevalue("postgres"))
    settings = [f"{name}={value}" for name, value in target.settings.items()]
    (tmp_path / ".env").write_text("\n".join(settings))
    return target


@pytest.fixture
def choose_target(target: Store, monkeypatch: pytest.MonkeyPatch) -> Choose:
    """What lets the settings of this process name it, too."""
    return lambda: choose(target, monkeypatch)


def test_a_moved_warehouse_is_the_same_and_its_next_run_incremental(
    tmp_path: Path, demo_api: DemoApi, target: Store, choose_target: Choose
) -> None:
    grown = Project(tmp_path, demo_api.url)
    grown.load_all()
    (gone, *_) = demo_api.rows("projects")
    (changed, *_) = demo_api.rows("aliases")
    demo_api.control("DELETE", f"/rows/projects?id={gone[0]}")
    demo_api.control("POST", f"/rows/aliases?id={changed[0]}", set={"new": [1]})
    demo_api.add_deployments(3)
    grown.load_all()
    before = {name: grown.rows(name) for name in RESOURCES}
    asked_before = {child: asked_alone(grown, demo_api, child) for child in PARENTS}

    for _ in range(2):
        moved = run_move(grown.file)
        assert moved.returncode == 0, moved.stderr[-2000:]
        assert len(moved.stdout.splitlines()) == len(RESOURCES)
        assert not moved.stderr

    choose_target()
    project = Project(tmp_path, demo_api.url, store=target)
    for name, rows in before.items():
        stored = project.rows(name)
        assert stored.keys() == rows.keys()
        for key, row in rows.items():
            assert comparable(name, stored[key]) == comparable(name, row), (name, key)
    assert count_deleted(Warehouse().open_dataset, "projects") == 1
    assert {child: asked_alone(project, demo_api, child) for child in PARENTS} == asked_before
    demo_api.add_deployments()
    with demo_api.counted() as asked:
        result = project.load()
    assert result.success
    # Those of the new one, and of the three that have ended within the hour, again.
    assert asked["deployment_events"] == 1 + 3
    assert all(metadata(result, name)["rows_changed"] == 0 for name in RESOURCES)
    assert gone in project.rows("projects")


def test_rows_that_an_earlier_version_found_gone_are_marked_where_they_move_to(
    tmp_path: Path,
    demo_api: DemoApi,
    target: Store,
    choose_target: Choose,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grown = Project(tmp_path, demo_api.url)
    with without_marks(monkeypatch):
        grown.load_all("projects", "environments")
    (gone, *listed) = demo_api.rows("projects")
    demo_api.control("DELETE", f"/rows/projects?id={gone[0]}")
    leave_behind(DuckDbFile(grown.file), "projects", "id", [gone])
    leave_behind(DuckDbFile(grown.file), "environments", "_projects_id", [gone])
    assert run_move(grown.file).returncode == 0

    choose_target()
    project = Project(tmp_path, demo_api.url, store=target)
    assert asked_alone(project, demo_api, "environments") == len(listed)
    project.load_all("projects")
    for name, column in {"projects": "id", "environments": "_projects_id"}.items():
        marked = {row[column] for row in project.rows(name).values() if DELETED_AT in row}
        assert marked == {gone[0]}, name


def asked_alone(project: Project, api: DemoApi, child: str) -> int:
    """The requests of a child that is loaded without its parent."""
    with api.counted() as asked:
        project.load_all(child)
    return asked.get(child, 0)


def comparable(name: str, row: Row) -> Row:
    """A row; of a listing without its load, for a move is a load of its own."""
    is_listed = ANALYTICS_API.resources[name].is_listed_in_full
    return {field: value for field, value in row.items() if not (is_listed and field == LOAD_ID)}


def test_a_second_move_leaves_what_was_loaded_there_alone(
    tmp_path: Path, demo_api: DemoApi, target: Store, choose_target: Choose
) -> None:
    """Rows and places of an incremental, a listed and an empty table are what they were."""
    names = ["deployments", "aliases", "auth_tokens", "teams"]
    grown = Project(tmp_path, demo_api.url)
    for (own,) in demo_api.rows("auth_tokens"):
        demo_api.control("DELETE", f"/rows/auth_tokens?id={own}")
    grown.load_all(*names)
    assert run_move(grown.file).returncode == 0

    # The file may grow, and move once more, as long as nothing was loaded there.
    (first,) = demo_api.add_deployments()
    grown.load_all("deployments")
    assert run_move(grown.file).returncode == 0

    choose_target()
    project = Project(tmp_path, demo_api.url, store=target)
    demo_api.add_deployments(2)
    ((renamed,), *_) = demo_api.rows("aliases")
    demo_api.control("POST", f"/rows/aliases?id={renamed}", set={"alias": "new.example"})
    project.load_all("deployments", "aliases", "auth_tokens")
    before = {name: project.rows(name) for name in names}
    assert (first,) in before["deployments"]

    refused = run_move(grown.file)
    assert refused.returncode == 1
    assert not refused.stdout
    assert re.fullmatch(
        r"Nothing was moved, for the new warehouse holds what is not from this file: deployments "
        r"\(loaded at [\d: -]+ UTC, 2 rows\), aliases \(loaded at [\d: -]+ UTC, 1 row\); "
        r"add --overwrite to let the file's rows replace it\.\n",
        refused.stderr,
    )
    assert {name: project.rows(name) for name in names} == before

    assert run_move(grown.file, "--overwrite").returncode == 0
    alias = project.rows("aliases")[(renamed,)]["alias"]
    assert alias != "new.example"
    assert run_move(grown.file).returncode == 0, "what was insisted on is not asked once more"


def test_a_file_does_not_overwrite_what_another_project_has_loaded(
    tmp_path: Path, demo_api: DemoApi, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another project's loads, nor what another file has moved there."""
    files = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        files.append(tmp_path / name / WAREHOUSE)
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(files[-1]))
        Project(tmp_path / name, demo_api.url).load_all("teams", "deployments")
    one, other = files
    assert run_move(one).returncode == 0
    refused = run_move(other)
    assert refused.returncode == 1
    count = len(demo_api.rows("deployments"))
    assert re.search(rf"deployments \(.*, {count} rows\)", refused.stderr)
    assert re.search(r"teams \(.*, 3 rows\)", refused.stderr)
    assert run_move(one).returncode == 0


def test_a_file_does_not_overwrite_rows_of_a_load_that_was_not_recorded(
    tmp_path: Path, demo_api: DemoApi, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = Project(tmp_path, demo_api.url)
    grown.load_all("aliases")
    target = PostgresDatabase.on(postgres)
    monkeypatch.setenv("ANALYTICS_DESTINATION", "postgres")
    monkeypatch.setenv(*list(target.settings.items())[1])
    assert run_move(grown.file).returncode == 0
    ((renamed,), *_) = demo_api.rows("aliases")
    demo_api.control("POST", f"/rows/aliases?id={renamed}", set={"alias": "new.example"})
    Project(tmp_path, demo_api.url, store=target).load_all("aliases")
    target.run(
        "DELETE FROM analytics._dlt_loads WHERE load_id = (SELECT max(_dlt_load_id) FROM "
        "analytics.aliases)"
    )
    refused = run_move(grown.file)
    assert refused.returncode == 1, refused.stdout
    assert "holds what is not from this file: aliases (1 row)" in refused.stderr
    assert stored_rows(target, "aliases")[(renamed,)]["alias"] == "new.example"


def test_a_move_that_dies_is_completed_by_the_same_command(
    tmp_path: Path, demo_api: DemoApi, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies after the rows are there, before dlt has recorded that they are."""
    grown = Project(tmp_path, demo_api.url)
    grown.load_all("teams", "aliases")
    script = tmp_path / "dying.py"
    script.write_text(DIES_BEFORE_IT_IS_RECORDED)
    died = subprocess.run(
        [sys.executable, str(script), str(grown.file)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert died.returncode == 9, died.stderr
    assert len(target.query("select id from analytics.teams")) == 3
    completed = run_move(grown.file)
    assert completed.stdout.splitlines() == ["teams: 3 rows", "aliases: 60 rows"], completed.stderr
    assert_equal(stored_rows(target, "teams"), demo_api.rows("teams"))


DIES_BEFORE_IT_IS_RECORDED = """
import os
from dlt.load import Load

Load.complete_package = lambda *_, **__: os._exit(9)

from analytics_assets.move import main

main()
"""


def test_what_was_accepted_moves_too(
    tmp_path: Path, demo_api: DemoApi, target: Store, choose_target: Choose
) -> None:
    grown = Project(tmp_path, demo_api.url, most_rows_gone=1.0)
    grown.load_all("teams", "teams_member")
    for (own,) in demo_api.rows("teams"):
        demo_api.control("DELETE", f"/rows/teams?id={own}")
    grown.load_all("teams", "teams_member")
    assert grown.accept().success
    assert run_move(grown.file).returncode == 0
    choose_target()
    project = Project(tmp_path, demo_api.url, store=target)
    project.load_all("teams", "teams_member")
    for name in ("teams", "teams_member"):
        assert all(found.passed for found in project.check(name).values())


def test_a_fan_out_goes_on_after_a_move_where_it_was(
    tmp_path: Path,
    target: Store,
    choose_target: Choose,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_demo_api("--deployments", "60") as api:
        grown = Project(tmp_path, api.url, limits=Limits(parents_per_load=10))
        grown.load_all("deployments")
        api.fail("deployment_events", "status", status=403, after=25, times=None)
        assert not grown.load("deployment_events").success
        api.heal()
        assert run_move(grown.file).returncode == 0
        choose_target()
        project = Project(tmp_path, api.url, store=target)
        assert asked_alone(project, api, "deployment_events") == 60 - 25
        assert_equal(project.rows("deployment_events"), api.rows("deployment_events"))


def test_empty_tables_and_their_places_move_too(
    tmp_path: Path, target: Store, choose_target: Choose
) -> None:
    with running_demo_api("--deployments", "8", "--events", "0", "--projects", "0") as api:
        Project(tmp_path, api.url).load_all()
        moved = run_move(tmp_path / WAREHOUSE)
        assert "projects: 0 rows" in moved.stdout
        choose_target()
        project = Project(tmp_path, api.url, store=target)
        assert asked_alone(project, api, "deployment_events") == 0
        assert asked_alone(project, api, "environments") == 0


def test_the_character_that_postgresql_refuses_is_replaced(
    tmp_path: Path, demo_api: DemoApi, target: Store
) -> None:
    grown = Project(tmp_path, demo_api.url)
    grown.load_all("teams")
    with duckdb.connect(str(grown.file)) as connection:
        connection.execute("update analytics.teams set name = 'a' || chr(0) || '\\u0000'")
    assert run_move(grown.file).returncode == 0
    names = {row["name"] for row in target.query("select name from analytics.teams")}
    assert names == {"a\N{REPLACEMENT CHARACTER}\\u0000"}


def test_another_api_moves_by_its_own_configuration(tmp_path: Path, target: Store) -> None:
    with open_bookshop() as shop:
        grown = Project(tmp_path, shop.url, BOOKSHOP_API, access_token=BOOKSHOP_TOKEN)
        grown.load_all("authors", "orders")
    moved = run_move(grown.file, "--configuration", "harness.bookshop:BOOKSHOP")
    assert moved.stdout.splitlines() == [
        f"authors: {len(shop.authors)} rows",
        f"orders: {len(shop.orders)} rows",
    ]
    stored = target.query("select order_no from analytics.orders")
    assert {row["order_no"] for row in stored} == set(shop.orders)
    unknown = run_move(grown.file, "--configuration", "harness.bookshop:SHOP")
    assert "has no attribute 'SHOP'" in unknown.stderr


def test_what_cannot_be_moved_is_said(tmp_path: Path, target: Store) -> None:
    missing = run_move(tmp_path / "none.duckdb")
    assert missing.stderr.strip().endswith("name the DuckDB file to move.")
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    assert "holds none of the tables" in run_move(tmp_path / "empty.duckdb").stderr
    (tmp_path / ".env").unlink()
    (tmp_path / "some.duckdb").touch()
    assert "name the new one" in run_move(tmp_path / "some.duckdb").stderr
