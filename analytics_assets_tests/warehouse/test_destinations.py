"""The main job on each kind of warehouse: what is loaded equals the server, key by key.

One suite for all of them. Whatever else is promised of a load is tested on DuckDB, and where a
warehouse can make a difference here as well.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_assets.source.limits import Limits
from harness.configurations import ANALYTICS_API
from harness.demo_api import FEW, DemoApi, running_demo_api
from harness.project import Project, assert_equal, assert_everything_equal, metadata, sentence
from harness.stores import Row, Store

NAMES = ("deployments", "deployment_events", "aliases")


def columns_of(store: Store, table: str) -> list[str]:
    condition = f"table_schema = 'analytics' and table_name = '{table}'"
    query = f"select column_name from information_schema.columns where {condition}"  # noqa: S608
    return [row["column_name"] for row in store.query(query)]


@pytest.mark.long(reason="several loads each")
def test_every_resource_equals_the_server_and_passes_its_checks(
    tmp_path: Path, store: Store
) -> None:
    with running_demo_api(*FEW) as api:
        project = Project(tmp_path, api.url, store=store)
        result = project.load()
        assert result.success
        assert_everything_equal(project, api)
    for name, resource in ANALYTICS_API.resources.items():
        reported = metadata(result, name)
        assert reported["dagster/row_count"] == len(project.rows(name))
        assert reported["newest_rows"].records
        assert set(resource.fields) <= set(columns_of(store, name)), "in the API's spelling"
        checks = project.check(name)
        assert checks
        assert all(check.passed for check in checks.values()), checks


@pytest.mark.long(reason="several loads each")
def test_a_second_run_loads_what_is_new_and_asks_for_no_more(
    tmp_path: Path, store: Store, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url, store=store)
    project.load_all(*NAMES)
    with demo_api.counted() as requests_for_nothing:
        nothing = project.load(*NAMES)
    assert all(metadata(nothing, name)["rows_new"] == 0 for name in NAMES)
    assert "deployment_events" not in requests_for_nothing
    (uid,) = demo_api.add_deployments()
    (key, *_) = demo_api.rows("aliases")
    demo_api.control("POST", f"/rows/aliases?id={key[0]}", set={"alias": "renamed", "fresh": [1]})
    with demo_api.counted() as asked:
        project.load_all(*NAMES)
    assert asked["deployment_events"] == 1
    assert (uid,) in project.rows("deployments")
    assert_everything_equal(project, demo_api, *NAMES)


def test_batches_of_one_load_lose_no_column_and_no_version(tmp_path: Path, store: Store) -> None:
    rows: list[Row] = [
        {"id": f"prj_{n % 8}", "updatedAt": n % 5, f"field_{n % 6}": n} for n in range(24)
    ]
    newest: dict[str, Row] = {}
    # Lists are read newest first.
    for row in reversed(rows):
        if row["updatedAt"] >= newest.get(row["id"], row)["updatedAt"]:
            newest[row["id"]] = row
    with running_demo_api("--max-limit", "3", "--projects", "0") as api:
        api.add_projects(*rows)
        project = Project(tmp_path, api.url, store=store, limits=Limits(rows_per_batch=2))
        for _ in range(2):
            project.load_all("projects")
            assert_equal(project.rows("projects"), {(key,): row for key, row in newest.items()})


@pytest.mark.long(reason="several loads each")
def test_what_is_deleted_at_the_server_stays_and_is_told(
    tmp_path: Path, store: Store, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url, store=store)
    project.load_all("projects", "environments")
    (gone, *_) = demo_api.rows("projects")
    demo_api.control("DELETE", f"/rows/projects?id={gone[0]}")
    reported = metadata(project.load("projects", "environments"), "projects")
    assert reported["rows_no_longer_listed"] == 1
    assert gone in project.rows("projects")


@pytest.mark.long(reason="several loads each")
def test_a_fan_out_goes_on_where_a_failed_load_left_it(
    tmp_path: Path, store: Store, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url, store=store, limits=Limits(parents_per_load=10))
    project.load_all("deployments")
    deployments = len(project.rows("deployments"))
    demo_api.fail("deployment_events", "status", status=403, after=25, times=None)
    assert not project.load("deployment_events").success
    demo_api.heal()
    with demo_api.counted() as asked:
        project.load_all("deployment_events")
    assert asked["deployment_events"] == deployments - 25
    assert_equal(project.rows("deployment_events"), demo_api.rows("deployment_events"))


@pytest.mark.long(reason="several loads each")
def test_a_window_is_loaded_again(tmp_path: Path, store: Store, demo_api: DemoApi) -> None:
    names = ("deployments", "deployment_events")
    project = Project(tmp_path, demo_api.url, store=store)
    project.load_all(*names)
    uid, row = min(demo_api.rows("deployments").items(), key=lambda item: item[1]["created"])
    demo_api.control("POST", f"/rows/deployments?id={uid[0]}", set={"late": "yes"})
    window = {"start": "2020-01-01", "end": "2030-01-01"}
    project.load_all(*names, run_config={"ops": {name: {"config": window} for name in names}})
    assert project.rows("deployments")[uid]["late"] == "yes", row
    assert_everything_equal(project, demo_api, *names)


def test_a_destination_that_cannot_replace_rows_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS_DESTINATION", "weaviate")
    assert sentence(project, "user") == (
        "ANALYTICS_DESTINATION names weaviate, which cannot replace rows that have changed: "
        "choose a database (docs/destinations.md)."
    )


def test_an_undeclared_object_stays_one_in_later_loads(tmp_path: Path, store: Store) -> None:
    values = [{"a": [1]}, {"b": 2}, "text", {"c": 3}]
    with running_demo_api("--projects", "0") as api:
        project = Project(tmp_path, api.url, store=store)
        for place, value in enumerate(values):
            api.add_projects({"id": f"prj_{place}", "createdAt": place + 1, "fresh": value})
            project.load_all("projects")
        project.load_all("projects")
        rows = project.rows("projects")
    assert [rows[(f"prj_{place}",)]["fresh"] for place in range(len(values))] == values
    assert {"fresh", "fresh__v_text"} <= set(columns_of(store, "projects"))


def test_a_first_load_without_a_row_makes_the_tables_and_later_rows_come(
    tmp_path: Path, store: Store
) -> None:
    names = ("deployments", "deployment_events")
    with running_demo_api("--deployments", "0", "--events", "2") as api:
        project = Project(tmp_path, api.url, store=store)
        project.load_all(*names)
        assert [project.rows(name) for name in names] == [{}, {}]
        api.add_deployments(2)
        project.load_all(*names)
        for name in names:
            assert_equal(project.rows(name), api.rows(name))
        assert project.check("deployments", "columns_are_declared")["columns_are_declared"].passed
