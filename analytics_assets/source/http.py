"""The HTTP session: retries as the user's example states them, and a count of what was sent."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from dlt.sources.helpers.requests import Client
from requests import PreparedRequest, Response, Session, exceptions
from requests.adapters import HTTPAdapter


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed request is sent again (configuration example, "Error Handling").

    Attributes:
        statuses: Answers worth another attempt; any other failure is final at once.
        max_retries: Attempts after the first one.
        backoff_factor: Seconds before the first retry; each further wait is twice as long.
        max_wait: Longest wait in seconds, a `Retry-After` of the server included.
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


@dataclass
class Traffic:
    """Counts the requests of one load, from all its threads."""

    requests: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count_request(self) -> None:
        """Counts one attempt to send a request."""
        with self._lock:
            self.requests += 1


class MeteredAdapter(HTTPAdapter):
    """A transport that counts each attempt, retries included."""

    def __init__(self, traffic: Traffic, connections: int) -> None:
        self._traffic = traffic
        super().__init__(pool_maxsize=connections)

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Sends one request; see `requests.adapters.HTTPAdapter.send`."""
        self._traffic.count_request()
        return super().send(request, *args, **kwargs)


def open_session(retry: RetryPolicy, traffic: Traffic, connections: int) -> Session:
    """A session that retries as the policy says and counts its requests.

    Args:
        retry: When and how often a failed request is sent again.
        traffic: Where requests are counted.
        connections: Connections kept open to the API, one for each thread that asks.
    """
    client = Client(
        request_timeout=retry.timeout,
        # dlt's REST client raises for a status itself, after the retries.
        raise_for_status=False,
        status_codes=retry.statuses,
        exceptions=(
            exceptions.ConnectionError,
            exceptions.Timeout,
            exceptions.ChunkedEncodingError,
        ),
        request_max_attempts=retry.attempts,
        retry_condition=_is_broken_body,
        request_backoff_factor=retry.backoff_factor,
        request_max_retry_delay=retry.max_wait,
    )
    session: Session = client.session
    for scheme in ("http://", "https://"):
        session.mount(scheme, MeteredAdapter(traffic, connections))
    return session


def _is_broken_body(response: Response | None, _: BaseException | None) -> bool:
    """Whether a successful answer carries no JSON: an HTML page, or a body cut in the middle."""
    if response is None or not response.ok:
        return False
    try:
        response.json()
    except exceptions.JSONDecodeError:
        return True
    return False
