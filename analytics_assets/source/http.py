"""The HTTP session: retries as the user's example states them, and a count of what was sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dlt.sources.helpers.requests import Client
from requests import PreparedRequest, Request, Response, Session, exceptions
from requests.adapters import HTTPAdapter

from analytics_assets.source.errors import AnalyticsApiError, request_line, what_happened
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.traffic import Traffic

LONGEST_NAP = 10.0
"""Seconds up to which dlt itself waits as `Retry-After` asks; longer waits can be ended."""

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


class ApiAdapter(HTTPAdapter):
    """A transport to one host that counts each attempt and keeps the API's rate limit.

    A request to any other host is refused: the token, and what is asked, are for the API alone,
    wherever a redirect or an address in an answer may lead.
    """

    def __init__(
        self,
        base_url: str,
        retry: RetryPolicy,
        traffic: Traffic,
        rate_limit: RateLimit,
        connections: int,
    ) -> None:
        # As the library spells it: its host in lower case, or in Punycode.
        self._origin = _origin(Request("GET", base_url).prepare())
        self._retry = retry
        self._traffic = traffic
        self._rate_limit = rate_limit
        super().__init__(pool_maxsize=connections)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Sends one request; see `requests.adapters.HTTPAdapter.send`.

        Raises:
            AnalyticsApiError: If the request leads to another host than the API's, or the API asks
                to wait for longer than a load waits.
            InvalidJSONError: If a successful answer carries no JSON: an HTML page, or a body cut
                in the middle.
        """
        origin = _origin(request)
        if origin != self._origin:
            raise AnalyticsApiError(
                f"The API sent a request on to {origin}, another address than "
                "ANALYTICS_BASE_URL: nothing was sent there. If the API has moved, set the new one."
            )
        self._rate_limit.wait()
        attempt = self._traffic.count_attempt(request)
        try:
            response = self._exchange(request, *args, **kwargs)
        except RETRIED_ERRORS as error:
            self._note_failure(request, attempt, what_happened(error))
            raise
        if response.status_code in self._retry.statuses:
            self._note_failure(request, attempt, f"answered {response.status_code}")
        return response

    def _exchange(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        response = super().send(request, *args, **kwargs)
        _read(response)
        self._traffic.count_bytes(response.raw.tell())
        if not 0 < self._rate_limit.learn(response) <= LONGEST_NAP:
            # dlt would take a wait that is over for leave to ask at once, and sleep through a long
            # one, whatever ends the load meanwhile.
            response.headers.pop("Retry-After", None)
        if response.ok and not response.is_redirect:
            _parse_once(response)
        return response

    def _note_failure(self, request: PreparedRequest, attempt: int, what: str) -> None:
        if attempt < self._retry.attempts:
            self._traffic.tell(
                f"{request_line(request)} {what}: it is asked again, "
                f"{attempt} of {self._retry.attempts} attempts are made."
            )


def _origin(request: PreparedRequest) -> str:
    parts = urlsplit(str(request.url))
    # Without a user and a password: a redirect may hold them, and this is shown.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def open_session(
    base_url: str,
    retry: RetryPolicy,
    traffic: Traffic,
    rate_limit: RateLimit,
    connections: int,
) -> Session:
    """A session that retries as the policy says, counts its requests and keeps the rate limit.

    Args:
        base_url: The API; the session sends to no other host.
        retry: When and how often a failed request is sent again.
        traffic: Where requests are counted.
        rate_limit: What holds requests back, shared by all threads of the session.
        connections: Connections kept open to the API, one for each thread that asks.
    """
    client = Client(
        request_timeout=retry.timeout,
        # dlt's REST client raises for a status itself, after the retries.
        raise_for_status=False,
        status_codes=retry.statuses,
        exceptions=RETRIED_ERRORS,
        request_max_attempts=retry.attempts,
        request_backoff_factor=retry.backoff_factor,
        request_max_retry_delay=retry.max_wait,
    )
    session: Session = client.session
    for scheme in ("http://", "https://"):
        session.mount(scheme, ApiAdapter(base_url, retry, traffic, rate_limit, connections))
    return session


def _read(response: Response) -> None:
    """Reads the body here, where an error can still name its request."""
    try:
        response.content  # noqa: B018 - the property reads
    except exceptions.RequestException as error:
        error.request = response.request
        raise


def _parse_once(response: Response) -> None:
    """Reads the body and keeps it parsed: dlt and its paginators each ask for it.

    Raises:
        InvalidJSONError: If it is no JSON; it names the request, as `JSONDecodeError` does not.
    """
    try:
        # Of the bytes: JSON is UTF-8, whatever the content type says of other text.
        body = json.loads(response.content, parse_constant=_refuse_constant)
    except ValueError as error:
        raise exceptions.InvalidJSONError(str(error), response=response) from None
    response.json = lambda **_: body  # type: ignore[method-assign]  # it has no place for a body


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
