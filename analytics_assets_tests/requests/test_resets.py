"""When the API takes the next request, in every way in which APIs say it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from requests import Response
from requests.structures import CaseInsensitiveDict

from analytics_assets.source.resets import Quota, quotas, seconds_to_wait, seconds_until
from harness.project import Project, metadata, sentence
from harness.scripted import Answer, Asked, scripted_api

NOW = 1_794_140_263.0
HTTP_DATE = "Sun, 08 Nov 2026 12:18:03 GMT"
ISO_TIME = "2026-11-08T12:18:03"
DAY = 86_400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("20", 20),
        (20, 20),
        ("20.5", 20.5),
        (20.5, 20.5),
        (" 20 ", 20),
        ('"20"', 20),
        ("0", 0),
        (str(31 * DAY), 31 * DAY),
        ("1794140283", 20),
        ("1794140283.5", 20.5),
        (1794140283, 20),
        ("1794140283000", 20),
        (1794140283000, 20),
        ("1794140283500.0", 20.5),
        ("1794140283000000", 20),
        ("1794140283000000000", 20),
        (1.794140283e18, 20),
        ("1794140243", -20),
        ("1794140243000", -20),
        (HTTP_DATE, 20),
        ("Sunday, 08-Nov-26 12:18:03 GMT", 20),
        ("Sun Nov  8 12:18:03 2026", 20),
        (f"{ISO_TIME}Z", 20),
        (f"{ISO_TIME}+00:00", 20),
        (f"{ISO_TIME}.500Z", 20.5),
        (ISO_TIME, 20),
        ("2026-11-08T13:18:03+01:00", 20),
        # Neither near this moment nor a delay of a quota.
        ("1", 1),
        (str(33 * DAY), None),
        ("1600000000", None),
        ("29902337239", None),
        ("1984140283000", None),
        ("9" * 400, None),
        (10**400, None),
        ("Thu, 01 Jan 2099 00:00:00 GMT", None),
        ("1970-01-01T00:00:00Z", None),
        ("-5", None),
        (-5, None),
        ("20000ms", None),
        ("1e3", None),
        ("soon", None),
        ("nan", None),
        (float("nan"), None),
        (float("inf"), None),
        ("", None),
        (None, None),
        (True, None),
        ({}, None),
        ("\N{ARABIC-INDIC DIGIT TWO}", None),
    ],
)
def test_a_moment_is_what_is_plausible(value: object, seconds: float | None) -> None:
    found = seconds_until(value, NOW)
    assert found == (None if seconds is None else pytest.approx(seconds, abs=0.01))


def answer(status: int, headers: dict[str, str], body: Any = None) -> Response:
    response = Response()
    response.status_code = status
    # The API's clock is not this machine's.
    response.headers = CaseInsensitiveDict({"Date": formatdate(NOW, usegmt=True), **headers})
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return response


def limit(**words: Any) -> dict[str, Any]:
    return {"error": {"code": "rate_limited", "limit": {"remaining": 0, **words}}}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1794140283"}, [(3, 20)]),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "1794140283000"}, [(3, 20)]),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": ISO_TIME}, [(0, 20)]),
        ({"RateLimit-Remaining": "3", "RateLimit-Reset": "20"}, [(3, 20)]),
        ({"RateLimit": "limit=10, remaining=3, reset=20"}, [(3, 20)]),
        ({"RateLimit": "limit=10;w=60, remaining=3, reset=20"}, [(3, 20)]),
        ({"RateLimit": '"default";r=3;t=20'}, [(3, 20)]),
        ({"RateLimit": '"burst";r=3;t=20, "day";q=9;pk=:r=1:;r=7;t=600'}, [(3, 20), (7, 600)]),
        ({"X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "29902337239"}, []),
        ({"X-RateLimit-Remaining": "some", "X-RateLimit-Reset": "20"}, []),
        ({"X-RateLimit-Remaining": "3"}, []),
        ({"RateLimit": '"default";r=3'}, []),
        ({}, []),
    ],
)
def test_what_remains_is_read_in_every_form(
    headers: dict[str, str], told: list[tuple[int, float]]
) -> None:
    assert quotas(answer(200, headers)) == [Quota(*quota) for quota in told]


RESET_MS = {"X-RateLimit-Reset": "1794140283000"}
ABSURD = {"Retry-After": "soon", "X-RateLimit-Reset": "29902337239"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (429, {"Retry-After": "7", **RESET_MS}, limit(reset=1794140273), 7),
        (503, {"Retry-After": HTTP_DATE}, None, 20),
        (429, {"Retry-After": "1794140283000"}, None, 20),
        (429, {"Retry-After": "soon", **RESET_MS}, None, 20),
        (429, RESET_MS, limit(reset=1794140273), 20),
        (429, {"RateLimit-Reset": "20"}, None, 20),
        (429, {"RateLimit": '"a";r=0;t=20, "b";r=9;t=600'}, None, 20),
        (429, {"RateLimit": '"a";r=0;t=20, "b";r=0;t=600'}, None, 600),
        (429, {}, limit(reset=1794140283), 20),
        (429, {}, limit(reset=1794140283000), 20),
        (429, {}, limit(reset="1794140283.5"), 20.5),
        (429, ABSURD, limit(reset=1794140283000), 20),
        (429, {}, {"error": {"retryAfter": 7, "limit": {"reset": 1794140283}}}, 7),
        (429, {}, {"message": "slow down", "retry_after": 6.5}, 6.5),
        (429, {}, {"limit": {"reset": ISO_TIME}}, 20),
        (503, {}, {"retryAfter": 7}, 7),
        (200, {"X-RateLimit-Remaining": "0", **RESET_MS}, None, 20),
        # The usual waits.
        (429, ABSURD, limit(reset=1984140283000), 0),
        (429, {}, b"<html>", 0),
        (429, {}, [1], 0),
        (429, {}, {"error": "slow down", "limit": 10}, 0),
        (503, RESET_MS, None, 0),
        (200, {"Retry-After": "20", "X-RateLimit-Remaining": "1", **RESET_MS}, None, 0),
        (200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "29902337239"}, None, 0),
        (200, {}, limit(reset=1794140283), 0),
    ],
)
def test_what_says_most_decides_the_wait(
    status: int, headers: dict[str, str], body: Any, seconds: float
) -> None:
    response = answer(status, headers, body)
    assert seconds_to_wait(response, quotas(response)) == pytest.approx(seconds, abs=0.01)


USER = Answer({"user": {"id": "usr_a"}})
SOON = 3


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat()


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    "rejection",
    [
        lambda at: Answer(None, 429, {"X-RateLimit-Reset": f"{at * 1000:.0f}"}),
        lambda at: Answer(None, 429, {"X-RateLimit-Reset": f"{at:.1f}"}),
        lambda at: Answer(None, 429, {"X-RateLimit-Reset": iso(at)}),
        lambda _: Answer(None, 429, {"RateLimit": f'"default";r=0;t={SOON}'}),
        lambda _: Answer(None, 429, {"Retry-After": f"{SOON - 0.5}"}),
        lambda at: Answer(limit(reset=int(at * 1000)), 429),
    ],
    ids=["milliseconds", "fraction", "ISO", "structured", "seconds and a half", "body"],
)
def test_a_load_waits_until_the_reset_and_no_longer(
    tmp_path: Path, rejection: Callable[[float], Answer]
) -> None:
    came: list[float] = []

    def script(asked: Asked) -> Answer:
        came.append(time.time())
        return USER if asked.number else rejection(came[0] + SOON)

    with scripted_api(script) as api:
        loaded = metadata(Project(tmp_path, api.url).load("user"), "user")
    ((first, second),) = pairwise(came)
    assert second - first >= SOON - 0.6
    # The usual wait is a hundredth of a second here.
    assert loaded["seconds_waited"] == pytest.approx(SOON, abs=0.7)


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    ("rejection", "said"),
    [
        (Answer(None, 429, {"X-RateLimit-Reset": "29902337239"}), "429 in each of 4 attempts."),
        (Answer(None, 429, {"Retry-After": "-20"}), "429 in each of 4 attempts."),
        (Answer(limit(reset=99_999_999_999_999), 429), "429 in each of 4 attempts."),
        (Answer(limit(reset=7200.4), 429), "429: it asks to wait for 2 hours, materialize it"),
        (Answer({"retryAfter": 5 * DAY}, 429), "429: it asks to wait for 5 days, materialize it"),
    ],
)
def test_an_absurd_reset_is_not_believed_and_a_far_one_says_when_to_come_back(
    tmp_path: Path, rejection: Answer, said: str
) -> None:
    with scripted_api(lambda _: rejection) as api:
        told = sentence(Project(tmp_path, api.url), "user")
    assert told.startswith(f"GET /v2/user answered {said}")
    assert len(api.asked) == (4 if "attempts" in said else 1)
