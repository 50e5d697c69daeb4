"""What the list of one parent ends with instead of its rows."""

from __future__ import annotations

from typing import NamedTuple

from requests import codes, exceptions

from analytics_assets.source.errors import AnalyticsApiError, request_line, what_happened
from analytics_assets.source.values import Record

OF_ALL_PARENTS = (codes.unauthorized, codes.too_many_requests)
"""Answers to whoever asks, whichever parent is asked for."""
MOST_PARENTS_NAMED = 3
"""Parents that a sentence names."""


class Unanswered(NamedTuple):
    """A parent that was asked and not answered.

    Attributes:
        parent: Its row.
        error: What came instead.
    """

    parent: Record
    error: Exception

    @property
    def status(self) -> int | None:
        """The status that it answered; None where there was no answer, or a wrong list."""
        if isinstance(self.error, exceptions.HTTPError) and self.error.response is not None:
            return self.error.response.status_code
        return None

    @property
    def request(self) -> str:
        """Method and path of the request that was not answered."""
        error = self.error
        if not isinstance(error, exceptions.RequestException):
            return "The API"
        request = error.request if error.response is None else error.response.request
        return request_line(request) if request else "The API"

    @property
    def is_missing(self) -> bool:
        """Whether the API says that there is no such parent."""
        return self.status == int(codes.not_found)

    @property
    def is_refused(self) -> bool:
        """Whether the API refuses the request, which it may do for this parent alone."""
        return self.status is not None and codes.bad_request <= self.status < codes.server_error

    @property
    def why(self) -> str:
        """What it did, in words that follow its name."""
        if self.status:
            return f"answered {self.status}"
        if isinstance(self.error, exceptions.RequestException):
            return what_happened(self.error)
        return "answered something else than its list"


def is_of_one_parent(error: Exception) -> bool:
    """Whether an error says nothing of the parents that are asked next."""
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return error.response.status_code not in OF_ALL_PARENTS
    return isinstance(error, exceptions.RequestException | AnalyticsApiError)
