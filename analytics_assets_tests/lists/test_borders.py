"""Rows of one moment at the border of two pages: all are read, or it is an error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from analytics_assets.configuration import ANALYTICS, Api, read_api
from analytics_assets.configuration.types import FieldType
from analytics_assets.source.errors import AnalyticsApiError
from harness.configurations import endpoint_words
from harness.listing import Listing, Row, read_list, serving
from harness.project import Project
from harness.scripted import Answer, Asked, scripted_api
from harness.things import api_of, things

BOTH_KINDS = pytest.mark.parametrize(
    "until_includes", [False, True], ids=["exclusive", "inclusive"]
)
TEAM = "team_a"
LISTS = {
    "projects": ("/v9/projects", "projects", "updatedAt"),
    "teams_member": (f"/v2/teams/{TEAM}/members", "members", "createdAt"),
    "deployments": ("/v6/deployments", "deployments", "created"),
    "aliases": ("/v4/aliases", "aliases", "createdAt"),
    "environments": (f"/v9/projects/{TEAM}/env", "envs", "createdAt"),
}
WITH_SINCE = {"deployments", "aliases"}
CAPS: dict[str, dict[str, Any]] = {
    "heeds a larger limit": {"most": 1000, "most_unasked": 100},
    "cuts": {},
    "refuses": {"refuses_more": True},
}


def a_list(name: str, times: list[int], **words: Any) -> Listing:
    _, key, field = LISTS[name]
    rows = [{"id": f"{n:04d}", "uid": f"{n:04d}", field: time} for n, time in enumerate(times)]
    return Listing(rows, key, field, **words)


def read(name: str, listing: Listing) -> list[str]:
    """The ids that are read, each as often as it is."""
    with scripted_api(serving({LISTS[name][0]: listing.answer})) as api:
        rows = read_list(api.url, name, TEAM)
    # A loop would be endless.
    assert len(api.asked) < 300
    return [row["id"] for row in rows]


def ids_of(listing: Listing) -> list[str]:
    return sorted(row["id"] for row in listing.rows)


# Of twenty rows of one moment ten are on the first page.
AT_A_BORDER = [*range(1, 31), *[500] * 20, *range(1000, 1090)]
# More pages than are read one after the other, with rows of one moment at each border.
LONG = [1_700_000_000_000 + n // 30 for n in range(2100)]
# What an `until` that includes its moment brings of two of them does not fit on a page.
SIDE_BY_SIDE = [*range(30), *[100] * 60, *[101] * 60, *[102] * 60]


@pytest.mark.long_but_first(reason="further cases of a short test")
@BOTH_KINDS
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "times", [AT_A_BORDER, LONG, SIDE_BY_SIDE], ids=["short", "long", "side by side"]
)
def test_rows_of_one_moment_on_both_sides_of_a_border_are_all_read_once(
    name: str, until_includes: bool, times: list[int]
) -> None:
    listing = a_list(name, times, until_includes=until_includes)
    assert sorted(read(name, listing)) == ids_of(listing)


@BOTH_KINDS
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("cap", CAPS)
@pytest.mark.parametrize(
    ("times", "moment"),
    [
        ([1_761_010_112_345] * 130, "2025-10-21 01:28:32.345 UTC"),
        ([*range(7), *[100] * 130, 200], "1970-01-01 00:00:00.100 UTC"),
    ],
    ids=["alone", "among others"],
)
def test_more_rows_of_one_moment_than_a_page_holds_are_all_read_or_an_error(
    name: str, until_includes: bool, cap: str, times: list[int], moment: str
) -> None:
    listing = a_list(name, times, until_includes=until_includes, **CAPS[cap])
    # No limit is asked of environments: there is none to be larger.
    if cap == "heeds a larger limit" and name != "environments":
        assert sorted(read(name, listing)) == ids_of(listing)
        return
    with pytest.raises(AnalyticsApiError) as error:
        read(name, listing)
    said = str(error.value)
    assert said.startswith(f"GET {LISTS[name][0]} answered 100 rows up to {moment}")
    assert "the rest of the list cannot be asked for" in said


@pytest.mark.long(reason="several loads each")
@BOTH_KINDS
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("since_includes", [False, True])
def test_a_moment_that_fills_a_page_is_asked_for_alone_where_it_can_be(
    name: str, until_includes: bool, since_includes: bool
) -> None:
    listing = a_list(
        name,
        [*range(7), *[100] * 100, 200],
        until_includes=until_includes,
        since_includes=since_includes,
    )
    if name in WITH_SINCE:
        assert sorted(read(name, listing)) == ids_of(listing)
    else:
        with pytest.raises(AnalyticsApiError, match="the rest of the list cannot be asked for"):
            read(name, listing)


@pytest.mark.long(reason="several loads each")
@BOTH_KINDS
def test_a_load_stores_them_and_a_load_that_goes_on_from_there_loses_none(
    tmp_path: Path, until_includes: bool
) -> None:
    listing = a_list("deployments", LONG[:1200], until_includes=until_includes)
    with scripted_api(serving({LISTS["deployments"][0]: listing.answer})) as api:
        project = Project(tmp_path, api.url)
        for _ in range(2):
            project.load_all("deployments")
            stored = project.query("select id from analytics.deployments order by id")
            assert [row["id"] for row in stored] == ids_of(listing)


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(
    ("row", "cursor", "asked"),
    [
        ({"id": "a", "createdAt": 300}, 300, 301),
        ({"id": "a", "createdAt": 300}, 299, 301),
        ({"id": "a", "created": "2025-10-21", "createdAt": 300}, 300, 301),
        ({"id": "a", "number": 2}, 2, 2),
        ({"id": 57, "createdAt": 57}, 57, 57),
        ({"id": "a", "createdAt": 300}, 7, 7),
        ({"id": "a", "createdAt": 300}, 0, 0),
        ({"id": "a", "createdAt": 300}, "300x", "300x"),
        ({"id": "a", "createdAt": True}, 1, 1),
    ],
)
def test_only_a_cursor_that_is_the_time_of_the_last_row_is_moved(
    row: Row, cursor: Any, asked: Any
) -> None:
    def answer(question: Asked) -> Answer:
        is_first = "until" not in question.params
        rows = [row] if is_first else [{"id": "b"}]
        return Answer({"projects": rows, "pagination": {"next": cursor if is_first else None}})

    with scripted_api(serving({"/v9/projects": answer})) as api:
        assert [row["id"] for row in read_list(api.url, "projects")] == [row["id"], "b"]
    # The third request looks at the beginning again.
    assert [question.params.get("until") for question in api.asked] == [None, str(asked), None]


@BOTH_KINDS
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("times", [[99, 98, 97, 95, 94, 92, 90], [90], [99, 98, 98, 97]])
def test_a_list_of_one_row_a_page_is_read_to_its_end_or_an_error(
    name: str, until_includes: bool, times: list[int]
) -> None:
    listing = a_list(name, times, until_includes=until_includes, most=1, most_unasked=1)
    if name == "environments":
        # Nobody can tell whether a second row has the time of the first.
        assert {row["createdAt"] for row in listing.rows} == {
            listing.rows[int(id_)]["createdAt"] for id_ in read(name, listing)
        }
        return
    with suppress(AnalyticsApiError):
        assert sorted(read(name, listing)) == ids_of(listing)


SECONDS = [1_761_010_100 + n for n in [1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 8, 8, 9, 10, 11]]


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat()


Way = Callable[[float], Any]
UNITS: dict[str, tuple[Way, Way]] = {
    "ISO rows, milliseconds": (iso, lambda seconds: int(seconds * 1000)),
    "ISO rows, seconds": (iso, int),
    "milliseconds, seconds": (lambda seconds: int(seconds * 1000) + 7, int),
    "seconds, milliseconds": (int, lambda seconds: int(seconds * 1000)),
    "seconds, microseconds": (int, lambda seconds: int(seconds * 1_000_000)),
    "fractions": (lambda seconds: seconds + 0.5, lambda seconds: seconds + 0.5),
    "digits": (lambda seconds: str(int(seconds)), lambda seconds: str(int(seconds))),
}


def things_by(parameter: str, field: str, limit: int) -> Api:
    """The configuration of a list of things, whose cursor goes back in a parameter."""
    fields: dict[str, FieldType] = {field: "number"}
    thing = things(**fields)
    endpoint: Any = thing["endpoint"]
    endpoint["params"] = {"limit": limit}
    words = {"cursor_param": parameter, "cursor_path": "next"}
    endpoint["paginator"] = {"type": "cursor", **words}
    return api_of(thing)


def read_things(
    seconds: list[int],
    units: str = "seconds, milliseconds",
    *,
    parameter: str = "until",
    field: str = "createdAt",
    limit: int = 5,
    descends: bool = True,
    includes: bool = False,
) -> tuple[list[str], list[str]]:
    """The ids that the server has, and those that are read."""
    spelled, cursor_of = UNITS[units]
    times = {f"{n:02d}": time for n, time in enumerate(seconds)}
    sign = -1 if descends else 1

    def place(cursor: Any) -> float:
        return sign * float(cursor)

    def answer(asked: Asked) -> Answer:
        begin = asked.params.get(parameter)
        ids = [
            id_
            for id_ in sorted(times, key=lambda id_: sign * times[id_])
            if begin is None
            or place(cursor_of(times[id_])) + includes * 1e-9 * sign > place(begin)
            or (includes and place(cursor_of(times[id_])) == place(begin))
        ]
        page = ids[: min(asked.integer("limit") or limit, limit)]
        following = cursor_of(times[page[-1]]) if len(ids) > len(page) else None
        rows = [{"id": id_, field: spelled(times[id_])} for id_ in page]
        return Answer({"things": rows, "next": following})

    with scripted_api(serving({"/things": answer})) as api:
        read_rows = read_list(api.url, "things", api=things_by(parameter, field, limit))
    return sorted(times), sorted(row["id"] for row in read_rows)


@pytest.mark.long(reason="several loads each")
@BOTH_KINDS
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("field", ["createdAt", "when"])
def test_a_time_is_recognised_in_any_unit_and_under_any_name(
    units: str, field: str, until_includes: bool
) -> None:
    served, found = read_things(SECONDS, units, field=field, includes=until_includes)
    assert found == served


@pytest.mark.long(reason="several loads each")
@BOTH_KINDS
@pytest.mark.parametrize("descends", [True, False])
@pytest.mark.parametrize(
    "parameter", ["until", "before", "after", "from", "resultCursor", "filter[cursor]", "endCursor"]
)
def test_the_rows_tell_the_direction_of_a_list_and_not_its_parameter(
    parameter: str, descends: bool, until_includes: bool
) -> None:
    served, found = read_things(
        SECONDS, parameter=parameter, descends=descends, includes=until_includes
    )
    assert found == served


@pytest.mark.parametrize("descends", [True, False])
@pytest.mark.parametrize("parameter", ["until", "after"])
@pytest.mark.parametrize("seconds", [[7, 7, 7, 7, 7, 8], [7, 7, 7], [6, 7, 7, 7, 7, 7]])
def test_a_page_of_one_time_is_asked_for_again_in_the_other_direction(
    parameter: str, descends: bool, seconds: list[int]
) -> None:
    """Five rows of one time begin the list, or end it, and three or five fit on a page."""
    times = [SECONDS[0] + n for n in seconds]
    limit = 3 if len(times) > 3 else 2
    with suppress(AnalyticsApiError):
        served, found = read_things(times, parameter=parameter, descends=descends, limit=limit)
        assert found == served


@BOTH_KINDS
@pytest.mark.parametrize("parameter", ["after", "cursor"])
def test_a_list_towards_the_future_is_asked_for_from_a_moment_before(
    until_includes: bool, parameter: str
) -> None:
    config = deepcopy(ANALYTICS)
    words = {"cursor_param": parameter, "cursor_path": "pagination.next"}
    endpoint_words(config, "teams")["paginator"] = {"type": "cursor", **words}
    rows: list[Row] = [
        {"id": str(n), "createdAt": t} for n, t in enumerate([1, 2, 2, 3, 3, 3, 4, 5])
    ]

    def answer(asked: Asked) -> Answer:
        after = asked.integer(parameter)
        first = 0 if after is None else after + (not until_includes)
        found = [row for row in rows if row["createdAt"] >= first]
        following = found[4]["createdAt"] if len(found) > 5 else None
        return Answer({"teams": found[:5], "pagination": {"next": following}})

    with scripted_api(serving({"/v2/teams": answer})) as api:
        assert read_list(api.url, "teams", api=read_api(config)) == rows
