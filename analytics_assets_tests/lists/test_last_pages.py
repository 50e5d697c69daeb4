"""A complete list that bears a cursor all the same ends, and a list that is cut does not."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_assets.source.errors import AnalyticsApiError
from harness.listing import Listing, Row, read_list, serving
from harness.scripted import Answer, Asked, scripted_api

LISTS = {
    "auth_tokens": ("/v5/user/tokens", "tokens"),
    "teams_member": ("/v2/teams/a/members", "members"),
    "environments": ("/v9/projects/a/env", "envs"),
    "aliases": ("/v4/aliases", "aliases"),
}


def rows_of(times: list[int]) -> list[Row]:
    return [{"id": str(n), "uid": str(n), "createdAt": time} for n, time in enumerate(times)]


def read(name: str, answer: Any) -> tuple[list[Row], int]:
    with scripted_api(serving({LISTS[name][0]: answer})) as api:
        rows = read_list(api.url, name, "a")
    return rows, len(api.asked)


def always(name: str, rows: list[Row], cursor: Any, **pagination: Any) -> Any:
    body = {LISTS[name][1]: rows, "pagination": {"next": cursor, **pagination}}
    return lambda _: Answer(body)


@pytest.mark.parametrize("name", LISTS)
def test_a_page_that_says_that_none_follows_is_the_last(name: str) -> None:
    rows = rows_of([300, 200, 100])
    assert read(name, always(name, rows, 100, hasNext=False)) == (rows, 1)


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    ("times", "requests"),
    [([100], 3), ([300, 200, 100], 2), ([101, 100], 3), ([100, 100, 100], 3)],
)
def test_a_cursor_that_is_not_heeded_ends_a_list_that_is_not_full(
    name: str, times: list[int], requests: int
) -> None:
    rows = rows_of(times)
    read_rows, asked = read(name, always(name, rows, times[-1]))
    assert read_rows == rows
    # One more looks at the beginning of a list that may move, and one at the time of a single row.
    assert asked == requests + (name != "aliases") + (name == "environments" and times == [100])


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("name", ["auth_tokens", "teams_member", "aliases"])
@pytest.mark.parametrize("cursor", ["abc", 7])
def test_a_token_that_is_not_heeded_ends_a_list_that_is_not_full(name: str, cursor: Any) -> None:
    rows = rows_of([300, 200])
    assert read(name, always(name, rows, cursor))[0] == rows


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("times", [[100], [300, 200, 100], [200, 100, 100]])
def test_a_last_page_that_names_the_time_of_its_last_row_is_the_last(
    name: str, times: list[int]
) -> None:
    """An `until` that includes its time brings that row again and again."""
    listing = Listing(
        rows_of(times), LISTS[name][1], until_includes=True, names_next=lambda _: True
    )
    assert read(name, listing.answer)[0] == listing.rows


@pytest.mark.parametrize("name", ["auth_tokens", "teams_member", "aliases"])
@pytest.mark.parametrize("times", [list(range(200, 100, -1)), [100] * 100])
@pytest.mark.parametrize("cursor", [None, "abc"], ids=["time", "token"])
def test_a_full_page_that_comes_again_is_an_error(
    name: str, times: list[int], cursor: str | None
) -> None:
    rows = rows_of(times)
    with pytest.raises(AnalyticsApiError, match="cursor did not advance"):
        read(name, always(name, rows, cursor or times[-1]))


def test_a_page_that_says_that_another_follows_and_comes_again_is_an_error() -> None:
    with pytest.raises(AnalyticsApiError, match="cursor did not advance"):
        read("teams_member", always("teams_member", rows_of([300, 200]), 200, hasNext=True))


@pytest.mark.parametrize("pagination", [{"next": None}, {"next": ""}, {"next": False}, {}])
@pytest.mark.parametrize(
    ("has_next", "said"),
    [("hasNext", True), ("hasMore", "true"), ("has_next_page", 1), ("HasMore", True)],
)
def test_a_page_that_says_that_another_follows_and_names_no_cursor_is_an_error(
    has_next: str, said: Any, pagination: dict[str, Any]
) -> None:
    body = {"members": rows_of([300, 200]), "pagination": {has_next: said, **pagination}}
    with pytest.raises(AnalyticsApiError, match="the list goes on, and no cursor to go on with"):
        read("teams_member", lambda _: Answer(body))


@pytest.mark.parametrize(
    "pagination",
    [
        {"hasNext": "false"},
        {"hasNext": 0},
        {"HAS_MORE": False},
        {"has-more": False},
        {"HasNextPage": "False"},
    ],
)
@pytest.mark.parametrize("cursor", ["token", 0])
def test_that_none_follows_is_read_in_any_spelling(pagination: dict[str, Any], cursor: Any) -> None:
    rows = rows_of([300, 200])
    body = {"members": rows, "pagination": {"next": cursor, **pagination}}
    assert read("teams_member", lambda _: Answer(body)) == (rows, 1)


def test_a_server_that_cuts_below_the_limit_is_not_taken_for_one_that_does_not_heed_a_cursor() -> (
    None
):
    listing = Listing(rows_of([100] * 9 + [50] * 3), "tokens", most=5)
    with pytest.raises(AnalyticsApiError, match="the rest of the list cannot be asked for"):
        read("auth_tokens", listing.answer)


def test_empty_pages_with_cursors_go_on() -> None:
    pages: list[tuple[list[Row], str | None]] = [([], "b"), ([], "c"), (rows_of([1]), None)]

    def answer(asked: Asked) -> Answer:
        rows, following = pages[min(asked.number, 2)]
        return Answer({"tokens": rows, "pagination": {"next": following}})

    assert read("auth_tokens", answer)[0] == rows_of([1])
