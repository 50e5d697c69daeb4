"""The warehouse equals the server, key by key and field by field."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

from analytics_assets.configuration import ANALYTICS, Api, read_api
from harness.configurations import ANALYTICS_API, endpoint_words
from harness.demo_api import running_demo_api
from harness.project import Project, assert_everything_equal


def with_page_limit(limit: int) -> Api:
    """The configuration with another number of rows a page."""
    config = deepcopy(ANALYTICS)
    for name in ANALYTICS_API.resources:
        params = endpoint_words(config, name).get("params")
        if params:
            params["limit"] = limit
    return read_api(config)


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("limit", [1, 2])
def test_every_resource_equals_the_server_whatever_its_page_size(
    tmp_path: Path, limit: int
) -> None:
    sizes = ["--projects", "4", "--deployments", "30", "--aliases", "7", "--members", "5"]
    with running_demo_api(*sizes) as api:
        project = Project(tmp_path, api.url, with_page_limit(limit))
        project.load_all()
        assert_everything_equal(project, api)


@pytest.mark.long(reason="thousands of rows")
def test_thousands_of_rows_equal_the_server(tmp_path: Path) -> None:
    sizes = ["--projects", "150", "--deployments", "2500", "--aliases", "1500", "--events", "8"]
    with running_demo_api(*sizes) as api:
        project = Project(tmp_path, api.url)
        project.load_all()
        assert_everything_equal(project, api)


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_ids_and_creation_times_are_filled_from_the_fields_the_live_api_has(
    project: Project,
) -> None:
    for resource in ("deployments", "aliases", "teams_member"):
        assert all(row["id"] == row["uid"] for row in project.rows(resource).values())
    for row in project.rows("deployments").values():
        assert row["createdAt"] == row["created"]
    assert all(isinstance(row["createdAt"], int) for row in project.rows("aliases").values())
    for (team_id, _), row in project.rows("teams_member").items():
        assert row["team_id"] == team_id
    for (deployment_id, _), row in project.rows("deployment_events").items():
        assert row["deploymentId"] == deployment_id


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_one_person_in_two_teams_stays_two_rows(project: Project) -> None:
    members = project.rows("teams_member")
    assert len({member for _, member in members}) < len(members)


@pytest.mark.long(reason="several loads each")
def test_values_of_environment_variables_are_nowhere_in_the_warehouse(
    tmp_path: Path,
) -> None:
    with running_demo_api("--secret-prefix", "canary-value-") as api:
        project = Project(tmp_path, api.url)
        project.load_all("projects", "environments")
        served = api.get(f"/v9/projects/{next(iter(api.rows('projects')))[0]}/env")
        assert any("canary-value-" in (row["value"] or "") for row in served["envs"])
        assert "value" not in next(iter(project.rows("environments").values()))
    columns = project.query(
        "select column_name from duckdb_columns() where table_name = 'environments'"
    )
    assert {"value", "vsmValue"} <= {row["column_name"] for row in columns}
    assert b"canary-value-" not in project.file.read_bytes()


@pytest.mark.long(reason="several loads each")
def test_every_declared_column_exists_in_an_empty_warehouse(tmp_path: Path) -> None:
    nothing = ["--projects", "0", "--teams", "0", "--deployments", "0", "--aliases", "0"]
    with running_demo_api(*nothing, "--tokens", "0") as api:
        project = Project(tmp_path, api.url)
        project.load_all()
    for name, resource in ANALYTICS_API.resources.items():
        described = project.query(f"describe analytics.{name}")
        assert set(resource.fields) <= {column["column_name"] for column in described}
