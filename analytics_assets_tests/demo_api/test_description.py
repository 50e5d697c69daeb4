"""Every answer is what the published description of the API says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator

from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import ANCHOR, ANCHOR_MS, LISTS, DemoServer
from harness.processes import moments

DESCRIPTION = Path(__file__).parents[1] / "openapi_nine_operations.json"
DAY_MS = 24 * 3600 * 1000
DESCRIBED_PATHS = {
    "user": "/v2/user",
    "environments": "/v9/projects/{idOrName}/env",
    "teams_member": "/v2/teams/{teamId}/members",
    "deployment_events": "/v3/deployments/{idOrUrl}/events",
}


def read_validator(operation: str) -> Any:
    """Read the schema of an operation's 200 response.

    Two of its `oneOf` no body can satisfy, since one branch takes any object: `Team` declares
    nothing, and the first form of a project's variables requires nothing.
    """
    description = json.loads(DESCRIPTION.read_text())
    path = DESCRIBED_PATHS.get(operation) or LISTS[operation][0]
    response = description["paths"][path]["get"]["responses"]["200"]
    schema = response["content"]["application/json"]["schema"]
    if operation == "teams":
        description["components"]["schemas"]["Team"]["not"] = {"required": ["limited"]}
    if operation == "environments":
        schema = next(form for form in schema["oneOf"] if "pagination" in form.get("required", ()))
    return OAS30Validator({**schema, "components": description["components"]})


def all_bodies(demo: DemoServer, operation: str) -> Iterator[Any]:
    if operation == "user":
        yield demo.get("/v2/user").json()
    elif operation == "deployment_events":
        for deployment in demo.rows("deployments", limit=100):
            yield demo.get(f"/v3/deployments/{deployment['uid']}/events", limit=100).json()
    else:
        for parent in demo.parents(operation):
            yield from demo.pages(LISTS[operation][0].format(parent), limit=100)


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("operation", [*LISTS, "user", "deployment_events"])
def test_every_row_validates(demo: DemoServer, operation: str) -> None:
    validator = read_validator(operation)
    bodies = list(all_bodies(demo, operation))
    assert bodies
    for body in bodies:
        validator.validate(body)


def test_growing_rows_validate(start_demo: StartDemo) -> None:
    demo = start_demo("--grow-every", "0.05", "--deployments", "3")
    validator = read_validator("deployments")
    states: set[str] = set()
    for _ in moments():
        body = demo.get("/v6/deployments", limit=100).json()
        validator.validate(body)
        states |= {row["state"] for row in body["deployments"]}
        if states >= {"QUEUED", "BUILDING", "READY"}:
            break


def test_rows_show_the_variety_the_description_allows(demo: DemoServer) -> None:
    deployments = demo.rows("deployments", limit=100)
    assert {row["state"] for row in deployments} == {
        "QUEUED", "BUILDING", "READY", "ERROR", "CANCELED",
    }  # fmt: skip
    assert {type(row["aliasAssigned"]) for row in deployments} == {int, bool}
    with_created_at = sum("createdAt" in row for row in deployments)
    assert len(deployments) / 2 < with_created_at < len(deployments)
    assert all("uid" in row and "id" not in row for row in deployments)

    teams = demo.rows("teams")
    assert 0 < sum(row.get("limited", False) for row in teams) < len(teams) / 2

    variables = [
        (project, row)
        for project in demo.parents("environments")
        for row in demo.rows("environments", project)
    ]
    assert {type(row["target"]) for _, row in variables} == {list, str}
    assert all(row["value"].startswith("demo-secret-") for _, row in variables)
    assert len({row["id"] for _, row in variables}) < len(variables)

    members = [
        row for team in demo.parents("teams_member") for row in demo.rows("teams_member", team)
    ]
    assert len({row["uid"] for row in members}) < len(members)

    bodies = list(all_bodies(demo, "deployment_events"))
    assert None in bodies
    assert [] in bodies
    assert {"payload" in body[0] for body in bodies if body} == {True, False}


def test_sizes_and_prefix_are_options(start_demo: StartDemo) -> None:
    demo = start_demo(
        "--anchor", ANCHOR, "--projects", "2", "--teams", "1", "--members", "4", "--variables", "3",
        "--deployments", "9", "--aliases", "5", "--tokens", "0", "--secret-prefix", "hush-",
    )  # fmt: skip
    counts = {
        operation: sum(len(demo.rows(operation, parent)) for parent in demo.parents(operation))
        for operation in LISTS
    }
    assert counts == {
        "projects": 2,
        "teams": 1,
        "deployments": 9,
        "auth_tokens": 0,
        "aliases": 5,
        "environments": 6,
        "teams_member": 4,
    }
    values = [row["value"] for row in demo.rows("environments", demo.parents("environments")[0])]
    assert all(value.startswith("hush-") for value in values)


def test_deployments_reach_back_as_far_as_asked_and_projects_farther(
    start_demo: StartDemo,
) -> None:
    demo = start_demo("--anchor", ANCHOR, "--days", "730")
    deployed = [row["created"] for row in demo.rows("deployments")]
    began = ANCHOR_MS - 730 * DAY_MS
    assert began <= min(deployed) < began + 30 * DAY_MS
    assert all(row["createdAt"] < began for row in demo.rows("projects"))


def test_a_world_may_be_empty(start_demo: StartDemo) -> None:
    demo = start_demo("--projects", "0", "--teams", "0")
    for operation in ("projects", "teams", "deployments", "aliases"):
        read_validator(operation).validate(demo.get(LISTS[operation][0]).json())
        assert demo.rows(operation) == []
