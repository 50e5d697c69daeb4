"""Errors for people: each says in one sentence what happened, where, and what to do."""

from __future__ import annotations

from socket import gaierror
from urllib.parse import urlsplit

from requests import PreparedRequest, Request, exceptions

CAUSE = "\n\nCause: "
"""Stands between the sentence of a failure and what the library said."""


class AnalyticsError(Exception):
    """What stopped a load, in one sentence."""


class AnalyticsApiError(AnalyticsError):
    """The API answered something that cannot be loaded."""


class WarehouseError(AnalyticsError):
    """The warehouse cannot be read or written."""


class SettingError(AnalyticsError, ValueError):
    """A setting is missing or wrong; the message names it."""


def request_line(request: Request | PreparedRequest) -> str:
    """Method and path of a request, without its query."""
    return f"{request.method} {urlsplit(str(request.url)).path}"


def what_happened(error: exceptions.RequestException) -> str:
    """What a request met with instead of an answer, in words that follow the request's."""
    if isinstance(error, exceptions.Timeout):
        return "was not answered in time"
    if isinstance(error, exceptions.InvalidJSONError):
        return "answered no JSON"
    if isinstance(error, exceptions.ProxyError):
        return f"could not be sent: {error}"
    cause = deepest_os_error(error)
    said = (cause and cause.strerror) or type(error).__name__
    if isinstance(cause, ConnectionRefusedError | gaierror):
        return f"found no server ({said})"
    return f"answered nothing that could be read ({said})"


def deepest_os_error(error: BaseException | None) -> OSError | None:
    """What the operating system said, below a library's errors."""
    found: OSError | None = None
    while error is not None:
        # Errors of `requests` are OSErrors, too, without a number.
        if isinstance(error, OSError) and error.errno:
            found = error
        error = error.__cause__ or error.__context__
    return found


def sentence_of(description: str) -> str:
    """The sentence that the description of a failure begins with."""
    return description.partition(CAUSE)[0]


def first_line(error: BaseException) -> str:
    """The first line of a library's error, which says what happened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
