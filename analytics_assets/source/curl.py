"""Carries the requests of a `requests.Session` over libcurl, many at once from a single thread.

The transport that `requests` has of its own takes several times the processor time, and a thread
for each request that is under way: the threads take Python's lock from each other, and from what is
done with the answers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pycurl
from requests import PreparedRequest, exceptions
from requests.adapters import BaseAdapter

from analytics_assets.source.content import UnknownEncodingError
from analytics_assets.source.transfer import (
    CurlResponse,
    Follow,
    Timeout,
    Transfer,
    Way,
)

ANSWERS_AHEAD = 4
"""Answers that are kept until they are asked for, to each connection."""
BYTES_AHEAD = 16_000_000
"""Bytes of such answers from which on no further one is asked for."""
SHORTEST_SLEEP = 0.01
LONGEST_SLEEP = 1.0
"""Seconds after which libcurl is asked again whether a request has taken too long."""


class CurlAdapter(BaseAdapter):
    """A transport for one thread, which can send requests before they are asked for.

    `announce` names the requests that will be asked for. While one is waited for, those that follow
    are under way, too.
    """

    def __init__(self, connections: int) -> None:
        """Begins without a connection.

        Args:
            connections: Requests that are under way at once at most.
        """
        super().__init__()
        self._connections = connections
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._idle: list[pycurl.Curl] = []
        self._under_way: dict[pycurl.Curl, Transfer] = {}
        self._announced: Iterator[tuple[PreparedRequest, Follow]] = iter(())
        self._following: dict[PreparedRequest, Follow] = {}
        self._ahead: dict[PreparedRequest, Transfer] = {}
        self._is_decoded_by_libcurl = False
        self.ended_at = 0.0
        """When what `send` gave last had come, on the monotonic clock: it may have been ahead."""

    def __deepcopy__(self, _: object) -> CurlAdapter:
        """Itself: dlt validates a copy of the configuration, of which this is a part."""
        return self

    def announce(self, requests: Iterator[tuple[PreparedRequest, Follow]]) -> None:
        """Names the requests that will be sent, in their order, in place of earlier ones.

        Args:
            requests: The requests, each with what makes the one that follows from its answer.
        """
        self._announced = requests
        self._following.clear()
        self._ahead.clear()

    def expect_next(self) -> None:
        """Lets the next announced request be known before it may be sent."""
        if announced := next(self._announced, None):
            request, follow = announced
            self._following[request] = follow

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Timeout = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> CurlResponse:
        """Sends one request, or takes the answer of one that was sent ahead, decoded.

        Args:
            request: What to send.
            stream: Of no effect: the answer is always read as a whole.
            timeout: Seconds to wait for a connection, and for the next byte of the answer; the
                latter are counted in whole seconds.
            verify: Whether the server's certificate must be trusted; a path names whom to trust.
            cert: Of no effect: the session of this project has none.
            proxies: The proxy of each scheme and host, as `requests` has them.

        Raises:
            requests.RequestException: If no whole answer came.
        """
        way = Way(timeout, verify, proxies or {})
        self._send_ahead(way)
        transfer = self._ahead.pop(request, None)
        if transfer is None:
            transfer = self._start(request, self._following.pop(request, None), way)
        while True:
            self._send_ahead(way)
            self._multi.perform()
            self._collect()
            if transfer.outcome is not None:
                break
            self._sleep()
        self.ended_at = transfer.ended_at
        if isinstance(transfer.outcome, Exception):
            raise transfer.outcome
        return transfer.outcome

    def close(self) -> None:
        """Closes the connections; what is under way is given up."""
        for curl in self._under_way:
            self._multi.remove_handle(curl)
        self._under_way.clear()
        self._multi.close()

    def may_send_ahead(self, under_way: int) -> bool:
        """Whether a request may be sent that nobody waits for yet, beside those under way."""
        return under_way < self._connections

    def begin(self, request: PreparedRequest) -> None:
        """Called before a request is sent; an error that it raises keeps it from being sent."""

    def end(self, request: PreparedRequest, outcome: CurlResponse | Exception) -> Exception | None:
        """Called with what came of a request; an error that it returns stands for that."""

    def _sleep(self) -> None:
        """Waits until something comes, or libcurl itself has something to do."""
        milliseconds = self._multi.timeout()
        is_told = milliseconds >= 0
        seconds = min(milliseconds / 1000, LONGEST_SLEEP) if is_told else LONGEST_SLEEP
        if any(self._multi.fdset()):
            self._multi.select(seconds)
        else:
            # `select` would return at once: nothing is open yet, as while a name is looked up.
            time.sleep(min(seconds, SHORTEST_SLEEP))

    def _send_ahead(self, way: Way) -> None:
        while (
            len(self._under_way) < self._connections
            and len(self._ahead) < ANSWERS_AHEAD * self._connections
            and sum(ahead.size for ahead in self._ahead.values()) < BYTES_AHEAD
            and self.may_send_ahead(len(self._under_way))
            and (announced := self._next_announced())
        ):
            request, follow = announced
            self._ahead[request] = self._start(request, follow, way)

    def _next_announced(self) -> tuple[PreparedRequest, Follow] | None:
        if self._following:
            request = next(iter(self._following))
            return request, self._following.pop(request)
        return next(self._announced, None)

    def _start(self, request: PreparedRequest, follow: Follow | None, way: Way) -> Transfer:
        self.begin(request)
        transfer = Transfer(request, follow, self._is_decoded_by_libcurl)
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        transfer.prepare(curl, way)
        self._multi.add_handle(curl)
        self._under_way[curl] = transfer
        return transfer

    def _collect(self) -> None:
        """Takes the outcome of each request that has come to its end."""
        is_more = 1
        while is_more:
            is_more, answered, failed = self._multi.info_read()
            for curl in answered:
                self._finish(curl, self._read(curl))
            for curl, code, words in failed:
                self._finish(curl, self._under_way[curl].error(curl, code, words))

    def _read(self, curl: pycurl.Curl) -> CurlResponse | Exception:
        try:
            return self._under_way[curl].response(curl)
        except exceptions.ContentDecodingError as error:
            # libcurl reads more encodings: it gets what comes after this, a retry as a rule.
            if isinstance(error.__cause__, UnknownEncodingError):
                self._is_decoded_by_libcurl = True
            return error

    def _finish(self, curl: pycurl.Curl, outcome: CurlResponse | Exception) -> None:
        transfer = self._under_way.pop(curl)
        self._multi.remove_handle(curl)
        curl.reset()
        self._idle.append(curl)
        transfer.ended_at = time.monotonic()
        try:
            transfer.outcome = self.end(transfer.request, outcome) or outcome
            if transfer.follow and isinstance(transfer.outcome, CurlResponse):
                following = transfer.follow(transfer.outcome)
                if following:
                    self._following[following] = transfer.follow
        except Exception as error:
            transfer.outcome = error
