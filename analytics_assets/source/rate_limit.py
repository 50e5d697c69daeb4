"""The API's rate limit, as its answers tell it, kept by all requests of a load together.

No kept library reads it off the answers: limiters bound a rate that is known beforehand, and this
one differs by endpoint and is told in `Retry-After` and `X-RateLimit-*` headers alone.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from requests import Response

from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.telling import Tell

SHORTEST_WAIT_TOLD = 5.0
"""Seconds from which on a wait is worth a line in the log."""
LARGEST_SKEW = 2.0
"""Seconds that the API's clock may differ from ours before its own is gone by: a `Date` header has
no fraction."""


class RateLimit:
    """Lets requests through while the API allows them.

    Attributes:
        waits: When requests of this load were held back: beginnings and ends, as epochs in seconds.
    """

    def __init__(self, tell: Tell, longest_wait: float) -> None:
        """Begins with nothing known.

        Args:
            tell: Receives one sentence for each long wait.
            longest_wait: Seconds; an API that asks for more is given up.
        """
        self.waits: list[tuple[float, float]] = []
        self._tell = tell
        self._longest_wait = longest_wait
        self._resume_at = 0.0
        self._remaining = 0
        self._remaining_until = 0.0

    @property
    def waited(self) -> float:
        """Seconds that requests of this load were held back."""
        return sum(end - start for start, end in self.waits)

    @property
    def seconds_left(self) -> float:
        """Seconds until the API takes the next request; 0 where it takes it now."""
        return max(self._resume_at - time.monotonic(), 0.0)

    def allows(self, under_way: int) -> bool:
        """Whether the API takes one request more, beside those that are under way."""
        is_told = time.monotonic() < self._remaining_until
        return self.seconds_left == 0 and not (is_told and under_way >= self._remaining)

    def wait(self) -> None:
        """Holds a request back until the API takes it again.

        Raises:
            AnalyticsApiError: If that is longer than a load waits.
        """
        while (seconds := self.seconds_left) > 0:
            if seconds > self._longest_wait:
                raise AnalyticsApiError(f"The API's rate limit is used up: {_come_back(seconds)}")
            time.sleep(seconds)

    def learn(self, response: Response) -> None:
        """Reads off an answer whether, and until when, further requests are held back.

        Raises:
            AnalyticsApiError: If the request was rejected, for longer than a load waits.
        """
        self._learn_what_remains(response)
        seconds = _seconds_to_wait(response)
        if seconds <= 0:
            return
        if not response.ok and seconds > self._longest_wait:
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered {response.status_code}: "
                f"{_come_back(seconds)}"
            )
        now = time.monotonic()
        resume_at = now + seconds
        longer = resume_at - max(self._resume_at, now)
        self._resume_at = max(resume_at, self._resume_at)
        if longer > 0:
            end = time.time() + seconds
            self.waits.append((end - longer, end))
        if self._longest_wait >= longer >= SHORTEST_WAIT_TOLD:
            self._tell(
                f"The API's rate limit is used up: waiting {seconds:.0f} s, as it asks, before the "
                "next request."
            )

    def _learn_what_remains(self, response: Response) -> None:
        remaining = response.headers.get("X-RateLimit-Remaining", "")
        reset = response.headers.get("X-RateLimit-Reset", "")
        if remaining.isdecimal() and reset.isdecimal():
            self._remaining = int(remaining)
            self._remaining_until = time.monotonic() + float(reset) - _now(response)


def _come_back(seconds: float) -> str:
    return f"it asks to wait for {seconds / 60:.0f} minutes, materialize it again after that."


def _seconds_to_wait(response: Response) -> float:
    """Seconds until the API takes the next request; 0 or less where it says nothing of the kind.

    `Retry-After` (RFC 9110, 10.2.3: seconds or a date) comes first, then `X-RateLimit-Reset`,
    which this API gives in epoch seconds.
    """
    headers = response.headers
    is_rejected = response.status_code == 429 or response.status_code >= 500
    if is_rejected and (retry_after := headers.get("Retry-After")):
        if retry_after.strip().isdecimal():
            return float(retry_after)
        return _epoch(retry_after) - _now(response)
    if response.status_code == 429 or headers.get("X-RateLimit-Remaining") == "0":
        reset = headers.get("X-RateLimit-Reset", "")
        return float(reset) - _now(response) if reset.isdecimal() else 0.0
    return 0.0


def _now(response: Response) -> float:
    """This moment by the API's clock, where it differs much from ours."""
    api, ours = _epoch(response.headers.get("Date", "")), time.time()
    return api if api and abs(api - ours) > LARGEST_SKEW else ours


def _epoch(date: str) -> float:
    """The epoch seconds of an HTTP date; 0 where it is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return 0.0
