"""The HTTP session: retries as the user's example states them, and a count of what was sent."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from dlt.sources.helpers.requests import Session
from requests import PreparedRequest, Request, Response, codes, exceptions
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    wait_exponential,
)

from analytics_assets.source.bodies import carries_json, parse_once
from analytics_assets.source.curl import CurlAdapter
from analytics_assets.source.errors import (
    AnalyticsApiError,
    SettingError,
    request_line,
    what_happened,
)
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.request_secrets import hide_secrets_in_logs
from analytics_assets.source.traffic import Traffic
from analytics_assets.source.transfer import CurlResponse, Follow

RETRIED_ERRORS = (
    exceptions.ConnectionError,
    exceptions.Timeout,
    exceptions.ChunkedEncodingError,
    exceptions.ContentDecodingError,
    exceptions.InvalidJSONError,
)
"""Errors of a request that are worth another attempt, like the statuses of a `RetryPolicy`."""

ATTEMPTS_IN_DOUBT = 2
"""Attempts after a request that failed in all of its own: an endpoint that is down is not to be
waited for once for each parent."""


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


class AnnouncedList(Protocol):
    """A list that will be asked for, page by page.

    Attributes:
        request: The request for its first page.
    """

    request: Request

    def follow(self, response: Response) -> Request | None:
        """The request for the page after one that has come; None after the last one."""


class ApiSession(Session):
    """A session that sends to one API, retries as the policy says, and can send ahead.

    It has no cookies: the API knows us by the token.

    Attributes:
        take_failure: Is asked about a request that has failed in all attempts. Where it takes the
            failure, the request is answered by an empty list.
    """

    def __init__(
        self,
        base_url: str,
        retry: RetryPolicy,
        traffic: Traffic,
        rate_limit: RateLimit,
        connections: int,
    ) -> None:
        """Begins without a connection.

        Args:
            base_url: The API; the session sends to no other host.
            retry: When and how often a failed request is sent again.
            traffic: Where requests are counted.
            rate_limit: What holds requests back.
            connections: Requests that are under way at once at most.
        """
        hide_secrets_in_logs()
        # dlt's REST client raises for a status itself, after the retries.
        super().__init__(timeout=retry.timeout, raise_for_status=False)
        self._backoff = wait_exponential(retry.backoff_factor, max=retry.max_wait)
        self._rate_limit = rate_limit
        self._retrying = Retrying(
            # dlt raises for a status before the answer comes here; other callers need not.
            retry=retry_if_exception(retry.covers)
            | retry_if_result(lambda response: response.status_code in retry.statuses),
            wait=self._seconds_before_retry,
            stop=lambda state: state.attempt_number >= self._attempts,
            reraise=True,
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        self.take_failure: Callable[[Exception], bool] = lambda _: False
        self._retry = retry
        self._is_in_doubt = False
        self._adapter = ApiAdapter(
            base_url, retry, traffic, rate_limit, connections, lambda: self._attempts
        )
        for scheme in ("http://", "https://"):
            self.mount(scheme, self._adapter)
        # Proxies and certificates of the environment are looked up once, not for every request.
        environment = self.merge_environment_settings(base_url, {}, None, None, None)
        self.proxies, self.verify = environment["proxies"], environment["verify"]
        self.trust_env = False
        if isinstance(self.verify, str) and not Path(self.verify).exists():
            raise SettingError(
                f"REQUESTS_CA_BUNDLE names {self.verify}, which is no file: correct or unset it."
            )
        self.params: dict[str, Any] = {}
        # In their order: the beginning of a list may be asked for again.
        self._announced: defaultdict[str, deque[PreparedRequest]] = defaultdict(deque)

    def announce(self, lists: Iterable[AnnouncedList]) -> None:
        """Names the lists that will be asked for, in their order, in place of earlier ones.

        While one page is waited for, those that follow it, and other lists, are under way, too.
        """
        self._announced.clear()
        self._adapter.announce(
            (self._prepare_ahead(each.request), self._follower(each)) for each in lists
        )

    def prepare_request(self, request: Request) -> PreparedRequest:
        """Prepares a request, or takes the one that was announced.

        The way it overrides asks for each request what is the same for all of them.
        """
        identity = _identity(request)
        if not self._announced[identity]:
            # Where none may be sent ahead, it is the next one, which was not yet prepared.
            self._adapter.expect_next()
        if self._announced[identity]:
            announced = self._announced[identity].popleft()
            announced.prepare_hooks(request.hooks)
            return announced
        del self._announced[identity]
        return self._prepare(request)

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Sends a request, again where the policy says so; see `requests.Session.send`."""
        if not kwargs.get("allow_redirects", True):
            # It is a redirect's, which is followed anew with each attempt of the first request.
            followed: Response = super().send(request, **kwargs)  # type: ignore[no-untyped-call]
            return followed
        try:
            response: Response = self._retrying(super().send, request, **kwargs)
        except exceptions.RequestException as error:
            if not self.take_failure(error):
                raise
            self._is_in_doubt = self._retry.covers(error)
            return _empty_list(request)
        self._is_in_doubt = False
        return response

    @property
    def _attempts(self) -> int:
        attempts = self._retry.attempts
        return min(attempts, ATTEMPTS_IN_DOUBT) if self._is_in_doubt else attempts

    def _prepare(self, request: Request) -> PreparedRequest:
        prepared = PreparedRequest()
        prepared.prepare(
            method=str(request.method).upper(),
            url=request.url,
            headers={**self.headers, **request.headers},
            params={**self.params, **(request.params or {})},
            data=request.data,
            json=request.json,
            auth=request.auth,
            hooks=request.hooks,
        )
        return prepared

    def _seconds_before_retry(self, state: RetryCallState) -> float:
        """Seconds before a request is sent again; 0 where the API has said how long to wait.

        What has come ahead may have waited long enough already.
        """
        if self._rate_limit.seconds_left:
            return 0.0
        return max(self._backoff(state) - (time.monotonic() - self._adapter.ended_at), 0.0)

    def _follower(self, announced: AnnouncedList) -> Follow:
        def follow(response: Response) -> PreparedRequest | None:
            request = announced.follow(response) if carries_json(response) else None
            return self._prepare_ahead(request) if request else None

        return follow

    def _prepare_ahead(self, request: Request) -> PreparedRequest:
        prepared = self._prepare(request)
        self._announced[_identity(request)].append(prepared)
        return prepared


class ApiAdapter(CurlAdapter):
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
        attempts: Callable[[], int],
    ) -> None:
        super().__init__(connections)
        # As the library spells it: its host in lower case, or in Punycode.
        self._origin = _origin(Request("GET", base_url).prepare())
        self._retry = retry
        self._attempts = attempts
        self._traffic = traffic
        self._rate_limit = rate_limit

    def may_send_ahead(self, under_way: int) -> bool:
        """Whether the API takes a request that nobody waits for yet."""
        return self._rate_limit.allows(under_way)

    def begin(self, request: PreparedRequest) -> None:
        """Waits until the API takes a request, and counts it.

        Raises:
            AnalyticsApiError: If the request leads to another host than the API's, or the API asks
                to wait for longer than a load waits.
        """
        origin = _origin(request)
        if origin != self._origin:
            raise AnalyticsApiError(
                f"The API sent a request on to {origin}, another address than "
                "ANALYTICS_BASE_URL: nothing was sent there. If the API has moved, set the new one."
            )
        self._rate_limit.wait()
        self._traffic.count_attempt(request)

    def end(self, request: PreparedRequest, outcome: CurlResponse | Exception) -> Exception | None:
        """Learns from what came of a request.

        Returns:
            An error that stands for an answer: an `InvalidJSONError` of a successful one without
            JSON (an HTML page, or a body cut in the middle), an `AnalyticsApiError` of one that
            asks to wait for longer than a load waits.
        """
        try:
            if isinstance(outcome, Exception):
                raise outcome
            self._traffic.count_bytes(outcome.bytes_received, len(outcome.content))
            self._rate_limit.learn(outcome)
            if carries_json(outcome):
                parse_once(outcome)
        except RETRIED_ERRORS as error:
            self._note_failure(request, what_happened(error))
            return error
        except AnalyticsApiError as error:
            return error
        if outcome.status_code in self._retry.statuses:
            self._note_failure(request, f"answered {outcome.status_code}")
        return None

    def _note_failure(self, request: PreparedRequest, what: str) -> None:
        attempt = self._traffic.attempts_of(request)
        attempts = self._attempts()
        if attempt < attempts:
            self._traffic.tell(
                f"{request_line(request)} {what}: it is asked again, "
                f"{attempt} of {attempts} attempts are made."
            )


def _origin(request: PreparedRequest) -> str:
    parts = urlsplit(str(request.url))
    # Without a user and a password: a redirect may hold them, and this is shown.
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def _identity(request: Request) -> str:
    params = sorted((request.params or {}).items())
    body = (request.json, request.data)
    return str((str(request.method).upper(), request.url, params, request.headers, body))


def _empty_list(request: PreparedRequest) -> Response:
    response = Response()
    response.status_code = codes.no_content
    response.request, response.url = request, str(request.url)
    response.json = lambda **_: []  # type: ignore[method-assign]  # it has no place for a body
    return response
