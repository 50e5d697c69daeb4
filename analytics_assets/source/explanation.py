"""Finds the sentence in a stack of library errors."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from ssl import SSLCertVerificationError
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from dlt.common.destination.exceptions import DestinationException
from dlt.load.exceptions import LoadClientJobException
from requests import Response, codes
from requests.exceptions import HTTPError, ProxyError, RequestException

from analytics_assets.source.api_words import words_of
from analytics_assets.source.errors import (
    AnalyticsError,
    first_line,
    request_line,
    what_happened,
)
from analytics_assets.source.proxy import proxy_for
from analytics_assets.source.retry import RETRIED_ERRORS, RetryPolicy
from analytics_assets.source.unanswered import MOST_PARENTS_NAMED, Unanswered

# As the operating system words it, and all libraries repeat it.
DISK_IS_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT))

REFUSALS = (400, 402, 406, 409, 411, 412, 413, 414, 415, 417, 422, 428, 431)
"""Statuses that are about what was asked, not about where (RFC 9110, 15.5)."""
TEAM = "ANALYTICS_TEAM_ID"


class Explanation(NamedTuple):
    """Why a resource was not loaded.

    Attributes:
        sentence: What happened, where, and what to do.
        cause: The error that the sentence is about, below those of the libraries that passed it on.
    """

    sentence: str
    cause: BaseException


def explain(error: BaseException, name: str, retry: RetryPolicy) -> Explanation | None:
    """Explains why a resource was not loaded; None where nothing better can be said.

    Args:
        error: What a load raised, a stack of library errors as a rule.
        name: The resource that was loaded.
        retry: The policy its requests were sent with.
    """
    causes = causes_of(error)
    for cause in causes:
        if any(words in str(cause) for words in DISK_IS_FULL):
            return Explanation(_explain_full_disk(cause, name), cause)
    for cause in causes:
        if isinstance(cause, AnalyticsError):
            return Explanation(str(cause), cause)
    for cause in causes:
        sentence = _explain_library(cause, name, retry)
        if sentence:
            return Explanation(sentence, cause)
    for cause in causes:
        # A driver's own error, which dlt has not wrapped (PEP 249: all derive from `Error`).
        if any(base.__name__ == "Error" for base in type(cause).__mro__):
            return Explanation(_explain_refusal(cause, name), cause)
    for cause in causes:
        if isinstance(cause, LoadClientJobException):
            refusal = cause.client_exception
            return Explanation(_explain_refusal(refusal, name), refusal)
    return None


def _explain_library(error: BaseException, name: str, retry: RetryPolicy) -> str | None:
    if isinstance(error, SSLCertVerificationError):
        return _explain_certificate(error)
    if isinstance(error, HTTPError) and error.response is not None:
        return _explain_status(error, name, retry)
    if isinstance(error, RequestException):
        return _explain_no_answer(error, retry)
    # Of a job that failed, the words are dlt's trace.
    if isinstance(error, DestinationException) and not isinstance(error, LoadClientJobException):
        return _explain_refusal(error, name)
    return None


def _explain_refusal(error: BaseException, name: str) -> str:
    return f"The warehouse did not take the rows of {name}: {first_line(error)}"


def causes_of(error: BaseException | None) -> list[BaseException]:
    """The errors below an error, the deepest first: a library's own words say least."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        if isinstance(error, LoadClientJobException):
            error = error.client_exception
            continue
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain[::-1]


def _explain_full_disk(error: BaseException, name: str) -> str:
    # All that a load writes itself is in the folder of temporary files.
    place = (
        f"of {tempfile.gettempdir()}, the folder of temporary files (TMPDIR),"
        if isinstance(error, OSError)
        else "of the warehouse"
    )
    return (
        f"The disk {place} is full: {first_line(error)} Free some of it, then materialize {name} "
        "again: nothing is lost that was loaded."
    )


def _explain_status(error: HTTPError, name: str, retry: RetryPolicy) -> str:
    status = error.response.status_code
    answer = f"{_request(error)} answered {status}"
    words = _in_parentheses(error.response)
    if status in (401, 403):
        return f"{answer}: {_explain_rejection(error.response, words, name)}"
    if status in retry.statuses:
        return (
            f"{answer}{_in_each(retry)}{_through_proxy(error)}. What is in the warehouse stays; "
            "materialize it again when the API is well."
        )
    if status == 407 and (proxy := _proxy(error)):
        return f"{answer}: {proxy} wants a user and a password: correct that setting."
    team = f", and the team in {TEAM}" if _names_team(error.response) else ""
    if status in REFUSALS:
        return (
            f"{answer}{words}: the API refuses the request as it was asked. Check the parameters "
            f"of {name} in the configuration{team}, or leave {name} out of the selection."
        )
    return (
        f"{answer}{words}: the API at ANALYTICS_BASE_URL does not serve this request. Check the "
        f"address{team}, or leave {name} out of the selection."
    )


def explain_parents(
    name: str, bad: Sequence[tuple[str, Unanswered]], asked: int, is_given_up: bool
) -> str:
    """Says which parents of a child were not answered, while others were.

    Args:
        name: The child.
        bad: The parents that were not answered, by their names.
        asked: How many were asked.
        is_given_up: Whether there were so many that the others were not asked.
    """
    named = "; ".join(_explain_parent(*each) for each in bad[:MOST_PARENTS_NAMED])
    if len(bad) > MOST_PARENTS_NAMED:
        named += f"; and {len(bad) - MOST_PARENTS_NAMED} more"
    of_name = f"asked for {name}" if is_given_up and asked == len(bad) else f"of {name}"
    sentences = [f"{len(bad)} of {asked} parents {of_name} could not be read: {named}."]
    if is_given_up:
        sentences.append("The others were not asked any more (`most_bad_parents` of `api`).")
    if asked > len(bad):
        sentences.append("What the others answered is stored.")
    sentences.append("Each run asks for these again, and fails until they are answered.")
    if any(each.status == codes.forbidden for _, each in bad):
        sentences.append("Give the token in ACCESS_TOKEN that access, or ask why it has none.")
    else:
        sentences.append(f"Materialize {name} again when the API is well.")
    return " ".join(sentences)


def _explain_parent(parent: str, unanswered: Unanswered) -> str:
    error = unanswered.error
    if isinstance(error, AnalyticsError):
        return f"{parent}: {first_line(error).rstrip('.')}"
    said = f"{unanswered.request} {unanswered.why}"
    if isinstance(error, HTTPError):
        said += _in_parentheses(error.response)
    if unanswered.status == codes.forbidden:
        return f"the token may not read {parent}: {said}"
    return f"{parent}: {said}"


def _in_parentheses(response: Response) -> str:
    """The API's own words behind what it answered; "" where it has none."""
    said = words_of(response)
    return f" ({said})" if said else ""


def _explain_rejection(response: Response, words: str, name: str) -> str:
    # A token that is not known is rejected for every team.
    if response.status_code == 403 and _names_team(response):
        return (
            f"the token in ACCESS_TOKEN was rejected for this endpoint, or for the team in {TEAM}"
            f"{words}. Check both: the token must be the right one, not expired, and one that may "
            f"read that team, whose id must be right. Or leave {name} out of the selection."
        )
    return (
        f"the token in ACCESS_TOKEN was rejected for this endpoint{words}. Check that it is the "
        f"right one and has not expired, give it that access, or leave {name} out of the selection."
    )


def _names_team(response: Response) -> bool:
    """Whether a request was made on behalf of a team."""
    return "teamId" in dict(parse_qsl(urlsplit(str(response.request.url)).query))


def _proxy(error: RequestException) -> str:
    request = error.request if error.response is None else error.response.request
    return proxy_for(str(request.url)) if request else ""


def _through_proxy(error: RequestException) -> str:
    proxy = _proxy(error)
    return f", through {proxy}" if proxy else ""


def _in_each(retry: RetryPolicy) -> str:
    return f" in each of {retry.attempts} attempts" if retry.max_retries else ""


def _explain_certificate(error: SSLCertVerificationError) -> str:
    return (
        "The server at ANALYTICS_BASE_URL has a certificate that is not trusted, so nothing was "
        f"sent to it: {error.verify_message.rstrip('.')}. Correct the address, or name the file of "
        "the certificates to trust in REQUESTS_CA_BUNDLE."
    )


def _explain_no_answer(error: RequestException, retry: RetryPolicy) -> str:
    if not isinstance(error, RETRIED_ERRORS):
        return f"{_request(error)} was not answered: {first_line(error)} Check ANALYTICS_BASE_URL."
    happened = f"{_request(error)} {what_happened(error)}{_in_each(retry)}"
    if isinstance(error, ProxyError):
        return f"{happened}. Correct or unset that setting, or name the API's host in NO_PROXY."
    return (
        f"{happened}{_through_proxy(error)}. Check ANALYTICS_BASE_URL and the API, then try again."
    )


def _request(error: RequestException) -> str:
    request = error.request if error.response is None else error.response.request
    return request_line(request) if request else "The API"
