"""Which requests are sent again, and how often."""

from __future__ import annotations

from dataclasses import dataclass

from requests import exceptions

RETRIED_ERRORS = (
    exceptions.ConnectionError,
    exceptions.Timeout,
    exceptions.ChunkedEncodingError,
    exceptions.ContentDecodingError,
    exceptions.InvalidJSONError,
)
"""Errors of a request that are worth another attempt, like the statuses of a `RetryPolicy`."""


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed request is sent again (configuration example, "Error Handling").

    Attributes:
        statuses: Answers worth another attempt; any other failure is final at once.
        max_retries: Attempts after the first one.
        backoff_factor: Seconds before the first retry; each further wait is twice as long.
        max_wait: Longest wait in seconds, one that the server asks for included.
        timeout: Seconds to wait for a connection, and for the next byte of an answer.
    """

    statuses: tuple[int, ...] = (429, 500, 502, 503, 504)
    max_retries: int = 3
    backoff_factor: float = 2.0
    max_wait: float = 900.0
    timeout: float = 60.0

    @property
    def attempts(self) -> int:
        """Requests sent for one answer at most."""
        return 1 + self.max_retries

    def covers(self, error: BaseException) -> bool:
        """Whether an error is worth another attempt."""
        if isinstance(error, exceptions.HTTPError) and error.response is not None:
            return error.response.status_code in self.statuses
        return isinstance(error, RETRIED_ERRORS)
