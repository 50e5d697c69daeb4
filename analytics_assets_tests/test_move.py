"""A grown DuckDB warehouse moves to another destination; the next run there is incremental."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from analytics_assets.configuration import ANALYTICS
from analytics_assets.configuration.lineage import is_listed_in_full
from analytics_assets.resources import Warehouse
from analytics_assets.source import fan_out
from analytics_assets.source.columns import LOAD_ID
from analytics_assets.source.stored import count_no_longer_listed
from analytics_assets_tests.bookshop import BOOKSHOP, open_bookshop
from analytics_assets_tests.bookshop import TOKEN as BOOKSHOP_TOKEN
from analytics_assets_tests.demo_api.server import REPOSITORY
from analytics_assets_tests.stores import (
    WAREHOUSE,
    DeltaFolder,
    PostgresDatabase,
    Row,
    Store,
    choose,
)
from analytics_assets_tests.support import (
    PARENTS,
    RESOURCES,
    DemoApi,
    Project,
    assert_equal,
    metadata,
    running_demo_api,
)


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


@pytest.mark.long
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
    assert count_no_longer_listed(Warehouse().open_dataset, "projects") == 1
    assert {child: asked_alone(project, demo_api, child) for child in PARENTS} == asked_before
    demo_api.add_deployments()
    with demo_api.counted() as asked:
        result = project.load()
    assert result.success
    assert asked["deployment_events"] == 1
    assert all(metadata(result, name)["rows_changed"] == 0 for name in RESOURCES)
    assert gone in project.rows("projects")


def asked_alone(project: Project, api: DemoApi, child: str) -> int:
    """The requests of a child that is loaded without its parent."""
    with api.counted() as asked:
        project.load_all(child)
    return asked.get(child, 0)


def comparable(name: str, row: Row) -> Row:
    """A row; of a listing without its load, for a move is a load of its own."""
    is_listed = is_listed_in_full(ANALYTICS, name)
    return {field: value for field, value in row.items() if not (is_listed and field == LOAD_ID)}


def test_a_fan_out_goes_on_after_a_move_where_it_was(
    tmp_path: Path,
    target: Store,
    choose_target: Choose,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fan_out, "PARENTS_PER_LOAD", 10)
    with running_demo_api("--deployments", "60") as api:
        grown = Project(tmp_path, api.url)
        grown.load_all("deployments")
        api.fail("deployment_events", "status", status=403, after=25, times=None)
        assert not grown.load("deployment_events").success
        api.heal()
        assert run_move(grown.file).returncode == 0
        choose_target()
        project = Project(tmp_path, api.url, store=target)
        assert asked_alone(project, api, "deployment_events") == 60 - 25
        assert_equal(project.rows("deployment_events"), api.rows("deployment_events"))


@pytest.mark.long
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
        grown = Project(tmp_path, shop.url, BOOKSHOP, access_token=BOOKSHOP_TOKEN)
        grown.load_all("authors", "orders")
    moved = run_move(grown.file, "--configuration", "analytics_assets_tests.bookshop:BOOKSHOP")
    assert moved.stdout.splitlines() == [
        f"authors: {len(shop.authors)} rows",
        f"orders: {len(shop.orders)} rows",
    ]
    stored = target.query("select order_no from analytics.orders")
    assert {row["order_no"] for row in stored} == set(shop.orders)
    unknown = run_move(grown.file, "--configuration", "analytics_assets_tests.bookshop:SHOP")
    assert "has no attribute 'SHOP'" in unknown.stderr


def test_what_cannot_be_moved_is_said(tmp_path: Path, target: Store) -> None:
    missing = run_move(tmp_path / "none.duckdb")
    assert missing.stderr.strip().endswith("name the DuckDB file to move.")
    duckdb.connect(str(tmp_path / "empty.duckdb")).close()
    assert "holds none of the tables" in run_move(tmp_path / "empty.duckdb").stderr
    (tmp_path / ".env").unlink()
    (tmp_path / "some.duckdb").touch()
    assert "name the new one" in run_move(tmp_path / "some.duckdb").stderr
