"""Errors for people: one sentence that says what happened, where, and what to do."""

from __future__ import annotations

from urllib.parse import urlsplit

from dlt.common.destination.exceptions import DestinationException
from requests.exceptions import HTTPError, JSONDecodeError, RequestException

from analytics_assets.source.http import RetryPolicy


class AnalyticsError(Exception):
    """What stopped a load, in one sentence."""


class AnalyticsApiError(AnalyticsError):
    """The API answered something that cannot be loaded."""


class WarehouseError(AnalyticsError):
    """The warehouse cannot be read or written."""


class SettingError(AnalyticsError, ValueError):
    """A setting is missing or wrong; the message names it."""


def explain(error: BaseException, name: str, retry: RetryPolicy) -> str | None:
    """One sentence on why a resource was not loaded; None where nothing better can be said.

    Args:
        error: What a load raised, a stack of library errors as a rule.
        name: The resource that was loaded.
        retry: The policy its requests were sent with.
    """
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, AnalyticsError):
            return str(cause)
    for cause in causes:
        if isinstance(cause, HTTPError) and cause.response is not None:
            return _explain_status(cause, name, retry)
        if isinstance(cause, RequestException):
            return _explain_no_answer(cause, retry)
        if isinstance(cause, DestinationException):
            return f"The warehouse did not take the rows of {name}: {first_line(cause)}"
    return None


def first_line(error: BaseException) -> str:
    """The first line of a library's error, which says what happened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."


def _causes(error: BaseException | None) -> list[BaseException]:
    """The errors below an error, the deepest first: a library's own words say least."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain[::-1]


def _explain_status(error: HTTPError, name: str, retry: RetryPolicy) -> str:
    status = error.response.status_code
    answer = f"{_request(error)} answered {status}"
    if status in (401, 403):
        return (
            f"{answer}: the token in ACCESS_TOKEN was rejected for this endpoint. Give the token "
            f"that access, or leave {name} out of the selection."
        )
    if status in retry.statuses:
        return (
            f"{answer} in each of {retry.attempts} attempts. Nothing was changed in the warehouse; "
            "materialize it again when the API is well."
        )
    return (
        f"{answer}: the API at ANALYTICS_BASE_URL does not serve this request. Check the address, "
        f"or leave {name} out of the selection."
    )


def _explain_no_answer(error: RequestException, retry: RetryPolicy) -> str:
    what = "no JSON" if isinstance(error, JSONDecodeError) else "nothing that could be read"
    return (
        f"{_request(error)} answered {what} in each of {retry.attempts} attempts "
        f"({type(error).__name__}). Check ANALYTICS_BASE_URL and the API, then try again."
    )


def _request(error: RequestException) -> str:
    """Method and path of the request that failed, without its query."""
    request = error.request if error.response is None else error.response.request
    return f"{request.method} {urlsplit(str(request.url)).path}" if request else "The API"
