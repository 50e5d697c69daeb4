"""Every sequence of selections ends in the same warehouse: this is where rows get lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.demo_api import PARENTS, RESOURCES, DemoApi, running_demo_api
from harness.project import Project, assert_equal, assert_everything_equal, failures, metadata

FAMILIES = ("deployments", "deployment_events", "projects", "environments")


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("child", ["environments", "deployment_events", "teams_member"])
def test_a_child_loaded_alone_first_names_its_parent_and_starves_nobody(
    project: Project, demo_api: DemoApi, child: str
) -> None:
    result = project.load(child)
    assert not result.success
    assert "never loaded: materialize analytics/" in failures(result)[child]
    family = (PARENTS[child], child)
    project.load_all(*family)
    assert_everything_equal(project, demo_api, *family)


@pytest.mark.long(reason="several loads each")
def test_a_parent_loaded_alone_costs_its_child_no_row(project: Project, demo_api: DemoApi) -> None:
    project.load_all("deployments")
    demo_api.add_deployments(3)
    project.load_all("deployments")
    project.load_all("deployment_events")
    for resource in ("deployments", "deployment_events"):
        assert_equal(project.rows(resource), demo_api.rows(resource))


@pytest.mark.long(reason="all nine resources, several times")
@pytest.mark.usefixtures("all_loaded")
def test_a_child_loaded_alone_costs_its_parent_no_row(project: Project, demo_api: DemoApi) -> None:
    demo_api.add_deployments(3)
    project.load_all("deployment_events")
    project.load_all(*FAMILIES)
    assert_everything_equal(project, demo_api)


@pytest.mark.long(reason="all nine resources, several times")
@pytest.mark.usefixtures("all_loaded")
def test_all_then_new_data_then_all_loads_everything(project: Project, demo_api: DemoApi) -> None:
    demo_api.add_deployments(5)
    project.load_all(*FAMILIES)
    assert_everything_equal(project, demo_api)
    project.load_all(*FAMILIES)
    assert_everything_equal(project, demo_api)


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_parents_loaded_twice_before_their_child_are_asked_for_once(
    project: Project, demo_api: DemoApi
) -> None:
    demo_api.add_deployments(1)
    project.load_all("deployments")
    demo_api.add_deployments(1)
    project.load_all("deployments")
    with demo_api.counted() as requests:
        project.load_all("deployment_events")
    assert requests == {"deployment_events": 2}
    assert_equal(project.rows("deployment_events"), demo_api.rows("deployment_events"))


@pytest.mark.long(reason="several loads each")
def test_a_late_change_of_state_arrives_with_its_events(
    project: Project, demo_api: DemoApi
) -> None:
    (uid,) = demo_api.add_deployments(1, state="BUILDING")
    project.load_all("deployments", "deployment_events")
    demo_api.control("POST", f"/rows/deployments?id={uid}", set={"state": "READY"})
    with demo_api.counted() as requests:
        project.load_all("deployments", "deployment_events")
    assert project.rows("deployments")[(uid,)]["state"] == "READY"
    assert requests["deployment_events"] == 1


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_a_child_asks_only_for_parents_of_the_latest_listing(
    project: Project, demo_api: DemoApi
) -> None:
    (gone,) = next(iter(demo_api.rows("projects")))
    demo_api.control("DELETE", f"/rows/projects?id={gone}")
    project.load_all("projects")
    with demo_api.counted() as requests:
        project.load_all("environments")
    assert requests == {"environments": len(demo_api.rows("projects"))}
    assert (gone,) in project.rows("projects"), "what was deleted upstream stays in the warehouse"


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_after_an_empty_listing_a_child_asks_for_no_parent(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url, most_rows_gone=1.0)
    for (team,) in demo_api.rows("teams"):
        demo_api.control("DELETE", f"/rows/teams?id={team}")
    project.load_all("teams")
    with demo_api.counted() as requests:
        project.load_all("teams_member")
    assert requests == {}


@pytest.mark.long(reason="several loads each")
def test_the_start_date_bounds_the_first_load_and_later_ones_go_on_from_there(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url, start_date="2026-05-01")
    project.load_all("deployments", "deployment_events")
    first_moment = 1_777_593_600_000
    expected = {
        key: row
        for key, row in demo_api.rows("deployments").items()
        if row["created"] > first_moment
    }
    assert 0 < len(expected) < len(demo_api.rows("deployments"))
    assert_equal(project.rows("deployments"), expected)
    new = demo_api.add_deployments(2)
    project.load_all("deployments")
    assert {(uid,) for uid in new} <= set(project.rows("deployments"))


def test_each_materialization_reports_rows_changes_and_requests(
    project: Project, demo_api: DemoApi
) -> None:
    first = metadata(project.load("deployments"), "deployments")
    count = len(demo_api.rows("deployments"))
    # A page that is full may be followed by another one.
    pages = count // 100 + 1
    assert (first["dagster/row_count"], first["rows_new"], first["requests"]) == (
        count,
        count,
        pages,
    )
    assert first["dagster/table_name"] == "analytics.deployments"
    demo_api.add_deployments(1)
    second = metadata(project.load("deployments"), "deployments")
    assert (second["dagster/row_count"], second["rows_new"]) == (count + 1, 1)


@pytest.mark.long(reason="several loads each")
def test_a_team_scopes_every_request(tmp_path: Path) -> None:
    with running_demo_api() as api:
        (team,) = next(iter(api.rows("teams")))
        project = Project(tmp_path, api.url, team_id=team)
        api.control("POST", "/requests/reset")
        project.load_all()
        log = api.control("GET", "/requests")["log"]
        assert {entry["operation"] for entry in log} == set(RESOURCES)
        assert {entry["query"].get("teamId") for entry in log} == {team}
        stored = {row["accountId"] for row in project.rows("projects").values()}
        assert stored == {team}
