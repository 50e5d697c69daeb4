"""Events are complete, though their endpoint cuts its list without saying so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dlt.sources.helpers.rest_client.client import RESTClient

from analytics_assets.source.bare_list import BareListPaginator
from analytics_assets.source.errors import AnalyticsApiError
from harness.configurations import ANALYTICS_API
from harness.demo_api import running_demo_api
from harness.project import Project, assert_equal

Row = dict[str, Any]
Answer = Callable[[list[Row], int, int], list[Row]]


@pytest.mark.long(reason="several loads each")
def test_a_deployment_with_a_thousand_events_loads_a_thousand(tmp_path: Path) -> None:
    with running_demo_api("--deployments", "5", "--events-of", "0=1000") as api:
        project = Project(tmp_path, api.url)
        project.load_all("deployments", "deployment_events")
        served = api.rows("deployment_events")
        assert len(served) >= 1000
        assert_equal(project.rows("deployment_events"), served)


@pytest.mark.long(reason="several loads each")
def test_events_without_any_id_stay_as_many_as_they_are(tmp_path: Path) -> None:
    with running_demo_api("--deployments", "20", "--events-without-id") as api:
        project = Project(tmp_path, api.url)
        project.load_all("deployments", "deployment_events")
        served = sum(
            len(api.get(f"/v3/deployments/{uid}/events", limit=-1) or [])
            for (uid,) in api.rows("deployments")
        )
        first = project.rows("deployment_events")
        assert len(first) == served
        # The ids are digests: what is loaded again overwrites itself.
        for (uid,) in api.rows("deployments"):
            api.control("POST", f"/rows/deployments?id={uid}", set={"checksState": "completed"})
        project.load_all("deployments", "deployment_events")
        assert set(project.rows("deployment_events")) == set(first)


def test_equal_events_without_id_stay_apart(tmp_path: Path) -> None:
    with running_demo_api("--deployments", "1") as api:
        ((uid,),) = api.rows("deployments")
        twin = {"type": "stdout", "created": 1, "payload": {"text": "twice"}}
        for _ in range(3):
            api.control("POST", f"/rows/deployment_events/add?parent={uid}", **twin)
        project = Project(tmp_path, api.url)
        project.load_all("deployments", "deployment_events")
        twins = project.query("select id from analytics.deployment_events where text = 'twice'")
        assert len({row["id"] for row in twins}) == 3


def everything_on_request(rows: list[Row], limit: int, since: int) -> list[Row]:
    """Answers all rows to `limit=-1`, as the API's description says."""
    newer = [row for row in rows if row["created"] >= since]
    return newer if limit == -1 else newer[:limit]


def everything_up_to_300(rows: list[Row], limit: int, since: int) -> list[Row]:
    """Answers to `limit=-1` as many rows as another limit, of which it says nothing, allows."""
    newer = [row for row in rows if row["created"] >= since]
    return newer[:300] if limit == -1 else newer[:limit]


def capped_since_inclusive(rows: list[Row], limit: int, since: int) -> list[Row]:
    """Takes -1 for a small limit and cuts at 100; `since` includes its own millisecond."""
    return [row for row in rows if row["created"] >= since][: min(max(limit, 1), 100)]


def capped_since_exclusive(rows: list[Row], limit: int, since: int) -> list[Row]:
    """The same, with a `since` that excludes its own millisecond."""
    return [row for row in rows if row["created"] > since][: min(max(limit, 1), 100)]


def everything_up_to_100(rows: list[Row], limit: int, since: int) -> list[Row]:
    """Takes -1 for a small limit, and heeds any other one."""
    return [row for row in rows if row["created"] >= since][: 100 if limit == -1 else limit]


def all_up_to_300(rows: list[Row], limit: int, since: int) -> list[Row]:
    """Cuts any limit at 300; `since` excludes its own millisecond."""
    newer = [row for row in rows if row["created"] > since]
    return newer[: 300 if limit == -1 else min(limit, 300)]


def capped_without_since(rows: list[Row], limit: int, since: int) -> list[Row]:
    """Cuts at 100 and knows no `since`: the rest cannot be had."""
    del since
    return rows[: min(max(limit, 1), 100)]


@contextmanager
def serving(rows: list[Row], answer: Answer) -> Iterator[str]:
    """A server that answers every path with a bare list."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            limit, since = int(query["limit"][0]), int(query.get("since", ["0"])[0])
            body = json.dumps(answer(rows, limit, since)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keeps the test's output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def read_all(url: str, limit: int) -> list[int]:
    words = ANALYTICS_API.resources["deployment_events"].bare_list
    assert words
    paginator = BareListPaginator(words)
    pages = RESTClient(url).paginate(
        "/events", params={"limit": limit}, paginator=paginator, data_selector="$"
    )
    return [row["n"] for page in pages for row in page]


# Three rows in each millisecond: a page's end cuts one in two.
ROWS = [{"n": n, "created": 1000 + n // 3} for n in range(437)]


@pytest.mark.parametrize(
    "answer",
    [
        everything_on_request,
        everything_up_to_300,
        capped_since_inclusive,
        capped_since_exclusive,
    ],
)
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 102, 300, 301, 437])
def test_a_bare_list_is_completed_each_row_once(answer: Answer, count: int) -> None:
    with serving(ROWS[:count], answer) as url:
        assert read_all(url, limit=100) == list(range(count))


@pytest.mark.parametrize("answer", [capped_since_inclusive, capped_since_exclusive])
@pytest.mark.parametrize("count", [100, 250])
def test_a_bare_list_in_nearly_ascending_time_is_completed_each_row_once(
    answer: Answer, count: int
) -> None:
    """As the lines of several machines come: some a few milliseconds before the one above."""
    rows = [{"n": n, "created": 1000 + n - 7 * (n % 3)} for n in range(count)]
    with serving(rows, answer) as url:
        assert sorted(read_all(url, limit=100)) == list(range(count))


def test_equal_rows_on_both_sides_of_a_cut_stay_as_many_as_they_are() -> None:
    rows = [{"n": n // 4, "created": 1000 + n // 4} for n in range(210)]
    with serving(rows, capped_since_inclusive) as url:
        assert sorted(read_all(url, limit=100)) == [row["n"] for row in rows]


@pytest.mark.parametrize("limit", [1, 2])
def test_a_bare_list_is_completed_whatever_the_limit(limit: int) -> None:
    with serving(ROWS, everything_on_request) as url:
        assert read_all(url, limit) == list(range(len(ROWS)))


def test_a_list_whose_rest_cannot_be_had_is_an_error_and_no_silent_cut() -> None:
    with (
        serving(ROWS, capped_without_since) as url,
        pytest.raises(AnalyticsApiError, match="did not advance"),
    ):
        read_all(url, limit=100)


def test_a_page_full_of_one_millisecond_is_an_error_and_no_endless_loop() -> None:
    rows = [{"n": n, "created": 1000} for n in range(300)]
    with (
        serving(rows, capped_since_inclusive) as url,
        pytest.raises(AnalyticsApiError, match="did not advance"),
    ):
        read_all(url, limit=100)


BEFORE, AFTER = [1000] * 30, [3000] * 40


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(
    "answer", [everything_on_request, everything_up_to_300, everything_up_to_100]
)
@pytest.mark.parametrize("times", [[2000] * 120, [2000] * 320, [*BEFORE, *[2000] * 320, *AFTER]])
def test_more_events_of_one_moment_than_a_page_holds_come_where_a_larger_limit_is_heeded(
    answer: Answer, times: list[int]
) -> None:
    rows = [{"n": n, "created": time} for n, time in enumerate(times)]
    with serving(rows, answer) as url:
        assert sorted(read_all(url, limit=100)) == list(range(len(rows)))


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(
    ("answer", "most"),
    [(capped_since_inclusive, 100), (capped_since_exclusive, 100), (all_up_to_300, 300)],
)
@pytest.mark.parametrize("around", [([], []), (BEFORE, []), ([], AFTER), (BEFORE, AFTER)])
def test_more_events_of_one_moment_than_a_page_holds_are_an_error_where_none_is(
    answer: Answer, most: int, around: tuple[list[int], list[int]]
) -> None:
    before, after = around
    times = [*before, *[2000] * (most + 20), *after]
    rows = [{"n": n, "created": time} for n, time in enumerate(times)]
    with (
        serving(rows, answer) as url,
        pytest.raises(AnalyticsApiError, match=r"1970-01-01 00:00:02\.000 UTC: more rows"),
    ):
        read_all(url, limit=100)


@pytest.mark.parametrize("answer", [capped_since_inclusive, capped_since_exclusive, all_up_to_300])
def test_moments_of_more_than_half_a_page_of_events_are_read_once_each(answer: Answer) -> None:
    times = [*[1000] * 70, *[1001] * 90, *[1002] * 60, *[1009] * 99, 1010]
    rows = [{"n": n, "created": time} for n, time in enumerate(times)]
    with serving(rows, answer) as url:
        assert sorted(read_all(url, limit=100)) == list(range(len(rows)))
