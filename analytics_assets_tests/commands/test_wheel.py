"""The wheel, installed into an empty environment, works where there is no clone of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.commands import MATERIALIZE
from harness.demo_api import DemoApi, settings_of
from harness.processes import REPOSITORY
from harness.project import Project, assert_everything_equal

# As each load finds them, once it has opened the warehouse.
DLT_SETTINGS = """
import dagster, dlt
from analytics_assets.resources import Warehouse
with Warehouse().opened(dagster.get_dagster_logger()):
    telemetry = dlt.current.run_context().runtime_config.dlthub_telemetry
    print(telemetry, dlt.config.get("normalize.parquet_normalizer.add_dlt_load_id"))
"""

pytestmark = pytest.mark.long(reason="installations")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what it is made of: a build leaves files beside it."""
    sources = tmp_path_factory.mktemp("sources")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, sources)
    for name in ("analytics_assets", "analytics_assets_tests", "benchmarks", "harness"):
        shutil.copytree(
            REPOSITORY / name, sources / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    _run(sys.executable, "-m", "build", "--wheel", str(sources), cwd=sources)
    (built,) = (sources / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Path]:
    """A virtual environment that holds the wheel and what it needs: hundreds of megabytes."""
    folder = tmp_path_factory.mktemp("environment")
    uv = [sys.executable, "-m", "uv", "--quiet"]
    _run(*uv, "venv", "--clear", "--python", sys.executable, str(folder), cwd=folder)
    constraints = str(REPOSITORY / "constraints.txt")
    install = [*uv, "pip", "install", "--python", str(folder), "--constraint", constraints]
    _run(*install, str(wheel), cwd=folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def installed(environment: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs a program of that environment in a folder that holds a `workspace.yaml` alone."""
    folder = tmp_path / "anywhere"
    folder.mkdir()
    shutil.copy(REPOSITORY / "workspace.yaml", folder)

    def run(program: str, *arguments: str, **settings: str) -> str:
        return _run(str(environment / "bin" / program), *arguments, cwd=folder, **settings)

    return run


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    package, version, *_ = wheel.name.split("-")
    described = f"{package}-{version}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"analytics_assets", described}
    # A hidden file would be a setting, or a secret.
    assert not [name for name in names if "/." in name or name.endswith((".env", ".toml"))]


def test_it_loads_wherever_it_is_installed(
    environment: Path, installed: Callable[..., str], tmp_path: Path, demo_api: DemoApi
) -> None:
    place = installed("python", "-c", "import analytics_assets; print(analytics_assets.__file__)")
    assert Path(place.strip()).is_relative_to(environment)
    settings = settings_of(demo_api)
    installed("dagster", "definitions", "validate", "-w", "workspace.yaml", **settings)
    installed("dagster", *MATERIALIZE, "+analytics/environments", **settings)
    project = Project(tmp_path, demo_api.url)
    assert_everything_equal(project, demo_api, "projects", "environments")


def test_dlt_is_set_as_it_is_in_a_clone(
    installed: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests' own setting. Nothing is loaded here that dlt could report.
    monkeypatch.delenv("RUNTIME__DLTHUB_TELEMETRY")
    own = _run(sys.executable, "-c", DLT_SETTINGS, cwd=REPOSITORY)
    assert own.split() == ["False", "True"]
    assert installed("python", "-c", DLT_SETTINGS) == own


def _run(*command: str, cwd: Path, **settings: str) -> str:
    """What a program prints, started as if there were no clone; fails the test if it fails."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout
