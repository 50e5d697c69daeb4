"""Adding an endpoint is adding a dict, and a wrong configuration is refused by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from analytics_assets.configuration import (
    ANALYTICS,
    ApiConfig,
    ConfigurationError,
    ResourceConfig,
    read_api,
)
from analytics_assets.definitions import build_definitions
from harness.configurations import words_of
from harness.demo_api import running_demo_api
from harness.project import Project, assert_equal

CADENCE = {
    "name": "on_the_hour",
    "cron": "0 * * * *",
    "timezone": "UTC",
    "warn_after": 90,
    "fail_after": 180,
}


def test_the_configuration_mirrors_the_example() -> None:
    assert [resource["name"] for resource in ANALYTICS["resources"]] == [
        "projects",
        "teams",
        "user",
        "deployments",
        "environments",
        "auth_tokens",
        "aliases",
        "deployment_events",
        "teams_member",
    ]


def a_resource(name: str, path: str, selector: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"{name}, for a test",
        "cadence": dict(CADENCE),
        "endpoint": {"path": path, "data_selector": selector},
        "fields": {"id": "string", "createdAt": "number"},
        **more,
    }


def extended(*resources: dict[str, Any]) -> ApiConfig:
    config: Any = deepcopy(ANALYTICS)
    config["resources"] += resources
    return config  # type: ignore[no-any-return]


@pytest.mark.long(reason="several loads each")
def test_a_tenth_root_a_second_child_and_a_child_of_a_child_load_with_no_other_change(
    tmp_path: Path,
) -> None:
    """The three new resources ask paths the demo has: another root, and two deeper generations."""
    config = extended(
        a_resource("spaces", "/v2/teams", "teams"),
        a_resource(
            "variables",
            "/v9/projects/{resources.projects.id}/env",
            "envs",
            primary_key=["_projects_id", "id"],
            include_from_parent=["id"],
        ),
        a_resource(
            "people",
            "/v2/teams/{resources.teams_member.team_id}/members",
            "members",
            primary_key=["_teams_member_team_id", "id"],
            include_from_parent=["team_id"],
            filled_from={"id": ["uid"]},
        ),
    )
    specs = {
        spec.key.path[-1]: {dep.asset_key.path[-1] for dep in spec.deps}
        for spec in build_definitions(config).resolve_all_asset_specs()
    }
    assert (specs["spaces"], specs["variables"], specs["people"]) == (
        set(),
        {"projects"},
        {"teams_member"},
    )
    with running_demo_api() as api:
        project = Project(tmp_path, api.url, read_api(config))
        project.load_all()
        assert_equal(project.rows("spaces"), api.rows("teams"))
        variables = project.query("select _projects_id, id from analytics.variables")
        assert {(row["_projects_id"], row["id"]) for row in variables} == set(
            api.rows("environments")
        )
        people = project.query("select _teams_member_team_id, id from analytics.people")
        assert {(row["_teams_member_team_id"], row["id"]) for row in people} == set(
            api.rows("teams_member")
        )


def _unknown_parent(resource: Any) -> None:
    resource["endpoint"]["path"] = "/v1/{resources.nobody.id}/things"


def _unknown_inherited_field(resource: Any) -> None:
    resource["endpoint"]["path"] = "/v1/{resources.projects.id}/things"
    resource.update(include_from_parent=["id", "nope"], primary_key=["_projects_id", "id"])


def _own_child(resource: Any) -> None:
    resource["endpoint"]["path"] = "/v1/{resources.aliases.id}/things"


WRONG: list[tuple[Callable[[Any], object], str]] = [
    (lambda resource: resource.pop("fields"), "missing required fields `{'fields'}`"),
    (lambda resource: resource.pop("cadence"), "missing required fields `{'cadence'}`"),
    (lambda resource: resource["cadence"].pop("cron"), "missing required fields `{'cron'}`"),
    (lambda resource: resource["cadence"].update(warn_after=0), "`cadence.warn_after` is to be 1"),
    (lambda resource: resource["cadence"].update(fail_after=90), "less than `fail_after`"),
    (lambda resource: resource["cadence"].update(name="a b"), "`cadence.name` is to be a letter"),
    (
        lambda resource: resource["cadence"].update(name="daily"),
        "`cadence.name` is that of another cadence, too",
    ),
    (
        lambda resource: resource["endpoint"].update(paginator={"type": "single_page"}),
        "`since_param` needs a paginator of the type `cursor`",
    ),
    (
        lambda resource: resource["endpoint"].update(path="/v2/teams/{resources.teams.id}/x"),
        "`since_param` stands on a child",
    ),
    (
        lambda resource: resource.update(newest_params={"limit": 1}),
        "`newest_params` stands without `endpoint.incremental`",
    ),
    (lambda resource: resource.update(times=["alias"]), "`times` names `alias`"),
    (lambda resource: resource["endpoint"].pop("path"), "`endpoint.path` is missing"),
    (lambda resource: resource["fields"].update(id="text"), "fields[id]=text"),
    (lambda resource: resource.update(feilds={}), "received unexpected fields `{'feilds'}`"),
    (lambda resource: resource["endpoint"].update(pth=""), "unexpected fields `{'pth'}`"),
    (lambda resource: resource.update(name="projects"), "its `name` stands 2 times"),
    (lambda resource: resource.update(primary_key="nope"), "`primary_key` names `nope`"),
    (lambda resource: resource.update(filled_from={"x": []}), "`filled_from` names `x`"),
    (
        lambda resource: resource["endpoint"].update(params={"since": {"type": "incremental"}}),
        "`endpoint.params.since` is incremental",
    ),
    (lambda resource: resource.update(name="my things"), "`name` is to be a letter"),
    (lambda resource: resource["fields"].update(ALIAS="string"), "`fields` names `alias` 2 times"),
    (
        lambda resource: resource["endpoint"].update(path="/v1/{resources.projects}/things"),
        "`endpoint` has a placeholder that is not like {resources.projects.id}",
    ),
    (
        lambda resource: resource["endpoint"].update(path="/v1/{resources.projects.id/things"),
        "`endpoint` has a placeholder that is not like {resources.projects.id}",
    ),
    (_unknown_inherited_field, "`include_from_parent` names `nope`"),
    (
        lambda resource: resource["endpoint"].update(incremental={"cursor_path": "alias"}),
        "`endpoint.incremental.cursor_path` is not one of its `fields` of the type `number`",
    ),
    (
        lambda resource: resource.update(
            bare_list={
                "limit_param": "most",
                "everything": -1,
                "since_param": "since",
                "time_fields": ["createdAt"],
            }
        ),
        "`endpoint.params.most` is missing",
    ),
    (
        lambda resource: resource.update(store=["protectionbypass.scope"]),
        "`store` names `protectionbypass.scope`, which `withheld` withholds: choose one",
    ),
    (
        lambda resource: resource.update(withheld=["ID"]),
        "`withheld` names `ID`, which its `primary_key` needs",
    ),
    (
        lambda resource: resource.update(withheld=["created"]),
        "`withheld` names `created`, which its `createdAt` is filled from",
    ),
    (
        lambda resource: resource.update(store=["deep..token"]),
        "`store` names `deep..token`: write names with one dot between two",
    ),
    (_unknown_parent, "names the unknown parent `nobody`"),
    (_own_child, "depends on itself: aliases <- aliases"),
]


@pytest.mark.parametrize(("spoil", "complaint"), WRONG, ids=[text for _, text in WRONG])
def test_a_wrong_configuration_is_refused_naming_the_resource_and_the_key(
    spoil: Callable[[Any], object], complaint: str
) -> None:
    config = deepcopy(ANALYTICS)
    aliases: ResourceConfig = config["resources"][6]
    name = aliases["name"]
    spoil(aliases)
    with pytest.raises(ConfigurationError) as error:
        build_definitions(config)
    assert complaint in str(error.value)
    assert f"`{aliases.get('name', name)}`" in str(error.value)


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("projects", "id", "its `primary_key` needs"),
        ("deployments", "createdAt", "its `endpoint.incremental` needs"),
        ("teams", "slug", "its child `teams_member` needs"),
        ("deployment_events", "payload", "its `id` is filled from"),
    ],
)
def test_what_a_load_needs_cannot_be_withheld(name: str, path: str, reason: str) -> None:
    config = deepcopy(ANALYTICS)
    resource: Any = words_of(config, name)
    resource["withheld"] = [path]
    member: Any = words_of(config, "teams_member")
    member["include_from_parent"] = ["id", "slug"]
    with pytest.raises(ConfigurationError, match=f"names `{path}`, which {reason}"):
        build_definitions(config)


def test_a_configuration_without_resources_is_refused() -> None:
    config: Any = {"client": {"base_url": "https://api.example.com"}}
    with pytest.raises(ConfigurationError, match="`resources` is missing"):
        build_definitions(config)


def test_a_child_keyed_without_its_parent_is_refused() -> None:
    config = extended(a_resource("variables", "/v9/projects/{resources.projects.id}/env", "envs"))
    with pytest.raises(ConfigurationError, match="lacks the parent's id"):
        build_definitions(config)


def test_a_cycle_of_two_is_refused() -> None:
    config = extended(
        a_resource("hens", "/v1/{resources.eggs.id}/hens", "hens"),
        a_resource("eggs", "/v1/{resources.hens.id}/eggs", "eggs"),
    )
    with pytest.raises(ConfigurationError, match=r"depends on itself: (hens|eggs)"):
        build_definitions(config)


@pytest.mark.long(reason="several loads each")
def test_the_definitions_import_nothing_that_only_some_runs_need() -> None:
    """Each process that Dagster starts imports them, and each of these takes its time."""
    code = (
        "import analytics_assets.definitions, sys; "
        "print(sys.modules.keys() & {'alembic', 'deltalake', 'matplotlib', 'sqlalchemy'})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
