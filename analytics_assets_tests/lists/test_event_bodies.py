"""Bodies of events that are no plain list: what the API describes is read, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requests import exceptions

from analytics_assets.source.errors import AnalyticsApiError
from harness.listing import Row, read_list, serving
from harness.project import Project, failures
from harness.scripted import Answer, Asked, scripted_api

EVENTS = "/v3/deployments/dpl_a/events"
ONE: Row = {"type": "stdout", "created": 1, "text": "a"}
TWO: Row = {"id": "e1", "type": "stdout", "created": 2, "text": "\u2028 b\n"}
STREAM = {"Content-Type": "application/stream+json; charset=utf-8"}
PLAIN = {"Content-Type": "application/json"}


def lines(*rows: Row | None, end: str = "\n") -> bytes:
    return (end.join(json.dumps(row, ensure_ascii=False) for row in rows) + end).encode()


BODIES: list[tuple[Answer, list[Row]]] = [
    (Answer([ONE, None]), [ONE]),
    (Answer([None, None, TWO]), [TWO]),
    (Answer([None]), []),
    (Answer(lines(ONE, TWO), headers=STREAM), [ONE, TWO]),
    (Answer(lines(ONE, TWO), headers=PLAIN), [ONE, TWO]),
    (
        Answer(lines(ONE, TWO, end="\r\n\r\n"), headers={"Content-Type": "application/x-ndjson"}),
        [ONE, TWO],
    ),
    (Answer(lines(ONE, None, TWO).rstrip(), headers=STREAM), [ONE, TWO]),
    (Answer(lines(ONE), headers=STREAM), [ONE]),
    (Answer(lines(ONE), headers=PLAIN), [ONE]),
    (Answer(lines({"text": "no time"}), headers=STREAM), [{"text": "no time"}]),
    (Answer(lines({**ONE, "error": None}), headers=STREAM), [{**ONE, "error": None}]),
    (Answer(lines({**ONE, "error": None}), headers=PLAIN), [{**ONE, "error": None}]),
    (Answer(lines(TWO, {**ONE, "error": ""}), headers=STREAM), [TWO, {**ONE, "error": ""}]),
    (Answer(b""), []),
    (Answer(b"\n", headers=STREAM), []),
    (Answer(status=204), []),
    (Answer(None), []),
]


@pytest.mark.parametrize(("answer", "rows"), BODIES)
def test_the_bodies_that_the_api_describes_are_read(answer: Answer, rows: list[Row]) -> None:
    with scripted_api(serving({EVENTS: lambda _: answer})) as api:
        assert read_list(api.url, "deployment_events", "dpl_a") == rows
    assert len(api.asked) == 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_null_counts_as_a_row_where_a_page_is_cut(is_stream: bool) -> None:
    """The 99 rows and the null of a full page are not the whole list."""
    rows: list[Row | None] = [{"id": str(n), "created": n} for n in range(130)]
    rows[7] = rows[120] = None

    def answer(asked: Asked) -> Answer:
        limit = asked.integer("limit") or 0
        page = rows[:limit] if limit > 0 else rows
        if asked.integer("since"):
            page = rows[-20:]
        return Answer(lines(*page), headers=STREAM) if is_stream else Answer(page)

    with scripted_api(serving({EVENTS: answer})) as api:
        read = read_list(api.url, "deployment_events", "dpl_a")
    assert read == [row for row in rows if row is not None]


BROKEN_OFF = {"error": {"code": "internal"}, "text": "sorry"}


@pytest.mark.parametrize(
    "cut",
    [
        lines(ONE, TWO)[:-9],
        lines(ONE, TWO)[:4],
        b'[{"id": "e0"},',
        lines(ONE, BROKEN_OFF),
        lines(ONE, None, BROKEN_OFF, end="\r\n"),
    ],
)
def test_a_cut_last_line_is_a_cut_body_and_is_asked_for_again(cut: bytes) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer(lines(ONE, TWO) if asked.number else cut, headers=STREAM)

    with scripted_api(serving({EVENTS: answer})) as api:
        assert read_list(api.url, "deployment_events", "dpl_a") == [ONE, TWO]
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    "body",
    [
        lines({"error": {"code": "internal"}}),
        lines({"code": "internal", "message": "sorry"}),
        {"id": "req_1", "message": "sorry"},
    ],
)
def test_an_object_that_is_no_event_is_an_error(body: Any) -> None:
    headers = STREAM if b"error" in str(body).encode() else PLAIN
    with (
        scripted_api(serving({EVENTS: lambda _: Answer(body, headers=headers)})) as api,
        pytest.raises(AnalyticsApiError, match="without the declared list"),
    ):
        read_list(api.url, "deployment_events", "dpl_a")


@pytest.mark.parametrize("empty", [Answer(b""), Answer(status=204)])
def test_an_empty_body_in_place_of_an_object_is_a_broken_one_that_may_pass(empty: Answer) -> None:
    def answer(asked: Asked) -> Answer:
        return Answer({"projects": [ONE]}) if asked.number == 3 else empty

    with scripted_api(serving({"/v9/projects": answer})) as api:
        assert read_list(api.url, "projects") == [ONE]
    assert len(api.asked) == 4
    with (
        scripted_api(serving({"/v9/projects": lambda _: empty})) as api,
        pytest.raises(exceptions.InvalidJSONError),
    ):
        read_list(api.url, "projects")
    assert len(api.asked) == 4


@pytest.fixture
def events_api() -> Iterator[str]:
    deployments = [{"uid": f"dpl_{n}", "created": 100 + n} for n in range(len(BODIES))]
    answers: dict[str, Any] = {
        f"/v3/deployments/dpl_{n}/events": lambda _, answer=answer: answer
        for n, (answer, _) in enumerate(BODIES)
    }
    answers["/v6/deployments"] = lambda _: Answer({"deployments": deployments})
    with scripted_api(serving(answers)) as api:
        yield api.url


@pytest.mark.long(reason="several loads each")
def test_a_load_stores_the_events_of_each_and_none_costs_another_one(
    tmp_path: Path, events_api: str
) -> None:
    project = Project(tmp_path, events_api)
    result = project.load("deployments", "deployment_events")
    assert result.success, failures(result)
    stored = project.query(
        "select _deployments_id as parent, text from analytics.deployment_events"
    )
    assert sorted((row["parent"], row["text"]) for row in stored) == sorted(
        (f"dpl_{n}", row["text"]) for n, (_, rows) in enumerate(BODIES) for row in rows
    )
