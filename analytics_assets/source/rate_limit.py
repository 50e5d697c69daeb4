"""The API's rate limit, as its answers tell it, kept by all requests of a load together.

No kept library reads it off the answers: limiters bound a rate that is known beforehand, and this
one differs by endpoint, and nothing but the answers tells it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from requests import Response

from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.resets import Quota, quotas, seconds_to_wait
from analytics_assets.source.telling import Tell

SHORTEST_WAIT_TOLD = 5.0
"""Seconds from which on a wait is worth a line in the log."""
LARGE_UNITS = (("days", 86_400), ("hours", 3600))
"""Units in which a person reads a wait of two of them or more, and their seconds."""


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
        told = quotas(response)
        self._learn_what_remains(told)
        seconds = seconds_to_wait(response, told)
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

    def _learn_what_remains(self, told: Iterable[Quota]) -> None:
        bounds = [quota for quota in told if quota.seconds > 0]
        if bounds:
            tightest = min(bounds)
            self._remaining = tightest.remaining
            self._remaining_until = time.monotonic() + tightest.seconds


def _come_back(seconds: float) -> str:
    unit, size = next(
        ((unit, size) for unit, size in LARGE_UNITS if seconds >= 2 * size), ("minutes", 60)
    )
    return f"it asks to wait for {seconds / size:.0f} {unit}, materialize it again after that."
