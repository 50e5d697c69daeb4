"""What the checks find and a person accepts is green for good; what is found later is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetCheckKey, DagsterInstance

from analytics_assets.assets.keys import asset_key
from analytics_assets.checks.accepted import ACCEPT, JOB
from analytics_assets.source.wording import counted
from harness.commands import MATERIALIZE, run_cli
from harness.demo_api import DemoApi
from harness.forked import MODULE
from harness.project import Project, failures
from harness.stores import DuckDbFile, PostgresDatabase, Row, Store, choose

FAMILY = ["projects", "environments", "teams", "teams_member"]


def open_project(folder: Path, api: DemoApi, store: Store) -> Project:
    """The project, as a run without DAGSTER_HOME has it: it knows what the warehouse holds.

    Its lists may become empty: the last team may go.
    """
    return Project(folder, api.url, store=store, most_rows_gone=1.0)


def found_by(project: Project, *names: str) -> dict[str, str]:
    """What the checks that do not pass say."""
    result = project.run_checks_of(*names)
    assert result.success, failures(result)
    return {
        f"{found.asset_key.path[-1]} {found.check_name}": str(found.description)
        for found in result.get_asset_check_evaluations()
        if not found.passed
    }


def accept(project: Project, *names: str) -> None:
    result = project.accept(*names)
    assert result.success, failures(result)


def delete(api: DemoApi, resource: str, *ids: str) -> None:
    for own in ids:
        api.control("DELETE", f"/rows/{resource}?id={own}")


def spoil(store: Store, statement: str) -> None:
    """Changes the warehouse behind the project's back."""
    if isinstance(store, PostgresDatabase):
        store.run(statement)
    elif isinstance(store, DuckDbFile):
        with duckdb.connect(str(store.file)) as connection:
            connection.execute(statement)


def children(project: Project, child: str, parent: str) -> int:
    return sum(key[0] == parent for key in project.rows(child))


@pytest.mark.long(reason="several loads each")
def test_what_was_deleted_upstream_is_accepted_for_good(
    tmp_path: Path, demo_api: DemoApi, store: Store
) -> None:
    project = open_project(tmp_path, demo_api, store)
    project.load_all(*FAMILY)
    (first,), (second,), *_ = sorted(demo_api.rows("projects"))
    teams = [own for (own,) in demo_api.rows("teams")]
    (row,) = [
        row for row in demo_api.get("/v9/projects", limit=100)["projects"] if row["id"] == first
    ]
    delete(demo_api, "projects", first)
    delete(demo_api, "teams", *teams)
    project.load_all(*FAMILY)
    said = found_by(project, *FAMILY)
    assert set(said) == {"environments parents_exist", "teams_member parents_exist"}
    assert all(ACCEPT in sentence for sentence in said.values())

    accept(project)
    assert found_by(project, *FAMILY) == {}
    numbers: Any = project.check("environments")["parents_exist"].metadata
    assert numbers["rows_of_deleted_parents"].value == 0
    assert numbers["rows_of_deleted_parents_accepted"].value == children(
        project, "environments", first
    )
    # A later list, by a run that has no records of Dagster.
    project = open_project(tmp_path, demo_api, store)
    project.load_all(*FAMILY)
    assert found_by(project, *FAMILY) == {}

    delete(demo_api, "projects", second)
    project.load_all("projects")
    lost = children(project, "environments", second)
    (said_of_second,) = found_by(project, "environments").values()
    assert said_of_second.startswith(f"{counted(lost, 'row')} of environments whose projects")
    accept(project, "environments")
    assert found_by(project, "environments") == {}

    # What comes back, and goes once more, is news.
    demo_api.control("POST", "/rows/projects/add", **row)
    demo_api.control("POST", "/rows/teams/add", id="team_new", createdAt=1_780_000_000_000)
    project.load_all("projects", "teams")
    assert found_by(project, "environments", "teams") == {}
    delete(demo_api, "projects", first)
    delete(demo_api, "teams", "team_new")
    project.load_all("projects", "teams")
    said = found_by(project, "environments", "teams")
    back = children(project, "environments", first)
    assert said["environments parents_exist"].startswith(f"{counted(back, 'row')} of")


@pytest.mark.long(reason="several loads each")
def test_columns_are_accepted_one_by_one_without_a_file_that_is_edited(
    tmp_path: Path, demo_api: DemoApi, store: Store
) -> None:
    project = open_project(tmp_path, demo_api, store)
    ((changed,), *_) = demo_api.rows("auth_tokens")

    def load_with(**fields: Any) -> dict[str, str]:
        demo_api.control("POST", f"/rows/auth_tokens?id={changed}", set=fields)
        project.load_all("auth_tokens")
        return found_by(project, "auth_tokens")

    (said,) = load_with(brandNew=1, expiresAt="never").values()
    assert "(new: brandNew; of another type: expiresAt__v_text)" in said
    assert said.endswith(f"If they are right, {ACCEPT}.")
    accept(project)
    assert found_by(project, "auth_tokens") == {}
    (said,) = load_with(brandNew=2, another=[1]).values()
    assert "(new: another)" in said
    accept(project)
    numbers: Any = project.check("auth_tokens")["columns_are_declared"].metadata
    assert numbers["columns_accepted"].value == 3
    assert load_with(brandNew=3) == {}


@pytest.fixture(params=["duckdb", "postgres"])
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """An empty warehouse that SQL changes, of each kind in turn."""
    made: Store = DuckDbFile.in_folder(tmp_path)
    if request.param == "postgres":
        made = PostgresDatabase.on(request.getfixturevalue("postgres"))
    choose(made, monkeypatch)
    return made


@pytest.mark.long(reason="several loads each")
def test_rows_deleted_in_the_warehouse_on_purpose_are_accepted(
    tmp_path: Path, demo_api: DemoApi, database: Store
) -> None:
    project = open_project(tmp_path, demo_api, database)
    project.load_all("deployments", "deployment_events")
    old, older, oldest = sorted(
        project.query('select id from analytics.deployments order by "createdAt" limit 3'), key=str
    )

    def forget(table: str, column: str, row: Row) -> None:
        spoil(database, f"delete from analytics.{table} where {column} = '{row['id']}'")  # noqa: S608

    forget("deployments", "id", old)
    forget("deployment_events", "_deployments_id", older)
    said = found_by(project, "deployments", "deployment_events")
    assert set(said) == {
        "deployments rows_did_not_fall",
        "deployment_events rows_did_not_fall",
        "deployment_events parents_exist",
    }
    assert all(ACCEPT in sentence for sentence in said.values())
    accept(project)
    assert found_by(project, "deployments", "deployment_events") == {}
    project.load_all("deployments", "deployment_events")
    assert found_by(project, "deployments", "deployment_events") == {}
    demo_api.add_deployments(5)
    project.load_all("deployments", "deployment_events")
    forget("deployments", "id", oldest)
    assert set(found_by(project, "deployments", "deployment_events")) == {
        "deployments rows_did_not_fall",
        "deployment_events parents_exist",
    }


def test_implausible_times_are_accepted_by_their_number_and_broken_keys_never(
    tmp_path: Path, demo_api: DemoApi, database: Store
) -> None:
    project = open_project(tmp_path, demo_api, database)
    project.load_all("aliases")
    one, another, *_ = sorted(own for (own,) in project.rows("aliases"))

    def date(own: str) -> None:
        spoil(database, f"update analytics.aliases set \"createdAt\" = 7 where id = '{own}'")  # noqa: S608

    date(one)
    spoil(
        database,
        "insert into analytics.aliases select * from analytics.aliases where id = "  # noqa: S608
        f"'{another}'",
    )
    assert set(found_by(project, "aliases")) == {
        "aliases times_are_plausible",
        "aliases key_is_unique",
    }
    accept(project)
    assert set(found_by(project, "aliases")) == {"aliases key_is_unique"}
    date(another)
    said = found_by(project, "aliases")
    assert said["aliases times_are_plausible"].startswith("3 rows of aliases with a createdAt")


@pytest.mark.long(reason="several loads each")
def test_only_the_assets_named_are_accepted(
    tmp_path: Path, demo_api: DemoApi, project: Project
) -> None:
    project.load_all("aliases", "auth_tokens")
    for name in ("aliases", "auth_tokens"):
        spoil(project.store, f"alter table analytics.{name} add column extra text")
    accept(project, "aliases")
    assert set(found_by(project, "aliases", "auth_tokens")) == {"auth_tokens columns_are_declared"}
    result = project.accept("aliases", "nothing")
    (said,) = failures(result).values()
    assert "There is no asset analytics/nothing to accept findings of" in said


@pytest.mark.long(reason="several loads each")
def test_the_ui_is_told_at_once(demo_api: DemoApi, tmp_path: Path) -> None:
    instance = DagsterInstance.ephemeral()
    project = Project(tmp_path, demo_api.url, instance=instance)
    project.load_all("teams")
    spoil(project.store, "alter table analytics.teams add column extra text")
    project.check("teams")
    key = AssetCheckKey(asset_key("teams"), "columns_are_declared")

    def told() -> str:
        return instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[
            key
        ].status.value

    assert told() == "FAILED"
    accept(project)
    assert told() == "SUCCEEDED"


@pytest.mark.long(reason="commands in processes of their own")
def test_the_command_accepts_and_the_next_run_is_green(
    tmp_path: Path, demo_api: DemoApi, project: Project
) -> None:
    project.load_all("projects", "environments")
    delete(demo_api, "projects", min(demo_api.rows("projects"))[0])
    load = [*MATERIALIZE, "+analytics/environments"]
    assert "warning of parents_exist" in run_cli(*load, api=demo_api).stdout
    accepted = run_cli("job", "execute", "-m", MODULE, "-j", JOB, api=demo_api)
    assert accepted.returncode == 0, accepted.stderr[-2000:]
    (said,) = re.findall("analytics/environments, parents_exist, is accepted: .*", accepted.stderr)
    assert ACCEPT not in said
    run = run_cli(*load, api=demo_api)
    assert run.returncode == 0
    assert "warning" not in run.stdout
