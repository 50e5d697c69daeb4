"""Carries the requests of a `requests.Session` over libcurl, many at once from a single thread.

The transport that `requests` has of its own takes several times the processor time, and a thread
for each request that is under way: the threads take Python's lock from each other, and from what is
done with the answers.
"""

from __future__ import annotations

import errno
import math
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from socket import EAI_NONAME, gaierror
from typing import Any, NamedTuple

import certifi
import pycurl
from requests import PreparedRequest, Response, exceptions
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy

BROKEN_OFF: dict[int, type[exceptions.RequestException]] = {
    pycurl.E_PARTIAL_FILE: exceptions.ChunkedEncodingError,
    pycurl.E_BAD_CONTENT_ENCODING: exceptions.ContentDecodingError,
    pycurl.E_OPERATION_TIMEDOUT: exceptions.Timeout,
    pycurl.E_PEER_FAILED_VERIFICATION: exceptions.SSLError,
}
"""The errors of `requests` for those of libcurl (libcurl-errors(3)); others are a connection's."""

ANSWERS_AHEAD = 4
"""Answers that are kept until they are asked for, to each connection."""
BYTES_AHEAD = 16_000_000
"""Bytes of such answers from which on no further one is asked for."""
SHORTEST_SLEEP = 0.01
LONGEST_SLEEP = 1.0
"""Seconds after which libcurl is asked again whether a request has taken too long."""


class CurlResponse(Response):
    """An answer that has come as a whole.

    Attributes:
        bytes_received: Bytes of the body, as they came over the line.
    """

    bytes_received: int = 0


Timeout = float | tuple[float, float] | tuple[float, None] | None
"""Seconds to wait for a connection, and for the next byte."""

Follow = Callable[[CurlResponse], "PreparedRequest | None"]
"""Makes the request that follows from an answer; None where none does."""


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
        self._under_way: dict[pycurl.Curl, _Transfer] = {}
        self._announced: Iterator[tuple[PreparedRequest, Follow]] = iter(())
        self._following: dict[PreparedRequest, Follow] = {}
        self._ahead: dict[PreparedRequest, _Transfer] = {}
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
        way = _Way(timeout, verify, proxies or {})
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

    def _send_ahead(self, way: _Way) -> None:
        while (
            len(self._under_way) < self._connections
            and len(self._ahead) < ANSWERS_AHEAD * self._connections
            and sum(ahead.body.tell() for ahead in self._ahead.values()) < BYTES_AHEAD
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

    def _start(self, request: PreparedRequest, follow: Follow | None, way: _Way) -> _Transfer:
        self.begin(request)
        transfer = _Transfer(request, follow)
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        _prepare(curl, transfer, way)
        self._multi.add_handle(curl)
        self._under_way[curl] = transfer
        return transfer

    def _collect(self) -> None:
        """Takes the outcome of each request that has come to its end."""
        is_more = 1
        while is_more:
            is_more, answered, failed = self._multi.info_read()
            for curl in answered:
                self._finish(curl, self._under_way[curl].response(curl))
            for curl, code, words in failed:
                error = _as_requests_error(code, words, self._under_way[curl].request)
                error.__cause__ = _os_error(code, words, curl)
                self._finish(curl, error)

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


class _Way(NamedTuple):
    """How requests are sent, as `requests` tells its transports."""

    timeout: Timeout
    verify: bool | str
    proxies: Mapping[str, str]


class _Transfer:
    """A request that is under way, and its answer while it comes."""

    def __init__(self, request: PreparedRequest, follow: Follow | None) -> None:
        self.request = request
        self.follow = follow
        self.body = BytesIO()
        self.outcome: CurlResponse | Exception | None = None
        self.ended_at = 0.0
        self._lines: list[bytes] = []

    def read_line(self, line: bytes) -> None:
        """Takes one line of the head: of several heads (of a proxy, of `100 Continue`) the last."""
        if line.startswith(b"HTTP/"):
            self._lines.clear()
        self._lines.append(line)

    def response(self, curl: pycurl.Curl) -> CurlResponse:
        """The answer as `requests` has it."""
        status, *lines = b"".join(self._lines).decode("latin-1").split("\r\n")
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, is_field, value in (line.partition(":") for line in lines):
            if is_field:
                # Fields of one name are one list (RFC 9110, 5.3).
                known = headers.get(name)
                headers[name] = value.strip() if known is None else f"{known}, {value.strip()}"
        response = CurlResponse()
        response.status_code = curl.getinfo(pycurl.RESPONSE_CODE)
        response.reason = status.split(" ", 2)[2] if status.count(" ") > 1 else ""
        response.headers = headers
        # JSON's, whatever the content type says: else each body would be searched for a likely one.
        response.encoding = "utf-8"
        response.url = str(self.request.url)
        response.request = self.request
        response.elapsed = timedelta(seconds=curl.getinfo(pycurl.TOTAL_TIME))
        response.bytes_received = curl.getinfo(pycurl.SIZE_DOWNLOAD_T)
        response._content = self.body.getvalue()
        response._content_consumed = True  # type: ignore[attr-defined]
        return response


def _prepare(curl: pycurl.Curl, transfer: _Transfer, way: _Way) -> None:
    request = transfer.request
    curl.setopt(pycurl.URL, str(request.url))
    curl.setopt(pycurl.CUSTOMREQUEST, str(request.method))
    if request.body is not None:
        curl.setopt(pycurl.POSTFIELDS, request.body)
    # All that libcurl can decode.
    curl.setopt(pycurl.ACCEPT_ENCODING, "")
    curl.setopt(
        pycurl.HTTPHEADER,
        [
            f"{name}: {value}"
            for name, value in request.headers.items()
            if name.lower() not in ("accept-encoding", "content-length")
        ],
    )
    curl.setopt(pycurl.WRITEDATA, transfer.body)
    curl.setopt(pycurl.HEADERFUNCTION, transfer.read_line)
    # Signals are Python's.
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    # Of the session, which knows the environment; "" keeps libcurl from reading it again.
    curl.setopt(pycurl.PROXY, select_proxy(str(request.url), dict(way.proxies)) or "")
    _set_trust(curl, way.verify)
    timeout = way.timeout
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    if connect is not None:
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(int(connect * 1000), 1))
    if read is not None:
        curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
        curl.setopt(pycurl.LOW_SPEED_TIME, max(math.ceil(read), 1))


def _set_trust(curl: pycurl.Curl, verify: bool | str) -> None:
    if verify is False:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
        return
    trusted = certifi.where() if verify is True else verify
    curl.setopt(pycurl.CAPATH if _is_folder(trusted) else pycurl.CAINFO, trusted)


@lru_cache
def _is_folder(path: str) -> bool:
    return Path(path).is_dir()


def _as_requests_error(
    code: int, words: str, request: PreparedRequest
) -> exceptions.RequestException:
    return BROKEN_OFF.get(code, exceptions.ConnectionError)(words, request=request)


def _os_error(code: int, words: str, curl: pycurl.Curl) -> OSError | None:
    """What the operating system said of an error of libcurl's."""
    if code == pycurl.E_COULDNT_RESOLVE_HOST:
        return gaierror(EAI_NONAME, "Name or service not known")
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        untrusted = ssl.SSLCertVerificationError(errno.EPERM, words)
        # libcurl adds the number of the reason in brackets.
        untrusted.verify_message = words.rpartition(": ")[2].partition(" (")[0]
        return untrusted
    number = curl.getinfo(pycurl.OS_ERRNO)
    return OSError(number, os.strerror(number)) if number else None
