"""What the tests share: a demo API over HTTP, a project that loads it, and both sides' rows."""

from __future__ import annotations

import dataclasses
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetSelection,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    define_asset_job,
    materialize,
)
from dagster_dlt import DagsterDltResource

from analytics_assets.assets import build_assets, load
from analytics_assets.assets.keys import asset_key
from analytics_assets.checks import build_acceptance_job, build_checks
from analytics_assets.configuration import ANALYTICS, ApiConfig
from analytics_assets.resources import AnalyticsApi, Console, Warehouse
from analytics_assets.source.errors import sentence_of
from analytics_assets_tests.demo_api.server import LISTS, DemoServer, moments
from analytics_assets_tests.demo_api.server import PARENTS as LIST_PARENTS
from analytics_assets_tests.forked import MODULE, commands
from analytics_assets_tests.stores import WAREHOUSE, DuckDbFile, Row, Store

TOKEN = "test-token"  # noqa: S105 - opens only the servers that tests start
ANCHOR = "2026-06-01T12:00:00+00:00"
TIMEOUT = 60
BELOW_CHOSEN_PORTS = range(20_000, 30_000)
"""Linux chooses from 32,768 on, macOS and Windows from 49,152."""
MATERIALIZE = ["asset", "materialize", "-m", MODULE, "--select"]

Key = tuple[str, ...]

WITHHELD = ("protectionBypass", "passwordProtection", "inviteCode")
"""Whole fields that are not stored."""

# The paths and list keys of the demo's tests, and the two operations that are no paged list.
PATHS: dict[str, tuple[str, str | None]] = {
    **LISTS,
    "user": ("/v2/user", "user"),
    "deployment_events": ("/v3/deployments/{}/events", None),
}
PARENTS = {**LIST_PARENTS, "deployment_events": "deployments"}
RESOURCES = list(PATHS)


@dataclass(frozen=True)
class DemoApi:
    """A running demo API."""

    url: str
    token: str = TOKEN
    _session: requests.Session = dataclasses.field(default_factory=requests.Session, repr=False)

    def get(self, path: str, **params: Any) -> Any:
        """The body of a GET request."""
        response = self._session.get(
            self.url + path,
            params=params,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=TIMEOUT,
        )
        response.raise_for_status()
        return response.json()

    def rows(self, resource: str) -> dict[Key, Row]:
        """All rows the server holds of a resource, by key, whatever its pages would hold."""
        if resource not in PARENTS:
            return {(own_id(row),): neutral(row) for row in self._list(resource)}
        return {
            (parent_id, own_id(row)): neutral(row)
            for (parent_id,) in self.rows(PARENTS[resource])
            for row in self._list(resource, parent_id)
        }

    def _list(self, resource: str, parent: str = "") -> list[Row]:
        rows: list[Row] = self.control("GET", f"/rows/{resource}?parent={quote(parent, safe='')}")
        return rows

    def control(self, method: str, path: str, **json_body: Any) -> Any:
        """Asks the demo's own control routes."""
        url = f"{self.url}/_demo{path}"
        response = requests.request(method, url, json=json_body, timeout=TIMEOUT)
        response.raise_for_status()
        return response.json() if response.content else None

    def add_deployments(self, count: int = 1, **options: Any) -> list[str]:
        """Creates deployments, newer than all others; returns their ids."""
        uids: list[str] = self.control("POST", "/deployments", count=count, **options)["uids"]
        return uids

    def fail(self, operation: str, kind: str, **options: Any) -> None:
        """Makes an operation fail as the kind of fault says."""
        self.control("POST", "/faults", operation=operation, kind=kind, **options)

    def heal(self) -> None:
        """Ends all faults."""
        self.control("DELETE", "/faults")

    def log(self, operation: str) -> list[Row]:
        """The requests of an operation that the server has seen, oldest first."""
        log: list[Row] = self.control("GET", "/requests")["log"]
        return [entry for entry in log if entry["operation"] == operation]

    def reset(self) -> None:
        """Begins anew, with the rows of the start and no fault."""
        self.control("POST", "/reset")

    @contextmanager
    def counted(self) -> Iterator[dict[str, int]]:
        """Counts the requests of each operation inside the block, at the server."""
        counts: dict[str, int] = {}
        self.control("POST", "/requests/reset")
        yield counts
        counts.update(self.control("GET", "/requests")["counts"])


@contextmanager
def running_demo_server(*options: str) -> Iterator[tuple[DemoServer, DemoApi]]:
    """A demo API of its own, and the process that serves it."""
    with DemoServer("--token", TOKEN, "--anchor", ANCHOR, *options) as server:
        yield server, DemoApi(server.url)


@contextmanager
def running_demo_api(*options: str) -> Iterator[DemoApi]:
    """A demo API of its own, in a process of its own."""
    with running_demo_server(*options) as (_, api):
        yield api


def draw_no_pictures() -> None:
    """Lets no load of this process draw pictures: they take a fifth of a short load's time."""
    setattr(load, "draw_pictures", lambda *_, **__: {})  # noqa: B010 - not mypy's export


class Project:
    """The project on a warehouse of its own, run in this process."""

    def __init__(
        self,
        folder: Path,
        url: str,
        config: ApiConfig = ANALYTICS,
        instance: DagsterInstance | None = None,
        warehouse: Warehouse | None = None,
        store: Store | None = None,
        **api: Any,
    ) -> None:
        self.file = folder / WAREHOUSE
        self.store = store or DuckDbFile(self.file)
        self._config = config
        self._instance = instance or DagsterInstance.ephemeral()
        # Waits that the API does not ask for are short in tests.
        options = {"base_url": url, "access_token": TOKEN, "backoff_factor": 0.01, **api}
        self._resources = {
            "dlt": DagsterDltResource(),
            "api": AnalyticsApi(**options),
            "warehouse": warehouse or Warehouse(),
            "console": Console(),
        }

    def load(
        self, *names: str, run_config: Mapping[str, Any] | None = None
    ) -> ExecuteInProcessResult:
        """Materializes the assets of the resources named, all without names."""
        keys = [asset_key(name) for name in names]
        return materialize(
            build_assets(self._config),
            selection=AssetSelection.assets(*keys) if keys else None,
            resources=self._resources,
            instance=self._instance,
            raise_on_error=False,
            run_config=run_config,
        )

    def load_all(self, *names: str, run_config: Mapping[str, Any] | None = None) -> None:
        """Materializes, and fails the test where an asset was not loaded."""
        result = self.load(*names, run_config=run_config)
        assert result.success, failures(result)

    def check(self, name: str, *only: str) -> dict[str, AssetCheckEvaluation]:
        """Runs the checks of a resource alone, all without names; fails where a step does."""
        result = self.run_checks(name, *only)
        assert result.success, failures(result)
        return {found.check_name: found for found in result.get_asset_check_evaluations()}

    def run_checks(self, name: str, *only: str) -> ExecuteInProcessResult:
        """Runs the checks of a resource alone, as the UI does."""
        checks = [AssetCheckKey(asset_key(name), check) for check in only]
        return self._run(AssetSelection.checks(*checks)) if only else self.run_checks_of(name)

    def run_checks_of(self, *names: str) -> ExecuteInProcessResult:
        """Runs all checks of some resources."""
        return self._run(AssetSelection.checks_for_assets(*map(asset_key, names)))

    def _run(self, selected: AssetSelection) -> ExecuteInProcessResult:
        return (
            Definitions(
                assets=build_assets(self._config),
                asset_checks=build_checks(self._config),
                resources=self._resources,
                jobs=[define_asset_job("checks", selected)],
            )
            .resolve_job_def("checks")
            .execute_in_process(instance=self._instance, raise_on_error=False)
        )

    def accept(self, *names: str) -> ExecuteInProcessResult:
        """Accepts what the checks of the resources named have found, of all without names."""
        keys = [asset_key(name).to_user_string() for name in names]
        job = build_acceptance_job(self._config)
        return (
            Definitions(jobs=[job], resources=self._resources)
            .resolve_job_def(job.name)
            .execute_in_process(
                instance=self._instance,
                raise_on_error=False,
                run_config={"ops": {"accept": {"config": {"assets": keys}}}} if names else None,
            )
        )

    def rows(self, resource: str) -> dict[Key, Row]:
        """All stored rows of a resource, by key, as the API would have spelled them."""
        return stored_rows(self.store, resource)

    def query(self, sql: str) -> list[Row]:
        """The rows of a query; JSON columns are parsed, and values of another type unified."""
        return self.store.query(sql)


def stored_rows(store: Store, resource: str) -> dict[Key, Row]:
    """All rows a warehouse holds of a resource, by key, as the API would have spelled them."""
    parent = PARENTS.get(resource)
    rows = store.query(f'select * from analytics."{resource}"')  # noqa: S608
    by_key: dict[Key, Row] = {
        ((row[f"_{parent}_id"], row["id"]) if parent else (row["id"],)): row for row in rows
    }
    assert len(by_key) == len(rows), f"{resource} holds a row twice"
    return by_key


def own_id(row: Mapping[str, Any]) -> str:
    """The id of a row as the API gives it, whatever it calls it."""
    payload = row.get("payload") or {}
    return str(row.get("id") or row.get("uid") or payload["id"])


def neutral(row: Row) -> Row:
    """The row as the warehouse is to hold it.

    Without what is withheld; a variable's single target is an array of one.
    """
    kept = {field: value for field, value in row.items() if field not in WITHHELD}
    if "key" in row:
        kept.pop("value", None)
        kept["target"] = [row["target"]] if isinstance(row["target"], str) else row["target"]
    if "env" in row:
        kept["env"] = [{**variable, "value": None} for variable in row["env"]]
    if hooks := (row.get("link") or {}).get("deployHooks"):
        emptied = [{**hook, "id": None, "url": None} for hook in hooks]
        kept["link"] = {**row["link"], "deployHooks": emptied}
    return kept


def failures(result: ExecuteInProcessResult) -> dict[str, str]:
    """The sentence each failed asset shows."""
    return {
        str(event.step_key): error.message
        for event in result.get_step_failure_events()
        if (error := event.step_failure_data.error)
    }


def sentence(project: Project, name: str, run_config: Mapping[str, Any] | None = None) -> str:
    """The sentence with which an asset fails, without the class of the error and its cause."""
    result = project.load(name, run_config=run_config)
    assert not result.success
    return sentence_of(failures(result)[name].partition("Failure: ")[2]).strip()


def metadata(result: ExecuteInProcessResult, name: str) -> dict[str, Any]:
    """What the materialization of a resource reports."""
    (event,) = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == asset_key(name)
    ]
    return {key: entry.value for key, entry in event.materialization.metadata.items()}


def assert_equal(stored: Mapping[Key, Row], served: Mapping[Key, Row]) -> None:
    """Holds the warehouse against the server: the same keys, and each field the server gave."""
    assert sorted(stored) == sorted(served)
    for key, row in served.items():
        for field, value in row.items():
            if value is not None:
                assert stored[key].get(field) == value, (key, field)


def assert_everything_equal(project: Project, api: DemoApi, *names: str) -> None:
    """Holds the resources named, all nine without names, against the server."""
    for resource in names or RESOURCES:
        assert_equal(project.rows(resource), api.rows(resource))


def wait_until(
    condition: Callable[[], object], seconds: float = TIMEOUT, pause: float = 0.01
) -> None:
    """Waits for a condition to come true.

    Raises:
        TimeoutError: If it has not come true in that many seconds.
    """
    for _ in moments(seconds, pause):
        if condition():
            return


def stop_all(process: subprocess.Popen[Any]) -> None:
    """Ends a session's first process and all it started.

    Not by SIGINT, which a background job ignores.
    """
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def run_cli(
    *arguments: str,
    api: DemoApi,
    timeout: float = 300,
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `dagster` as a user does: a process, settings in the environment."""
    environment = {**os.environ, **settings_of(api), **(settings or {})}
    return commands().run(arguments, environment, timeout)


def start_cli(*arguments: str, api: DemoApi, log: Path, **settings: str) -> subprocess.Popen[bytes]:
    """Starts `dagster` as a user does, in a session of its own, with its output in a file."""
    with log.open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "dagster", *arguments],
            env={**os.environ, **settings_of(api), **settings},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def assert_ended_well(
    processes: Iterable[subprocess.Popen[bytes]], logs: Iterable[Path], seconds: float
) -> None:
    """Waits for processes, and fails the test with the log of one that failed."""
    for process, log in zip(processes, logs, strict=True):
        assert process.wait(seconds) == 0, log.read_text()


def settings_of(api: DemoApi) -> dict[str, str]:
    """The two settings that a user needs to load an API."""
    return {"ANALYTICS_BASE_URL": api.url, "ACCESS_TOKEN": api.token}


def free_port() -> int:
    """A port that nothing listens on, and that no system hands out by itself.

    Each connection that goes out has a port that the system has chosen: one that was free when it
    was asked for may be taken before the server that is to have it has started.
    """
    while True:
        # No seed of a test's is to choose the same for two processes.
        port = random.SystemRandom().choice(BELOW_CHOSEN_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
