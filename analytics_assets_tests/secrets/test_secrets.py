"""No load leaves a secret behind: no token, no value of an environment variable, no password."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import dlt
import duckdb
import pytest
from dagster import DagsterInstance
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from dlt.common.configuration.container import Container
from dlt.common.configuration.providers.vault import VaultDocProvider
from dlt.common.configuration.specs import PluggableRunContext
from dlt.pipeline.exceptions import PipelineStepFailed

from analytics_assets.configuration import ANALYTICS
from analytics_assets.definitions import build_definitions
from analytics_assets.resources import AnalyticsApi, Warehouse, warehouse
from harness.canaries import CANARY, PASSWORD, TOKEN, VALUE_PREFIX, command_lines, leaks, reveals
from harness.commands import MATERIALIZE
from harness.demo_api import DemoApi, running_demo_api
from harness.processes import moments
from harness.project import Project, failures

# Every library's debug log, and all of them in Dagster's own events besides.
DAGSTER_YAML = """
telemetry:
  enabled: false
python_logs:
  managed_python_loggers: [root]
  python_log_level: DEBUG
"""


def write_snapshot(path: Path) -> None:
    """As Dagster keeps its snapshots."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table snapshots (body blob)")
        database.execute("insert into snapshots values (?)", [zlib.compress(TOKEN.encode())])


def write_state(path: Path) -> None:
    """As dlt keeps its state."""
    state = b64encode(zlib.compress(json.dumps({"token": TOKEN}).encode())).decode()
    with duckdb.connect(str(path)) as warehouse:
        warehouse.execute("create table _dlt_pipeline_state as select ? as state", [state])


def write_parquet(path: Path) -> None:
    """As dlt hands rows over to the warehouse, but compressed harder."""
    with duckdb.connect() as writer:
        rows = f"select md5(i::text) || '{TOKEN}' as value from range(9) as numbers(i)"  # noqa: S608
        writer.execute(f"copy ({rows}) to '{path}' (format parquet, compression zstd)")


@pytest.mark.parametrize(
    "hide",
    [
        lambda path: path.write_text(f'{{"url": "http://host/?token={TOKEN}"}}'),
        lambda path: path.write_text(TOKEN, encoding="utf-16"),
        lambda path: path.write_bytes(b"Basic " + b64encode(f"user:{TOKEN}".encode())),
        lambda path: path.write_bytes(urlsafe_b64encode(gzip.compress(TOKEN.encode()))),
        lambda path: path.write_bytes(gzip.compress(pickle.dumps({"token": TOKEN}))),
        lambda path: path.write_bytes(gzip.compress(TOKEN.encode() * 9)[:-9]),
        write_snapshot,
        write_state,
        write_parquet,
    ],
)
def test_a_secret_is_found_wherever_it_hides(tmp_path: Path, hide: Callable[[Path], None]) -> None:
    (tmp_path / "harmless").write_text("token")
    hide(tmp_path / "file")
    assert leaks(tmp_path) == ["file"]


@pytest.fixture
def secretive_api() -> Iterator[DemoApi]:
    """A demo API whose token, and whose values of environment variables, are canaries."""
    with running_demo_api("--token", TOKEN, "--secret-prefix", VALUE_PREFIX) as api:
        yield replace(api, token=TOKEN)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything is found that a run writes, with all debug logs on."""
    left = tmp_path / "left"
    for name, setting in {"home": "HOME", "dagster": "DAGSTER_HOME", "tmp": "TMPDIR"}.items():
        (left / name).mkdir(parents=True)
        monkeypatch.setenv(setting, str(left / name))
    (left / "dagster" / "dagster.yaml").write_text(DAGSTER_YAML)
    monkeypatch.setenv("RUNTIME__LOG_LEVEL", "DEBUG")
    monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(left / "warehouse.duckdb"))
    return left


@pytest.fixture(params=["environment", "secrets.toml"])
def given_token(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token, given in one of two ways."""
    if request.param == "environment":
        monkeypatch.setenv("ACCESS_TOKEN", TOKEN)
    else:
        (tmp_path / ".dlt").mkdir()
        (tmp_path / ".dlt" / "secrets.toml").write_text(f'access_token = "{TOKEN}"')


@contextmanager
def started(
    folder: Path, api: DemoApi, *names: str, **api_config: float
) -> Iterator[subprocess.Popen[bytes]]:
    """A run of the CLI that materializes the assets of the resources named."""
    selection = ",".join(f"analytics/{name}" for name in names)
    config = json.dumps({"resources": {"api": {"config": api_config}}})
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", *MATERIALIZE, selection, "--config-json", config],
            env={**os.environ, "ANALYTICS_BASE_URL": api.url},
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def kill_when(is_reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Kills a run at a moment; it is stopped first, lest the moment passes meanwhile."""
    for _ in moments(60):
        if is_reached():
            os.killpg(process.pid, signal.SIGSTOP)
            if is_reached():
                os.killpg(process.pid, signal.SIGKILL)
                return
            os.killpg(process.pid, signal.SIGCONT)


@pytest.mark.long(reason="all nine resources, several times")
@pytest.mark.usefixtures("given_token")
def test_loads_that_succeed_are_rejected_or_time_out_leave_no_secret(
    folder: Path, secretive_api: DemoApi
) -> None:
    secretive_api.fail("auth_tokens", "status", status=403, body=f"not with {TOKEN}", times=None)
    secretive_api.fail("aliases", "hang", times=None)
    names = ["projects", "environments", "user", "auth_tokens", "aliases"]
    with started(folder, secretive_api, *names, timeout=1, max_retries=0) as process:
        assert process.wait() == 1
    log = (folder / "err").read_text()
    assert "Steps failed: ['aliases', 'auth_tokens']" in log
    assert "GET /v5/user/tokens answered 403" in log
    assert "GET /v4/aliases was not answered in time" in log
    assert f"Sending GET {secretive_api.url}/v2/user?" in log, (
        "the debug log of what sends requests is on"
    )
    assert leaks(folder) == []


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("given_token")
def test_a_load_killed_while_it_asks_leaves_no_secret(folder: Path, secretive_api: DemoApi) -> None:
    secretive_api.fail("environments", "hang", after=3, times=None)

    def asks() -> bool:
        counts = secretive_api.control("GET", "/requests")["counts"]
        return bool(counts.get("environments", 0) > 3)

    with started(folder, secretive_api, "projects", "environments") as process:
        for _ in moments(60):
            if asks():
                break
        assert leaks(folder) == []
        assert any("materialize" in line for line in command_lines(process.pid))
        assert not any(CANARY in line for line in command_lines(process.pid))
        kill_when(asks, process)
    assert list(folder.glob("tmp/environments_*/environments/state.json"))
    assert leaks(folder) == []


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("given_token")
def test_a_load_killed_while_it_writes_leaves_no_secret(
    folder: Path, secretive_api: DemoApi
) -> None:
    def jobs_under_way() -> list[Path]:
        return list(folder.glob("tmp/*/*/load/normalized/*/started_jobs/*"))

    with started(folder, secretive_api, "projects", "environments", "user") as process:
        kill_when(lambda: bool(jobs_under_way()), process)
    assert jobs_under_way()
    assert leaks(folder) == []


@pytest.fixture
def lasting_directories(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A load's working directory outlives it, as where a kill hits its last moment."""

    def make(prefix: str) -> AbstractContextManager[str]:
        return nullcontext(str(folder / "tmp" / prefix))

    monkeypatch.setattr(warehouse, "TemporaryDirectory", make)


@pytest.mark.usefixtures("lasting_directories")
def test_dlts_traces_hold_no_token(folder: Path, secretive_api: DemoApi) -> None:
    secretive_api.fail("auth_tokens", "status", status=403, body=f"not with {TOKEN}", times=None)
    secretive_api.fail("aliases", "hang", times=None)
    project = Project(folder, secretive_api.url, access_token=None, timeout=1, max_retries=0)
    with dlt.secrets.values({"access_token": TOKEN}):
        result = project.load("projects", "auth_tokens", "aliases")
    assert sorted(failures(result)) == ["aliases", "auth_tokens"]
    assert len(list(folder.glob("tmp/*/*/trace.pickle"))) == 3
    assert leaks(folder) == []


class Vault(VaultDocProvider):
    """A vault in the terms of dlt, which is asked for secrets alone."""

    name = "Vault"

    def _look_vault(self, full_key: str, hint: type) -> str:
        return TOKEN

    def _list_vault(self) -> set[str]:
        return {"access_token"}


def test_a_token_in_a_vault_is_found(
    folder: Path, secretive_api: DemoApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = Container()[PluggableRunContext].providers
    vault = Vault(only_secrets=True, only_toml_fragments=False, list_secrets=True)
    monkeypatch.setattr(container, "providers", [*container.providers, vault])
    Project(folder, secretive_api.url, access_token=None).load_all("user")


# Nothing listens there. The driver of the first ones may be missing, that of the last one is not.
POSTGRES = ("postgres", f"postgresql://loader:{PASSWORD}@127.0.0.1:1/warehouse")
MISSPELT = ("postgres", f"postgresql:/loader:{PASSWORD}@127.0.0.1:one/warehouse")
DREMIO = ("dremio", f"grpc://loader:{PASSWORD}@127.0.0.1:1/warehouse")


@pytest.fixture(params=[POSTGRES, MISSPELT, DREMIO], ids=["postgres", "misspelt", "dremio"])
def closed_warehouse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A destination that cannot be opened, with a password in its credentials; yields its name."""
    name, credentials = request.param
    monkeypatch.setenv("ANALYTICS_DESTINATION", name)
    monkeypatch.setenv(f"DESTINATION__{name.upper()}__CREDENTIALS", credentials)
    monkeypatch.setenv("DESTINATION__DREMIO__STAGING_DATA_SOURCE", "stage")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", "stage")
    return str(name)


@pytest.mark.long_but_first(reason="further cases of a short test")
def test_a_warehouse_that_cannot_be_opened_leaves_no_password(
    folder: Path, closed_warehouse: str
) -> None:
    with DagsterInstance.get() as instance:
        result = Project(folder, "http://127.0.0.1:1", instance=instance).load("user")
    said = failures(result)["user"]
    assert "The warehouse cannot be opened" in said
    assert f"DESTINATION__{closed_warehouse.upper()}__CREDENTIALS" in said
    assert leaks(folder) == []


@pytest.mark.parametrize("closed_warehouse", [DREMIO], indirect=True)
@pytest.mark.usefixtures("closed_warehouse", "lasting_directories")
def test_dlts_trace_holds_no_password(folder: Path) -> None:
    with Warehouse().pipeline("user") as pipeline, pytest.raises(PipelineStepFailed):
        pipeline.run([{"id": 1}], table_name="user")
    assert (folder / "tmp" / "user_" / "user" / "trace.pickle").exists()
    assert leaks(folder) == []


def test_the_definitions_served_to_the_ui_hold_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_TOKEN", TOKEN)
    repository = build_definitions(ANALYTICS).get_repository_def()
    served = serialize_value(RepositorySnap.from_def(repository))
    assert "access_token" in served
    assert not reveals(served.encode())
    assert not reveals(repr(AnalyticsApi().model_dump()).encode())
