"""The project, run in this process on a warehouse of its own, and what it has loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from analytics_assets.configuration import Api
from analytics_assets.resources import AnalyticsApi, Console, Warehouse
from analytics_assets.source.errors import sentence_of
from analytics_assets.source.limits import LIMITS, Limits
from harness.configurations import ANALYTICS_API
from harness.demo_api import PARENTS, RESOURCES, TOKEN, DemoApi, Key
from harness.stores import WAREHOUSE, DuckDbFile, Row, Store


def draw_no_pictures() -> None:
    """Lets no load of this process draw pictures: they take a fifth of a short load's time."""
    setattr(load, "draw_pictures", lambda *_, **__: {})  # noqa: B010 - not mypy's export


class Project:
    """The project on a warehouse of its own, run in this process."""

    def __init__(
        self,
        folder: Path,
        url: str,
        api: Api = ANALYTICS_API,
        instance: DagsterInstance | None = None,
        warehouse: Warehouse | None = None,
        store: Store | None = None,
        limits: Limits = LIMITS,
        **settings: Any,
    ) -> None:
        self.file = folder / WAREHOUSE
        self.store = store or DuckDbFile(self.file)
        self._api = api
        self._assets = build_assets(api, limits)
        self._instance = instance or DagsterInstance.ephemeral()
        # Waits that the API does not ask for are short in tests.
        options = {"base_url": url, "access_token": TOKEN, "backoff_factor": 0.01, **settings}
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
            self._assets,
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
                assets=self._assets,
                asset_checks=build_checks(self._api),
                resources=self._resources,
                jobs=[define_asset_job("checks", selected)],
            )
            .resolve_job_def("checks")
            .execute_in_process(instance=self._instance, raise_on_error=False)
        )

    def accept(self, *names: str) -> ExecuteInProcessResult:
        """Accepts what the checks of the resources named have found, of all without names."""
        keys = [asset_key(name).to_user_string() for name in names]
        job = build_acceptance_job(self._api)
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


@dataclass(frozen=True)
class FirstLoad:
    """A load of everything into an empty warehouse.

    Attributes:
        project: What has loaded it, with Dagster's records of it.
        result: What it has reported.
    """

    project: Project
    result: ExecuteInProcessResult

    @classmethod
    def into(cls, folder: Path, api: DemoApi) -> FirstLoad:
        """Loads what an API holds into the DuckDB file of a folder, which the settings name."""
        project = Project(folder, api.url)
        result = project.load()
        assert result.success, failures(result)
        return cls(project, result)


def stored_rows(store: Store, resource: str) -> dict[Key, Row]:
    """All rows a warehouse holds of a resource, by key, as the API would have spelled them."""
    parent = PARENTS.get(resource)
    rows = store.query(f'select * from analytics."{resource}"')  # noqa: S608
    by_key: dict[Key, Row] = {
        ((row[f"_{parent}_id"], row["id"]) if parent else (row["id"],)): row for row in rows
    }
    assert len(by_key) == len(rows), f"{resource} holds a row twice"
    return by_key


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
