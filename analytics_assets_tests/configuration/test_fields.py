"""The configuration knows each field that the API's public description has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from analytics_assets.configuration.secret_names import secrecy_of
from harness.configurations import ANALYTICS_API
from harness.demo_api import RESOURCES, running_demo_api
from harness.project import Project

Schema: TypeAlias = Mapping[str, Any]

DESCRIPTION: Schema = json.loads(
    (Path(__file__).parents[1] / "openapi_nine_operations.json").read_text()
)
PATHS = {
    "environments": "/v9/projects/{idOrName}/env",
    "teams_member": "/v2/teams/{teamId}/members",
    "deployment_events": "/v3/deployments/{idOrUrl}/events",
}
TYPES = {
    "string": {"string"},
    "integer": {"number"},
    "number": {"number", "float"},
    "boolean": {"boolean"},
    "array": {"array"},
    "object": {"object"},
}
"""The types of the configuration that hold values of one of JSON's."""
CHOICES = ("oneOf", "anyOf", "allOf")


def resolved(schema: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = DESCRIPTION
        for name in schema["$ref"].split("/")[1:]:
            found = found[name]
        schema = found
    return schema


def forms(schema: Schema) -> Iterator[Schema]:
    """A schema and those that it lets choose from, at any depth."""
    schema = resolved(schema)
    yield schema
    for choice in CHOICES:
        for form in schema.get(choice, []):
            yield from forms(form)


def rows_of(name: str) -> Iterator[Schema]:
    """The forms of a row of a resource."""
    resource = ANALYTICS_API.resources[name]
    path = PATHS.get(name, resource.path)
    selector = resource.endpoint.get("data_selector")
    content = DESCRIPTION["paths"][path]["get"]["responses"]["200"]["content"]
    for body in [form for answer in content.values() for form in forms(answer["schema"])]:
        selected = body if selector == "$" else body.get("properties", {}).get(selector, {})
        for form in forms(selected):
            yield from forms(form.get("items", form))


def described(name: str) -> dict[str, set[str]]:
    """The fields of a resource's rows and their JSON types."""
    fields: dict[str, set[str]] = {}
    for row in rows_of(name):
        for field, schema in row.get("properties", {}).items():
            types = {form["type"] for form in forms(schema) if "type" in form}
            fields.setdefault(field, set()).update(types)
    return fields


@pytest.mark.parametrize("name", RESOURCES)
def test_each_field_of_the_public_description_is_declared_or_withheld(name: str) -> None:
    resource = ANALYTICS_API.resources[name]
    fields = described(name)
    assert "createdAt" in fields or "created" in fields, "rows were found"
    assert {*fields} - {*resource.fields, *resource.withheld} == set()
    unlike = {
        field: (resource.fields[field], types)
        for field, types in fields.items()
        if field in resource.fields
        and types
        and resource.fields[field] not in set().union(*(TYPES[word] for word in types))
    }
    assert unlike == {}


@pytest.mark.parametrize("name", RESOURCES)
def test_no_declared_text_looks_like_a_secret_without_a_decision(name: str) -> None:
    resource = ANALYTICS_API.resources[name]
    decided = {*resource.withheld, *resource.store}
    assert {field for field in resource.fields if secrecy_of(field)} - decided == set()


@pytest.mark.long(reason="several loads each")
def test_the_project_of_a_deployment_is_known_by_its_id(tmp_path: Path) -> None:
    with running_demo_api("--deployments", "40", "--projects", "3") as api:
        project = Project(tmp_path, api.url)
        project.load_all("projects", "deployments")
        served = {row["uid"]: row["projectId"] for row in api.rows("deployments").values()}
    stored = {row["id"]: row["projectId"] for row in project.rows("deployments").values()}
    assert stored == served
    assert set(stored.values()) <= {id_ for (id_,) in project.rows("projects")}
