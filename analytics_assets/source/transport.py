"""Carries requests over libcurl, many at once from a single thread.

libcurl takes half the processor time of what else there is (`python -m benchmarks.transports`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pycurl
from requests import PreparedRequest, exceptions

from analytics_assets.source.content import UnknownEncodingError
from analytics_assets.source.transfer import CurlResponse, Transfer, Way

SHORTEST_SLEEP = 0.01
LONGEST_SLEEP = 1.0
"""Seconds after which libcurl is asked again whether a request has taken too long."""


class Transport:
    """Sends requests, and tells of each that has ended."""

    def __init__(self, way: Way, connections: int) -> None:
        """Begins without a connection.

        Args:
            way: How requests are sent.
            connections: Connections that are kept open at most.
        """
        self._way = way
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._idle: list[pycurl.Curl] = []
        self._under_way: dict[pycurl.Curl, Transfer] = {}
        self._is_decoded_by_libcurl = False

    @property
    def under_way(self) -> int:
        """Requests that were sent and have not ended."""
        return len(self._under_way)

    def send(self, request: PreparedRequest) -> Transfer:
        """Begins to send a request."""
        transfer = Transfer(request, self._is_decoded_by_libcurl)
        curl = self._idle.pop() if self._idle else pycurl.Curl()
        transfer.prepare(curl, self._way)
        self._multi.add_handle(curl)
        self._under_way[curl] = transfer
        return transfer

    def ended(self) -> Iterator[tuple[Transfer, CurlResponse | exceptions.RequestException]]:
        """What has ended by now, and with what: an answer, whatever its status, or an error."""
        self._multi.perform()
        is_more = 1
        while is_more:
            is_more, answered, failed = self._multi.info_read()
            for curl in answered:
                outcome = self._read(curl)
                yield self._finish(curl), outcome
            for curl, code, words in failed:
                error = self._under_way[curl].error(curl, code, words)
                yield self._finish(curl), error

    def wait(self) -> None:
        """Waits until something comes, or libcurl itself has something to do."""
        milliseconds = self._multi.timeout()
        is_told = milliseconds >= 0
        seconds = min(milliseconds / 1000, LONGEST_SLEEP) if is_told else LONGEST_SLEEP
        if any(self._multi.fdset()):
            self._multi.select(seconds)
        else:
            # `select` would return at once: nothing is open yet, as while a name is looked up.
            time.sleep(min(seconds, SHORTEST_SLEEP))

    def give_up(self) -> None:
        """Ends what is under way."""
        for curl in [*self._under_way]:
            self._finish(curl)

    def close(self) -> None:
        """Closes the connections; what is under way is given up."""
        self.give_up()
        self._multi.close()

    def _read(self, curl: pycurl.Curl) -> CurlResponse | exceptions.RequestException:
        try:
            return self._under_way[curl].response(curl)
        except exceptions.ContentDecodingError as error:
            # libcurl reads more encodings: it gets what comes after this, a retry as a rule.
            if isinstance(error.__cause__, UnknownEncodingError):
                self._is_decoded_by_libcurl = True
            return error

    def _finish(self, curl: pycurl.Curl) -> Transfer:
        transfer = self._under_way.pop(curl)
        self._multi.remove_handle(curl)
        curl.reset()
        self._idle.append(curl)
        return transfer
