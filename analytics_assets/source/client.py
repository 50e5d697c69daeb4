"""Asks an API for lists: many requests at once, retried, and within its rate limit."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TypeVar, cast

from requests import PreparedRequest, Request, exceptions
from requests.models import DEFAULT_REDIRECT_LIMIT
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential
from typing_extensions import Self

from analytics_assets.source.bodies import carries_json, parse_once
from analytics_assets.source.errors import request_line, what_happened
from analytics_assets.source.outgoing import Outgoing, redirected
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.reading import Ask, Readable, Reading
from analytics_assets.source.records import Page
from analytics_assets.source.request_secrets import hide_secrets
from analytics_assets.source.retry import RetryPolicy
from analytics_assets.source.traffic import Traffic
from analytics_assets.source.transfer import CurlResponse, Transfer
from analytics_assets.source.transport import Transport

ATTEMPTS_IN_DOUBT = 2
"""Attempts after a request that failed in all of its own: an endpoint that is down is not to be
waited for once for each parent."""

ANSWERS_AHEAD = 4
"""Answers that are kept until their list is read, to each connection; errors are some, too."""
BYTES_AHEAD = 16_000_000
"""Bytes of such answers from which on no further one is asked for."""

LOG = logging.getLogger("dlt")
"""dlt's, as its own source of REST APIs tells each request at DEBUG."""

List = TypeVar("List", bound=Readable)


class ApiClient:
    """Asks one API.

    While one list is read, its further pages and the lists behind it are under way, too. Where what
    was sent ahead fails, it is sent again once its list is read.

    Attributes:
        outgoing: Makes the requests.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        retry: RetryPolicy,
        traffic: Traffic,
        rate_limit: RateLimit,
        connections: int,
    ) -> None:
        """Begins without a connection.

        Args:
            outgoing: Makes the requests.
            retry: When and how often a failed request is sent again.
            traffic: Where requests are counted.
            rate_limit: What holds requests back.
            connections: Requests that are under way at once at most.

        Raises:
            SettingError: If the certificates to trust are named, and not there.
        """
        self.outgoing = outgoing
        self._retry = retry
        self._backoff = wait_exponential(retry.backoff_factor, max=retry.max_wait)
        self._retrying = Retrying(
            retry=retry_if_exception(retry.covers),
            wait=self._seconds_before_retry,
            stop=lambda state: state.attempt_number >= self._attempts,
            reraise=True,
        )
        self._traffic = traffic
        self._rate_limit = rate_limit
        self._connections = connections
        self._transport = Transport(outgoing.way(retry.timeout), connections)
        self._is_in_doubt = False
        self._lists: Iterator[Readable] = iter(())
        self._open: deque[Reading] = deque()
        self._unsent: deque[Ask] = deque()
        self._asks: dict[Transfer, Ask] = {}
        self._answers_kept = 0
        self._bytes_kept = 0

    def __enter__(self) -> Self:
        """Is closed at the end of a `with`."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the connections."""
        self._transport.close()

    def fetch(self, lists: Iterable[List]) -> Generator[tuple[List, Iterator[Page]], None, None]:
        """Asks for lists, many at once.

        Args:
            lists: The lists, in the order in which they are to be read.

        Yields:
            Each list with its pages, to be read before the next one. The pages raise what the list
            met with: the others can be read all the same.
        """
        self._lists = iter(lists)
        try:
            while reading := self._next_list():
                yield cast(List, reading.readable), self._pages(reading)
                self._close(self._open.popleft())
        finally:
            self._transport.give_up()
            self._asks.clear()
            self._unsent.clear()
            while self._open:
                self._close(self._open.popleft())

    def _close(self, reading: Reading) -> None:
        reading.is_closed = True
        while reading.pages:
            self._take_page(reading)
        while reading.failed:
            self._take_failure(reading, reading.failed[0])

    def _pages(self, reading: Reading) -> Iterator[Page]:
        while not reading.is_over:
            if reading.pages:
                self._is_in_doubt = False
                yield self._take_page(reading)
            elif reading.failed:
                ask = reading.failed[0]
                self._take_failure(reading, ask)
                self._ask_again(ask)
            else:
                self._ask_for(reading)

    def _take_page(self, reading: Reading) -> Page:
        page, size = reading.pages.popleft()
        self._answers_kept -= 1
        self._bytes_kept -= size
        return page

    def _take_failure(self, reading: Reading, ask: Ask) -> None:
        reading.failed.remove(ask)
        self._answers_kept -= 1

    def _ask_for(self, reading: Reading) -> None:
        """Waits for an answer of a list."""
        if reading.under_way == 0:
            ask = next(ask for ask in self._unsent if ask.reading is reading)
            self._unsent.remove(ask)
            self._send(ask)
        self._wait_until(lambda: bool(reading.pages or reading.failed or reading.is_over))

    def _ask_again(self, ask: Ask) -> None:
        try:
            self._retrying(self._attempt, ask)
        except exceptions.RequestException as error:
            self._is_in_doubt = self._retry.covers(error)
            raise

    def _attempt(self, ask: Ask) -> None:
        """One attempt at a request, of which the first one was made ahead, and has failed."""
        if ask.error is None:
            self._send(ask)
            self._wait_until(lambda: ask.is_answered or ask.error is not None)
            if ask.error is not None:
                self._take_failure(ask.reading, ask)
        error, ask.error = ask.error, None
        if error is not None:
            raise error

    @property
    def _attempts(self) -> int:
        attempts = self._retry.attempts
        return min(attempts, ATTEMPTS_IN_DOUBT) if self._is_in_doubt else attempts

    def _seconds_before_retry(self, state: RetryCallState) -> float:
        """Seconds before a request is sent again; 0 where the API has said how long to wait.

        What has come ahead may have waited long enough already.
        """
        if self._rate_limit.seconds_left:
            return 0.0
        ask: Ask = state.args[0]
        return max(self._backoff(state) - (time.monotonic() - ask.ended_at), 0.0)

    def _wait_until(self, is_done: Callable[[], bool]) -> None:
        while True:
            self._send_ahead()
            for transfer, outcome in self._transport.ended():
                self._take(self._asks.pop(transfer), transfer.request, outcome)
            if is_done():
                return
            self._transport.wait()

    def _send_ahead(self) -> None:
        while self._may_send_ahead() and (ask := self._next_ask()):
            self._send(ask)

    def _may_send_ahead(self) -> bool:
        under_way = self._transport.under_way
        return (
            under_way < self._connections
            and under_way + self._answers_kept < ANSWERS_AHEAD * self._connections
            and self._bytes_kept < BYTES_AHEAD
            and self._rate_limit.allows(under_way)
        )

    def _next_ask(self) -> Ask | None:
        while self._unsent or self._open_list():
            ask = self._unsent.popleft()
            if not ask.reading.is_closed:
                return ask
        return None

    def _next_list(self) -> Reading | None:
        return self._open[0] if self._open or self._open_list() else None

    def _open_list(self) -> bool:
        """Begins the next list; False behind the last one."""
        following = next(self._lists, None)
        if following is None:
            return False
        reading = Reading(following)
        self._open.append(reading)
        self._note_requests(reading, following.begin())
        return True

    def _note_requests(self, reading: Reading, requests: Iterable[Request]) -> None:
        asks = [Ask(reading, request) for request in requests]
        reading.unanswered += len(asks)
        self._unsent += asks

    def _send(self, ask: Ask) -> None:
        ask.reading.under_way += 1
        try:
            self._begin(ask, self.outgoing.prepare(ask.request) if ask.sent is None else ask.sent)
        except Exception as error:
            self._fail(ask, error)

    def _begin(self, ask: Ask, request: PreparedRequest) -> None:
        """Waits until the API takes a request, counts it and sends it.

        Raises:
            AnalyticsApiError: If the request leads to another host than the API's, or the API asks
                to wait for longer than a load waits.
        """
        self.outgoing.check_recipient(request)
        self._rate_limit.wait()
        if ask.sent is None:
            ask.sent = request
        self._traffic.count_attempt(request)
        if LOG.isEnabledFor(logging.DEBUG):
            LOG.debug(f"Sending {request.method} {hide_secrets(str(request.url))}")
        self._asks[self._transport.send(request)] = ask

    def _take(
        self,
        ask: Ask,
        request: PreparedRequest,
        outcome: CurlResponse | exceptions.RequestException,
    ) -> None:
        """Learns from what came of a request, and reads it."""
        try:
            if isinstance(outcome, exceptions.RequestException):
                raise outcome  # noqa: TRY301 - as libcurl met it
            self._traffic.count_bytes(outcome.bytes_received, len(outcome.content))
            self._rate_limit.learn(outcome)
            if outcome.is_redirect:
                self._follow(ask, request, outcome)
            else:
                self._read(ask, outcome)
        except Exception as error:
            self._note_failure(request, error)
            self._fail(ask, error)

    def _follow(self, ask: Ask, request: PreparedRequest, response: CurlResponse) -> None:
        ask.redirects += 1
        if ask.redirects > DEFAULT_REDIRECT_LIMIT:
            raise exceptions.TooManyRedirects("It is sent on for ever.", request=request)
        self._begin(ask, redirected(request, response))

    def _read(self, ask: Ask, response: CurlResponse) -> None:
        reading = ask.reading
        if carries_json(response):
            parse_once(response)
        elif not reading.readable.takes(ask.request, response):
            response.raise_for_status()
        page, following = reading.readable.read(ask.request, response)
        ask.is_answered = True
        reading.under_way -= 1
        reading.unanswered -= 1
        if not reading.is_closed:
            size = len(response.content)
            reading.pages.append((page, size))
            self._answers_kept += 1
            self._bytes_kept += size
            self._note_requests(reading, following)

    def _fail(self, ask: Ask, error: Exception) -> None:
        ask.error, ask.ended_at = error, time.monotonic()
        ask.reading.under_way -= 1
        if not ask.reading.is_closed:
            ask.reading.failed.append(ask)
            self._answers_kept += 1

    def _note_failure(self, request: PreparedRequest, error: Exception) -> None:
        attempt, attempts = self._traffic.attempts_of(request), self._attempts
        if self._retry.covers(error) and attempt < attempts:
            self._traffic.tell(
                f"{request_line(request)} {_what_came(error)}: it is asked again, "
                f"{attempt} of {attempts} attempts are made."
            )


def _what_came(error: Exception) -> str:
    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code}"
    return what_happened(error) if isinstance(error, exceptions.RequestException) else ""
