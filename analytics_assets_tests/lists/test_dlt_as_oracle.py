"""What dlt's own REST API source loads, the project loads, key by key and field by field."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from analytics_assets.configuration import ANALYTICS, read_api
from harness.demo_api import RESOURCES, DemoApi
from harness.oracle import (
    Fields,
    PlainDlt,
    filled,
    rows_by_key,
    with_own_words,
    without_own_words,
)
from harness.project import Project
from harness.scripted import Answer, Asked, Script, scripted_api
from harness.stores import DuckDbFile, Row


@dataclass(frozen=True)
class Case:
    """A configuration as dlt's documents have it, and a server for it.

    Attributes:
        config: dlt's words, but for `client`.
        fields: The fields that the project is told of.
        script: What the server answers.
        rows: How many rows it has of each resource.
        base: The path of the address of the API.
    """

    config: Mapping[str, Any]
    fields: Fields
    script: Script
    rows: Mapping[str, int]
    base: str = ""


# GitHub, as dlt's documents load it: https://dlthub.com/docs/dlt-ecosystem/verified-sources/rest_api

GITHUB = {
    "resource_defaults": {
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {"params": {"per_page": 10}, "paginator": "header_link"},
    },
    "resources": [
        {
            "name": "issues",
            "endpoint": {
                "path": "issues",
                "params": {"sort": "updated", "direction": "desc", "state": "all"},
            },
        },
        {
            "name": "issue_comments",
            "endpoint": {"path": "issues/{resources.issues.number}/comments"},
            "include_from_parent": ["number"],
            "primary_key": ["_issues_number", "id"],
        },
    ],
}
ISSUES = [
    {
        "id": 9_000_000_000 + number,
        "number": number,
        "title": f"Issue {number}",
        "state": "open" if number % 3 else "closed",
        "state_reason": None if number % 3 else "completed",
        "user": {"login": f"user-{number % 4}", "site_admin": False},
        "labels": [{"id": 1, "name": "bug", "default": True}] if number % 2 else [],
        "comments": number % 13,
        "updated_at": f"2026-03-{number:02d}T10:00:00Z",
        "body": None if number == 7 else f"It fails.\r\n\N{BUG} {number}",
    }
    for number in range(1, 24)
]


def github(asked: Asked) -> Answer:
    _, _, _, _, path, *rest = asked.path.split("/")
    assert path == "issues"
    if rest:
        number = int(rest[0])
        rows: list[Row] = [
            {"id": place, "body": f"+{place}", "user": {"login": "me"}, "reactions": {"+1": place}}
            for place in range(number % 13)
        ]
        return linked(asked, rows)
    assert asked.params["state"] == "all"
    return linked(asked, ISSUES[::-1])


def linked(asked: Asked, rows: list[Row]) -> Answer:
    """A page, with the link to the next one in a header."""
    page, size = asked.integer("page") or 1, asked.integer("per_page") or 30
    links = [f'<{asked.path}?per_page={size}&page=1>; rel="first"']
    if page * size < len(rows):
        query = urlencode({**asked.params, "page": page + 1})
        links.append(f'<{asked.path}?{query}>; rel="next"')
    return Answer(rows[(page - 1) * size : page * size], headers={"Link": ", ".join(links)})


# The PokeAPI, as dlt's documents load it.

POKEAPI = {
    "resource_defaults": {
        "primary_key": "name",
        "write_disposition": "merge",
        "endpoint": {
            "params": {"limit": 9},
            "paginator": {"type": "json_link", "next_url_path": "next"},
            "data_selector": "results",
        },
    },
    "resources": [
        {"name": "pokemon", "endpoint": {"path": "pokemon"}},
        {"name": "berry", "endpoint": {"path": "berry"}},
        {"name": "location", "endpoint": {"path": "location"}},
    ],
}
POKEMON = [f"pokemon-{number}" for number in range(31)]
POKEAPI_NAMES = {
    "pokemon": POKEMON,
    "berry": [f"berry-{number}" for number in range(9)],
    "location": [],
}


def pokeapi(asked: Asked) -> Answer:
    _, _, _, name, *_ = asked.path.split("/")
    names = POKEAPI_NAMES[name]
    size, start = asked.integer("limit") or 20, asked.integer("offset") or 0
    end = start + size
    return Answer(
        {
            "count": len(names),
            "next": f"{asked.path}?offset={end}&limit={size}" if end < len(names) else None,
            "previous": None,
            "results": [{"name": each, "url": f"{asked.path}/{each}"} for each in names[start:end]],
        }
    )


# A single record has neither a list nor a next page: dlt knows it by the end of its path.

POKEMON_ALONE = {
    "resource_defaults": {"primary_key": "name", "write_disposition": "merge"},
    "resources": [
        POKEAPI["resources"][0]  # type: ignore[index]
        | {
            "endpoint": {
                "path": "pokemon",
                "paginator": "json_link",
                "data_selector": "results",
                "params": {"limit": 20},
            }
        },
        {
            "name": "pokemon_details",
            "endpoint": {"path": "pokemon/{resources.pokemon.name}", "paginator": "single_page"},
            "include_from_parent": ["name"],
            "primary_key": ["_pokemon_name", "id"],
        },
    ],
}


def pokemon_alone(asked: Asked) -> Answer:
    *_, name = asked.path.split("/")
    if name == "pokemon":
        return pokeapi(asked)
    number = POKEMON.index(name)
    moves = [{"move": {"name": f"move-{place}"}, "id": place} for place in range(3)]
    return Answer({"id": number, "height": number / 4, "moves": moves, "is_default": number > 3})


# Styles of paging, each of a list of things.

THINGS: list[Row] = [
    {
        "id": number,
        "name": f"Thing {number}",
        "price": number + 0.5,
        "tags": ["new", {"deep": [number]}] if number % 2 else [],
        "size": {"cm": number, "of": None} if number % 5 else None,
        "sold": number % 3 == 0,
        "made": f"2026-01-{number:02d}T00:00:00+01:00",
        **({"note": "  7 \N{SNOWMAN}"} if number % 7 == 0 else {}),
    }
    for number in range(1, 31)
]
THING: Fields = {
    "things": {
        "id": "number",
        "name": "string",
        "price": "float",
        "tags": "array",
        "size": "object",
        "sold": "boolean",
        "made": "string",
        "note": "string",
    }
}
SEVEN = 7


def things(paginator: Any, selector: str | None = "things", **endpoint: Any) -> dict[str, Any]:
    selecting = {"data_selector": selector} if selector else {}
    return {
        "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
        "resources": [
            {
                "name": "things",
                "endpoint": {"path": "/things", "paginator": paginator, **selecting, **endpoint},
            }
        ],
    }


def seven_from(place: int) -> list[Row]:
    return THINGS[place : place + SEVEN]


def number_of_page(asked: Asked) -> Answer:
    page = asked.integer("page") or 0
    return Answer({"things": seven_from((page - 1) * SEVEN), "pages": -(-len(THINGS) // SEVEN)})


def number_from_zero(asked: Asked) -> Answer:
    return Answer(seven_from((asked.integer("p") or 0) * SEVEN))


def number_in_body(asked: Asked) -> Answer:
    page = json.loads(asked.body)["page"]["number"]
    rows = seven_from((page - 1) * SEVEN)
    return Answer({"result": {"things": rows}, "more": len(rows) == SEVEN})


def offset_with_total(asked: Asked) -> Answer:
    start, size = int(asked.params["offset"]), int(asked.params["limit"])
    return Answer({"things": THINGS[start : start + size], "meta": {"total": len(THINGS)}})


def offset_alone(asked: Asked) -> Answer:
    start, size = int(asked.params["from"]), int(asked.params["size"])
    return Answer({"data": {"rows": THINGS[start : start + size], "page": size}})


def token_after(place: int) -> str | None:
    end = place + SEVEN
    return b64encode(f"after:{end}".encode()).decode() if end < len(THINGS) else None


def place_of(token: str | None) -> int:
    return int(b64decode(token).decode().partition(":")[2]) if token else 0


def token_in_body(asked: Asked) -> Answer:
    place = place_of(asked.params.get("cursor"))
    return Answer({"things": seven_from(place), "cursors": {"next": token_after(place) or ""}})


def token_with_more(asked: Asked) -> Answer:
    """Names a cursor on the last page, too."""
    place = place_of(asked.params.get("after"))
    token = b64encode(f"after:{place + SEVEN}".encode()).decode()
    following = {"after": token, "there_are_more": token_after(place) is not None}
    return Answer({"things": seven_from(place), "page": following})


def token_of_a_search(asked: Asked) -> Answer:
    """A search, whose words and cursor are sent as JSON."""
    search = json.loads(asked.body)
    if search["query"] != "{ things { id } }" or asked.headers.get("X-Version") != "2":
        return Answer({"error": "I do not understand."}, 400)
    place = place_of(search.get("page", {}).get("after"))
    return Answer({"things": seven_from(place), "next": token_after(place)})


def token_in_header(asked: Asked) -> Answer:
    place = place_of(asked.params.get("after"))
    token = token_after(place)
    return Answer(seven_from(place), headers={"X-Next": token} if token else {})


def link_in_header(asked: Asked) -> Answer:
    return linked(asked, THINGS)


def link_in_body(asked: Asked) -> Answer:
    place = asked.integer("from") or 0
    rows = seven_from(place)
    link = f"/things?from={place + SEVEN}" if place + SEVEN < len(THINGS) else None
    return Answer({"groups": [{"things": rows[:3]}, {"things": rows[3:]}], "links": {"next": link}})


def one_page(asked: Asked) -> Answer:
    assert asked.params == {"all": "{yes}"}
    return Answer({"count": len(THINGS), "things": THINGS})


def a_form(asked: Asked) -> Answer:
    assert asked.body == b"kind=thing"
    return Answer({"things": THINGS})


STYLES: dict[str, tuple[dict[str, Any], Script]] = {
    "page_number": (
        things({"type": "page_number", "base_page": 1, "total_path": "pages"}),
        number_of_page,
    ),
    "page_number without total_path": (
        things(
            {"type": "page_number", "base_page": 0, "page_param": "p", "total_path": None},
            selector="$",
        ),
        number_from_zero,
    ),
    "page_number in the body": (
        things(
            {
                "type": "page_number",
                "base_page": 1,
                "page_body_path": "page.number",
                "total_path": None,
                "has_more_path": "more",
            },
            selector="result.things",
            method="POST",
            json={"page": {}},
        ),
        number_in_body,
    ),
    "offset": (
        things({"type": "offset", "limit": SEVEN, "total_path": "meta.total"}),
        offset_with_total,
    ),
    "offset that ends at an empty page": (
        things(
            {
                "type": "offset",
                "limit": SEVEN,
                "offset_param": "from",
                "limit_param": "size",
                "total_path": None,
                "stop_after_empty_page": True,
            },
            selector="data.rows",
        ),
        offset_alone,
    ),
    "cursor": (
        things({"type": "cursor", "cursor_path": "cursors.next", "cursor_param": "cursor"}),
        token_in_body,
    ),
    "cursor by its name alone": (things("cursor", selector="things[*]"), token_in_body),
    "cursor whose path is dlt's": (
        things({"type": "cursor", "cursor_param": "cursor"}),
        token_in_body,
    ),
    "cursor with has_more_path": (
        things(
            {
                "type": "cursor",
                "cursor_path": "page.after",
                "cursor_param": "after",
                "has_more_path": "page.there_are_more",
            }
        ),
        token_with_more,
    ),
    "cursor in a body of JSON": (
        things(
            {"type": "cursor", "cursor_path": "next", "cursor_body_path": "page.after"},
            method="POST",
            json={"query": "{{ things {{ id }} }}"},
            headers={"X-Version": "2"},
        ),
        token_of_a_search,
    ),
    "header_cursor": (
        things({"type": "header_cursor", "cursor_key": "X-Next", "cursor_param": "after"}, "$"),
        token_in_header,
    ),
    "header_link": (
        things({"type": "header_link"}, selector=None, params={"per_page": SEVEN}),
        link_in_header,
    ),
    "json_link": (
        things(
            {"type": "json_link", "next_url_path": "links.next"},
            selector="groups[*].things[*]",
        ),
        link_in_body,
    ),
    "single_page": (things("single_page", selector=None, params={"all": "{{yes}}"}), one_page),
    "single_page by a form": (
        things("single_page", method="POST", data={"kind": "thing"}),
        a_form,
    ),
}

# A child may take its parent's fields anywhere.

PARTS = things("single_page")
PARTS["resources"] += [
    {
        "name": "parts",
        "endpoint": {
            "path": "/parts",
            "method": "POST",
            "paginator": {"type": "json_link", "next_url_path": "next"},
            "data_selector": "parts",
            "params": {"of": "{resources.things.id}"},
            "headers": {"X-Of": "{resources.things.id}"},
            "json": {"of": "{resources.things.id}", "named": "= {resources.things.name}"},
        },
        "include_from_parent": ["id", "name"],
        "primary_key": ["_things_id", "place"],
    }
]


def parts(asked: Asked) -> Answer:
    if asked.path == "/things":
        return Answer({"things": THINGS[:5]})
    number = int(asked.params["of"])
    assert asked.headers["X-Of"] == str(number)
    assert json.loads(asked.body) == {"of": number, "named": f"= Thing {number}"}
    page = asked.integer("page") or 1
    rows = [{"place": page * 10 + place, "of": number} for place in range(number)]
    return Answer({"parts": rows, "next": f"/parts?of={number}&page=2" if page == 1 else None})


# Rows may be changed before they are loaded.

STEPS = things("single_page")
STEPS["resources"][0]["processing_steps"] = [
    {"filter": lambda row: row["id"] > 10},
    {"map": lambda row: {**row, "name": row["name"].upper()}},
]
STEPS["resources"] += [
    {
        "name": "names",
        "endpoint": {
            "path": "/things/{resources.things.id}/names",
            "paginator": "single_page",
            "data_selector": "names",
        },
        "include_from_parent": ["name"],
        "primary_key": ["_things_name", "id"],
        "processing_steps": [
            {"map": lambda row: {**row, "of": row["_things_name"].lower()}},
            {"yield_map": lambda row: ({**row, "id": row["id"] * 10 + copy} for copy in (1, 2))},
        ],
    }
]


def names(asked: Asked) -> Answer:
    _, _, number, *_ = f"{asked.path}//".split("/")
    return Answer({"names": [{"id": int(number)}]} if number else {"things": THINGS})


CASES = {
    "dlt's example of GitHub": Case(
        GITHUB,
        {
            "issues": {
                "id": "number",
                "number": "number",
                "title": "string",
                "state": "string",
                "state_reason": "string",
                "user": "object",
                "labels": "array",
                "comments": "number",
                "updated_at": "string",
                "body": "string",
            },
            "issue_comments": {
                "id": "number",
                "body": "string",
                "user": "object",
                "reactions": "object",
            },
        },
        github,
        {"issues": 23, "issue_comments": sum(number % 13 for number in range(1, 24))},
        "/repos/dlt-hub/dlt",
    ),
    "dlt's example of the PokeAPI": Case(
        POKEAPI,
        {name: {"name": "string", "url": "string"} for name in POKEAPI_NAMES},
        pokeapi,
        {name: len(names) for name, names in POKEAPI_NAMES.items()},
        "/api/v2/",
    ),
    "the PokeAPI, one record a request": Case(
        POKEMON_ALONE,
        {
            "pokemon": {"name": "string", "url": "string"},
            "pokemon_details": {
                "id": "number",
                "height": "float",
                "moves": "array",
                "is_default": "boolean",
            },
        },
        pokemon_alone,
        {"pokemon": len(POKEMON), "pokemon_details": len(POKEMON)},
        "/api/v2/",
    ),
    "a child that asks by query, header and body": Case(
        PARTS,
        {**THING, "parts": {"place": "number", "of": "number"}},
        parts,
        {"things": 5, "parts": 2 * (1 + 2 + 3 + 4 + 5)},
    ),
    "rows that are filtered, mapped and made several": Case(
        STEPS,
        {**THING, "names": {"id": "number", "of": "string"}},
        names,
        {"things": 20, "names": 40},
    ),
    **{
        style: Case(config, THING, script, {"things": len(THINGS)})
        for style, (config, script) in STYLES.items()
    },
}


@pytest.mark.long_but_first(reason="several loads each")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_configuration_of_dlt_loads_the_rows_that_dlt_loads(tmp_path: Path, case: Case) -> None:
    config = with_own_words(case.config, case.fields)
    plain = PlainDlt(tmp_path)
    with scripted_api(case.script) as api:
        plain.load(case.config, api.url + case.base)
        project = Project(tmp_path, api.url + case.base, read_api(config))
        project.load_all()
    for name, count in case.rows.items():
        loaded = rows_by_key(DuckDbFile(project.file), config, name)
        assert len(loaded) == count
        assert loaded == (plain.rows(config, name) if count else {}), name


@pytest.mark.long(reason="several loads each")
def test_what_comes_later_is_loaded_as_dlt_loads_it(tmp_path: Path) -> None:
    dlt_words = things(
        {"type": "json_link", "next_url_path": "next"},
        params={"per_page": 2},
        incremental={
            "cursor_path": "changed",
            "start_param": "since",
            "initial_value": 3,
            "lag": 2,
            "convert": str,
        },
    )
    rows: list[Row] = [{"id": number, "changed": number, "name": "old"} for number in range(1, 11)]
    asked_since = []

    def changed(asked: Asked) -> Answer:
        since, start = asked.integer("since") or 0, asked.integer("from") or 0
        asked_since.append(since)
        found = [row for row in rows if row["changed"] >= since]
        link = f"/things?since={since}&from={start + 2}" if start + 2 < len(found) else None
        return Answer({"things": found[start : start + 2], "next": link})

    config = with_own_words(
        dlt_words, {"things": {"id": "number", "changed": "number", "name": "string"}}
    )
    plain = PlainDlt(tmp_path)
    with scripted_api(changed) as api:
        project = Project(tmp_path, api.url, read_api(config))
        for expected, since in ((8, 3), (9, 8)):
            asked_since.clear()
            plain.load(dlt_words, api.url)
            project.load_all()
            assert set(asked_since) == {since}
            loaded = rows_by_key(DuckDbFile(project.file), config, "things")
            assert len(loaded) == expected
            assert loaded == plain.rows(config, "things")
            # One behind the look-back, one in it, and one that is new.
            rows[3] |= {"name": "new"}
            rows[8] |= {"name": "new"}
            rows.append({"id": 11, "changed": 12, "name": "new"})


@pytest.mark.long(reason="several loads each")
def test_the_nine_resources_hold_what_dlt_loads_of_them(tmp_path: Path, demo_api: DemoApi) -> None:
    plain, project = PlainDlt(tmp_path), Project(tmp_path, demo_api.url)
    convert = {str(each["name"]): filled(each) for each in ANALYTICS["resources"]}
    plain.load(without_own_words(ANALYTICS), demo_api.url, convert)
    project.load_all()
    for name in RESOURCES:
        loaded = rows_by_key(DuckDbFile(project.file), ANALYTICS, name)
        expected = plain.rows(ANALYTICS, name)
        if name == "deployments":
            for row in (*loaded.values(), *expected.values()):
                # A time or a boolean: dlt makes a boolean of the times, where that came first.
                row.pop("aliasAssigned", None)
        assert loaded
        assert loaded == expected, name
