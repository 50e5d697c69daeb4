"""Fixtures: each test has a folder, a warehouse, settings, and an API that begins anew."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_assets.assets import load
from analytics_assets.pictures import draw_pictures
from harness.demo_api import SMALL, DemoApi, running_demo_api
from harness.killed import Runs, running
from harness.postgres import PostgresServer, running_postgres
from harness.project import FirstLoad, Project, draw_no_pictures
from harness.stores import (
    DeltaFolder,
    DuckDbFile,
    MakeStore,
    PostgresDatabase,
    Store,
    choose,
)


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test, and no test writes outside its folder."""
    for name in list(os.environ):
        if (
            name.startswith(("ANALYTICS_", "DESTINATION__", "DAGSTER_", "CELERY_"))
            or name == "ACCESS_TOKEN"
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def log_levels() -> Iterator[None]:
    """The levels of logs that a run sets in a test are not those of the next one."""
    loggers = [logging.getLogger(), logging.getLogger("dlt")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="session", autouse=True)
def no_pictures() -> None:
    """Loads in this process draw no pictures, but for the tests of those."""
    draw_no_pictures()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads draw pictures."""
    monkeypatch.setattr(load, "draw_pictures", draw_pictures)


@pytest.fixture(scope="session")
def demo_server() -> Iterator[DemoApi]:
    """The demo API of a process of tests: one takes a second to start."""
    with running_demo_api(*SMALL) as api:
        yield api


@pytest.fixture
def demo_api(demo_server: DemoApi) -> DemoApi:
    """A demo API that the test may change: it begins anew with each."""
    demo_server.reset()
    return DemoApi(demo_server.url)


@pytest.fixture
def project(tmp_path: Path, demo_api: DemoApi) -> Project:
    """The project, pointed at the test's demo API."""
    return Project(tmp_path, demo_api.url)


@pytest.fixture(scope="session")
def first_load(tmp_path_factory: pytest.TempPathFactory, demo_server: DemoApi) -> FirstLoad:
    """A load of all that the demo API begins with, of which tests take copies."""
    folder = tmp_path_factory.mktemp("first_load")
    demo_server.reset()
    with pytest.MonkeyPatch.context() as monkeypatch:
        choose(DuckDbFile.in_folder(folder), monkeypatch)
        return FirstLoad.into(folder, demo_server)


@pytest.fixture
def all_loaded(tmp_path: Path, first_load: FirstLoad) -> FirstLoad:
    """The test's DuckDB file holds all that the demo API begins with."""
    first_load.project.store.copy(tmp_path)
    return first_load


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server, for tests that make a database each."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> PostgresDatabase:
    """An empty database that the settings name."""
    database = PostgresDatabase.on(postgres)
    choose(database, monkeypatch)
    return database


@pytest.fixture(params=["duckdb", "postgres", "files"])
def make_store(request: pytest.FixtureRequest) -> MakeStore:
    """What makes an empty warehouse, of each kind in turn."""
    if request.param == "duckdb":
        return DuckDbFile.in_folder
    if request.param == "files":
        return DeltaFolder.in_folder
    server: PostgresServer = request.getfixturevalue("postgres")
    return lambda _: PostgresDatabase.on(server)


@pytest.fixture
def store(make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty warehouse that the settings name, of each kind in turn."""
    store = make_store(tmp_path)
    choose(store, monkeypatch)
    return store


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    """Processes to run the project in, one for each core."""
    with running(os.cpu_count() or 1) as runs:
        yield runs
