"""Fixtures: each test has a folder, a warehouse, settings and a demo API of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_assets_tests.killed import Runs, running
from analytics_assets_tests.support import DemoApi, Project, running_demo_api


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test, and no test writes outside its folder."""
    for name in list(os.environ):
        if name.startswith(("ANALYTICS_", "DESTINATION__", "DAGSTER_")) or name == "ACCESS_TOKEN":
            monkeypatch.delenv(name)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def demo_api() -> Iterator[DemoApi]:
    """A demo API that the test may change."""
    with running_demo_api() as api:
        yield api


@pytest.fixture
def project(tmp_path: Path, demo_api: DemoApi) -> Project:
    """The project, pointed at the test's demo API."""
    return Project(tmp_path, demo_api.url)


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    """Processes to run the project in, one for each core."""
    with running(os.cpu_count() or 1) as runs:
        yield runs
