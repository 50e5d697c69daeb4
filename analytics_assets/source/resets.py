"""Reads off an answer when the API takes the next request.

APIs write that moment in many ways: as a date, as an epoch, as a delay, in a header or in the body.
What is meant is decided by plausibility: at most one reading is near the API's own clock.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from datetime import timezone
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from requests import Response

from analytics_assets.source.clock import epoch_milliseconds

LARGEST_SKEW = 2.0
"""Seconds that the API's clock may differ from ours before its own is gone by: a `Date` header has
no fraction."""
FARTHEST = 32 * 86_400.0
"""Seconds from now of the farthest reset that is believed: quotas of a month are the longest."""
UNITS = (1.0, 1e3, 1e6, 1e9)
"""Of an epoch: seconds, milliseconds, microseconds, nanoseconds."""

_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_COUNT = re.compile(r"-?\d+", re.ASCII)
_PARAMETER = re.compile(r"(?<![\w-])(remaining|reset|r|t)\s*=\s*(\d+(?:\.\d+)?)", re.ASCII)


class Quota(NamedTuple):
    """What an API says of one of its limits.

    Attributes:
        remaining: Requests that it takes until the reset.
        seconds: Seconds until the reset.
    """

    remaining: int
    seconds: float


def quotas(response: Response) -> list[Quota]:
    """The limits that the headers of an answer tell of, as far as they can be believed."""
    told = [each for each in _told_by_headers(response.headers) if _COUNT.fullmatch(each[0])]
    now = api_clock(response) if told else 0.0
    return [
        Quota(max(int(remaining), 0), seconds)
        for remaining, reset in told
        if (seconds := seconds_until(reset, now)) is not None
    ]


def seconds_to_wait(response: Response, told: Sequence[Quota]) -> float:
    """Seconds until the API takes the next request; 0 or less where it says nothing of the kind.

    `Retry-After` (RFC 9110, 10.2.3) comes first, then the limit that is used up, then what the body
    of a rejection says. Of several limits the last reset counts.

    Args:
        response: The answer.
        told: Its quotas.
    """
    is_limited = response.status_code == 429
    is_rejected = is_limited or response.status_code >= 500
    used_up = [quota.seconds for quota in told if quota.remaining == 0]
    if not is_rejected:
        return max(used_up, default=0.0)
    headers, now = response.headers, api_clock(response)
    if (after := seconds_until(headers.get("Retry-After"), now)) is not None:
        return after
    if used_up:
        return max(used_up)
    # A rejection need not tell what remains.
    resets = [reset for _, reset in _told_by_headers(headers)] if is_limited else []
    for values in (resets, *_told_by_body(response)):
        believed = [found for each in values if (found := seconds_until(each, now)) is not None]
        if believed:
            return max(believed)
    return 0.0


def seconds_until(value: object, now: float) -> float | None:
    """Seconds until the moment that a header or a field of a body means; negative once it is over.

    None of a value that means none: a text, a negative number, or a moment that is nowhere near.

    Args:
        value: A delay in seconds, an epoch in any unit, or a date as HTTP or ISO 8601 writes it.
        now: The API's clock, in epoch seconds.
    """
    if isinstance(value, str):
        value = value.strip().strip('"')
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        readings = [moment - now for moment in (_http_date(value), _iso_time(value)) if moment]
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        # By way of text: a whole number may be too large.
        number = float(str(value))
        readings = [number, *(number / unit - now for unit in UNITS)] if number >= 0 else []
    else:
        readings = []
    return next((seconds for seconds in readings if abs(seconds) <= FARTHEST), None)


def api_clock(response: Response) -> float:
    """This moment by the API's clock, where it differs much from ours."""
    api, ours = _http_date(response.headers.get("Date", "")), time.time()
    return api if api and abs(api - ours) > LARGEST_SKEW else ours


def _told_by_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """What remains, and the reset, of each limit; "" of what is not told.

    Three ways: `X-RateLimit-Remaining` and `X-RateLimit-Reset`, the same without `X-`, and the
    header `RateLimit` of the IETF's drafts: `limit=10, remaining=0, reset=5`, or a list of limits
    like `"default";r=0;t=5`.
    """
    told = [
        (headers.get(f"{name}-Remaining", "").strip(), headers.get(f"{name}-Reset", ""))
        for name in ("X-RateLimit", "RateLimit")
    ]
    field = headers.get("RateLimit", "")
    limits = [field] if "remaining" in field else field.split(",")
    for limit in limits:
        said: dict[str, str] = dict(_PARAMETER.findall(limit))
        remaining, reset = said.get("remaining", ""), said.get("reset", "")
        told.append((said.get("r", remaining), said.get("t", reset)))
    return told


def _told_by_body(response: Response) -> tuple[list[Any], list[Any]]:
    """The delays, and the resets, in the body of a rejection: `retryAfter`, `error.limit.reset`."""
    try:
        body = response.json()
    except ValueError:
        return [], []
    error = _member(body, "error")
    objects = [body, error, _member(body, "limit"), _member(error, "limit")]
    delays = [_member(each, name) for each in objects for name in ("retryAfter", "retry_after")]
    return delays, [_member(each, "reset") for each in objects]


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _http_date(text: str) -> float:
    """The epoch seconds of an HTTP date; 0 where it is none."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return 0.0
    # Of the three forms one names no zone (RFC 9110, 5.6.7): all are in GMT.
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()


def _iso_time(text: str) -> float:
    """The epoch seconds of an ISO time; 0 where it is none."""
    try:
        return epoch_milliseconds(text) / 1000
    except (ValueError, OverflowError):
        return 0.0
