"""A child asks for its own parent's address, whatever the parent's id holds, and for no other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from harness.project import Project, sentence
from harness.scripted import Answer, Asked, Script, ScriptedApi, scripted_api
from harness.things import api_of, parts, things

IDS = {
    "a/b": "a%2Fb",
    "c?d": "c%3Fd",
    "e#f": "e%23f",
    "100%": "100%25",
    "%2e%2e": "%252e%252e",
    "%2F": "%252F",
    "a b": "a%20b",
    "a+b": "a%2Bb",
    "a&b=c;d": "a%26b%3Dc%3Bd",
    "\u00fc\u4e2d\U0001f389": "%C3%BC%E4%B8%AD%F0%9F%8E%89",
    "a/../b": "a%2F..%2Fb",
    "/": "%2F",
    "../c": "..%2Fc",
    "{x}": "%7Bx%7D",
    "...": "...",
    "a\\b": "a%5Cb",
    "http://other.example/x": "http%3A%2F%2Fother.example%2Fx",
    "plain-1_2.3~": "plain-1_2.3~",
}
"""Ids, and how a path has them."""
DOTS = ["..", "."]


def projects_and_variables(ids: list[str]) -> Script:
    """Answers a variable that names the project whose address was asked for."""

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v9/projects":
            return Answer({"projects": [{"id": name} for name in ids], "pagination": None})
        name = unquote(asked.path.removeprefix("/v9/projects/").removesuffix("/env"))
        return Answer({"envs": [{"id": "env_1", "key": name}]})

    return answer


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("dots", [[], DOTS], ids=["all askable", "with dots"])
def test_ids_are_quoted_in_a_path_and_rows_stand_under_their_parent(
    tmp_path: Path, dots: list[str]
) -> None:
    with scripted_api(projects_and_variables([*IDS, *dots])) as api:
        project = Project(tmp_path, api.url)
        for _ in range(2):
            project.load_all("projects")
            if not dots:
                project.load_all("environments")
                continue
            said = sentence(project, "environments")
            assert said.startswith("environments cannot be asked for 2 of its parents (")
            assert all(f"`id` {name!r}" in said for name in dots)
        asked = [path for path in api.paths() if path != "/v9/projects"]
    assert sorted(asked) == sorted([f"/v9/projects/{quoted}/env" for quoted in IDS.values()] * 2)
    stored = project.query('select "_projects_id" as parent, "key" from analytics.environments')
    assert {row["parent"]: row["key"] for row in stored} == {name: name for name in IDS}
    assert len(stored) == len(IDS)


def test_ids_of_deployments_are_quoted_and_dots_are_told_by_each_load(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/v6/deployments":
            rows = [{"uid": name, "created": 1_761_010_112_345} for name in ("a/b", "..", "c")]
            return Answer({"deployments": rows, "pagination": None})
        return Answer([{"id": "e0", "created": 1, "text": asked.path}])

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url)
        project.load_all("deployments")
        for _ in range(2):
            assert "cannot be asked for 1 of its parents (`id` '..')" in sentence(
                project, "deployment_events"
            )
        asked = sorted(path for path in api.paths() if path != "/v6/deployments")
    assert asked == ["/v3/deployments/a%2Fb/events", "/v3/deployments/c/events"]
    columns = '"_deployments_id" as parent, "text"'
    stored = project.query(f"select {columns} from analytics.deployment_events")  # noqa: S608
    assert {row["parent"]: row["text"] for row in stored} == {
        "a/b": "/v3/deployments/a%2Fb/events",
        "c": "/v3/deployments/c/events",
    }


def of_things(api: ScriptedApi) -> list[Asked]:
    return [asked for asked in api.asked if asked.path != "/things"]


PLACES: list[tuple[dict[str, Any], Any]] = [
    (
        {"path": "/parts", "params": {"of": "{resources.things.id}"}},
        lambda asked: asked.params["of"],
    ),
    (
        {"path": "/parts?of={resources.things.id}"},
        lambda asked: asked.params["of"],
    ),
    (
        {"path": "/parts", "method": "POST", "json": {"of": "{resources.things.id}"}},
        lambda asked: json.loads(asked.body)["of"],
    ),
    (
        {"path": "/parts", "method": "POST", "data": {"of": "{resources.things.id}"}},
        lambda asked: parse_qs(asked.body.decode())["of"][0],
    ),
    (
        {
            "path": "/things/x-{resources.things.id}/parts",
            "params": {"of": "{resources.things.id}"},
        },
        lambda asked: unquote(asked.path).removeprefix("/things/x-").removesuffix("/parts"),
    ),
]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    ("endpoint", "asked_of"), PLACES, ids=["params", "query", "json", "data", "part of a segment"]
)
def test_an_id_reaches_the_server_as_it_is_wherever_a_request_has_it(
    tmp_path: Path, endpoint: dict[str, Any], asked_of: Any
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/things":
            return Answer({"things": [{"id": name} for name in [*IDS, *DOTS]]})
        return Answer({"parts": [{"id": "part", "name": asked_of(asked)}]})

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url, api_of(things(), parts(**endpoint)))
        project.load_all()
        asked = of_things(api)
    assert sorted(map(asked_of, asked)) == sorted([*IDS, *DOTS]), "each once"
    stored = project.query('select "_things_id" as parent, name from analytics.parts')
    assert {row["parent"]: row["name"] for row in stored} == {n: n for n in [*IDS, *DOTS]}


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    "endpoint",
    [
        {"path": "/things/{resources.things.name}/parts"},
        {"path": "/parts", "params": {"of": "{resources.things.name}"}},
        {"path": "/parts", "method": "POST", "json": {"of": "{resources.things.name}"}},
    ],
)
def test_an_empty_field_asks_for_nothing_and_is_named(
    tmp_path: Path, endpoint: dict[str, Any]
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/things":
            return Answer({"things": [{"id": "1", "name": ""}, {"id": "2", "name": "b"}]})
        return Answer({"parts": [{"id": "part"}]})

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url, api_of(things(name="string"), parts(**endpoint)))
        project.load_all("things")
        assert "(`id` '1' and `name` '')" in sentence(project, "parts")
        assert len(of_things(api)) == 1
    assert project.query('select "_things_id" as id from analytics.parts') == [{"id": "2"}]


@pytest.mark.long(reason="several loads each")
def test_an_id_that_is_a_number_is_asked_for_as_it_is(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/things":
            return Answer({"things": [{"id": 7}, {"id": -8}]})
        return Answer({"parts": [{"id": urlsplit(asked.path).path}]})

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url, api_of(things(id="number"), parts()))
        project.load_all()
    stored = project.query('select "_things_id" as parent, id from analytics.parts')
    assert {row["parent"]: row["id"] for row in stored} == {
        7: "/things/7/parts",
        -8: "/things/-8/parts",
    }
