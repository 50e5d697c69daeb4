"""Rows that move to another place in their list while it is read are on no page: and are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from analytics_assets.configuration import ANALYTICS, Api, read_api
from analytics_assets.source.errors import AnalyticsApiError
from harness.configurations import endpoint_words
from harness.demo_api import DemoApi, running_demo_api
from harness.listing import Listing, Row, read_list, serving
from harness.project import Project, assert_equal, metadata
from harness.scripted import Answer, Asked, scripted_api

MOVING = ["--projects", "7", "--variables", "2", "--max-limit", "3", "--projects-by-change"]
LISTS = {
    "projects": ("/v9/projects", "projects"),
    "teams_member": ("/v2/teams/team_a/members", "members"),
}


@pytest.fixture(scope="module")
def moving_api() -> Iterator[DemoApi]:
    with running_demo_api(*MOVING) as api:
        yield api


def touch(api: DemoApi, place: int, after: int) -> None:
    """Has the project at a place of the list changed after so many requests for the list."""
    row = api.control("GET", "/rows/projects")[place]["id"]
    api.fail("projects", "touch", row=row, after=after)


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    "touched",
    [
        [(5, 1)],
        [(4, 1), (6, 0)],
        # All that is on the first page is new.
        [(4, 1), (5, 0), (6, 0)],
        [(6, 1), (5, 0), (4, 0), (3, 0)],
        # One more moves while the beginning is looked at.
        [(4, 1), (5, 0), (6, 0), (2, 0), (3, 0)],
    ],
    ids=str,
)
def test_projects_that_move_are_stored_in_one_load_and_so_are_their_variables(
    tmp_path: Path, moving_api: DemoApi, touched: list[tuple[int, int]]
) -> None:
    moving_api.reset()
    project = Project(tmp_path, moving_api.url)
    for place, after in touched:
        touch(moving_api, place, after)
    project.load_all("projects", "environments")
    moving_api.heal()
    assert_equal(project.rows("projects"), moving_api.rows("projects"))
    assert_equal(project.rows("environments"), moving_api.rows("environments"))


def test_a_stored_project_that_moves_is_not_counted_as_gone(
    tmp_path: Path, moving_api: DemoApi
) -> None:
    moving_api.reset()
    project = Project(tmp_path, moving_api.url)
    project.load_all("projects", "environments")
    touch(moving_api, 5, after=1)
    with moving_api.counted() as requests:
        result = project.load("projects", "environments")
    assert metadata(result, "projects")["rows_no_longer_listed"] == 0
    assert requests["environments"] == 7
    assert_equal(project.rows("projects"), moving_api.rows("projects"))


def members(count_of_rows: int, **words: Any) -> Listing:
    rows = [{"uid": f"u{n:03d}", "createdAt": 1000 + 3 * n} for n in range(count_of_rows)]
    return Listing(rows, "members", most=3, **words)


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(("rows", "pages"), [(0, 1), (1, 1), (3, 1), (4, 3), (7, 4)])
@pytest.mark.parametrize("includes", [False, True])
def test_a_list_that_stands_still_is_looked_at_once_more_if_it_has_several_pages(
    rows: int, pages: int, includes: bool
) -> None:
    listing = members(rows, until_includes=includes)
    with scripted_api(serving({LISTS["teams_member"][0]: listing.answer})) as api:
        assert len(read_list(api.url, "teams_member", "team_a")) == rows
    assert len(api.asked) == pages


def numbered(kind: str) -> Api:
    """The configuration with projects that are asked for by another kind of paginator."""
    config = deepcopy(ANALYTICS)
    words: dict[str, dict[str, Any]] = {
        "offset": {"limit": 3, "total_path": None},
        "page_number": {"base_page": 1, "total_path": None},
        "json_link": {"next_url_path": "next"},
        "header_link": {},
    }
    endpoint_words(config, "projects")["paginator"] = {"type": kind, **words[kind]}
    return read_api(config)


def page_of(rows: list[Row], asked: Asked, url: str) -> Answer:
    """Three rows, by an offset, a number or a link."""
    page = asked.integer("page") or 1
    first = asked.integer("offset") or 3 * (page - 1)
    headers: dict[str, str] = {}
    body: dict[str, Any] = {"projects": rows[first : first + 3]}
    if first + 3 < len(rows):
        following = f"{url}/v9/projects?page={page + 1}"
        body["next"], headers = following, {"Link": f'<{following}>; rel="next"'}
    return Answer(body, headers=headers)


@pytest.mark.parametrize("kind", ["offset", "page_number", "json_link", "header_link"])
def test_a_row_that_moves_is_read_whatever_the_paginator(kind: str) -> None:
    rows = [{"id": str(n), "updatedAt": 100 - n} for n in range(8)]
    numbers = count()

    def answer(asked: Asked) -> Answer:
        if next(numbers) == 1:
            rows.insert(0, rows.pop(6) | {"updatedAt": 200})
        return page_of(rows, asked, api.url)

    with scripted_api(serving({"/v9/projects": answer})) as api:
        read = read_list(api.url, "projects", api=numbered(kind))
    assert {row["id"] for row in read} == {row["id"] for row in rows}
    assert next(row for row in read if row["id"] == "6")["updatedAt"] == 200


@pytest.mark.parametrize(("kind", "requests"), [("offset", 2), ("json_link", 1)])
def test_a_list_of_one_page_is_not_looked_at_again(kind: str, requests: int) -> None:
    rows = [{"id": str(n)} for n in range(3)]
    answers = {"/v9/projects": lambda asked: page_of(rows, asked, "")}
    with scripted_api(serving(answers)) as api:
        assert read_list(api.url, "projects", api=numbered(kind)) == rows
    assert len(api.asked) == requests


Change = Callable[[list[Row], int], None]


def all_differ(rows: list[Row], number: int) -> None:
    for row in rows:
        row["seen"] = number


def one_differs(rows: list[Row], number: int) -> None:
    rows[-1]["seen"] = number


def some_differ(rows: list[Row], number: int) -> None:
    for row in rows[4:]:
        row["seen"] = number


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("change", "requests"), [(all_differ, 8), (one_differs, 5), (some_differ, 12)]
)
def test_rows_with_a_field_that_differs_in_each_answer_end(
    name: str, change: Change, requests: int
) -> None:
    listing, numbers = members(7), count()
    path, listing.key = LISTS[name]
    listing.field = "updatedAt" if name == "projects" else "createdAt"
    for row in listing.rows:
        row |= {"id": row["uid"], "updatedAt": row["createdAt"]}

    def answer(asked: Asked) -> Answer:
        change(listing.rows, next(numbers))
        return listing.answer(asked)

    with scripted_api(serving({path: answer})) as api:
        read = read_list(api.url, name, "team_a")
    assert {row["uid"] for row in read} == {row["uid"] for row in listing.rows}
    assert len(api.asked) <= requests


def test_a_list_that_changes_at_each_request_is_an_error_and_no_endless_loop() -> None:
    listing, numbers = members(7), count()

    def answer(asked: Asked) -> Answer:
        number = next(numbers)
        newest = max(row["createdAt"] for row in listing.rows)
        more = range(newest + 1, newest + 5)
        listing.rows += [{"uid": f"new {number} {time}", "createdAt": time} for time in more]
        return listing.answer(asked)

    with (
        scripted_api(serving({LISTS["teams_member"][0]: answer})) as api,
        pytest.raises(AnalyticsApiError, match="the list changes faster than it can be read"),
    ):
        read_list(api.url, "teams_member", "team_a")
    assert len(api.asked) < 60
