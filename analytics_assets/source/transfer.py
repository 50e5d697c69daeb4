"""One request over libcurl: how it is sent, and what comes of it, as `requests` has them."""

from __future__ import annotations

import errno
import math
import os
import ssl
import zlib
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from socket import EAI_NONAME, gaierror
from typing import NamedTuple

import certifi
import pycurl
from requests import PreparedRequest, Response, exceptions
from requests.structures import CaseInsensitiveDict
from requests.utils import select_proxy

from analytics_assets.source.content import ENCODINGS, UnknownEncodingError, decode
from analytics_assets.source.proxy import name_proxy
from analytics_assets.source.request_secrets import hide_secrets

BROKEN_OFF: dict[int, type[exceptions.RequestException]] = {
    pycurl.E_PARTIAL_FILE: exceptions.ChunkedEncodingError,
    pycurl.E_BAD_CONTENT_ENCODING: exceptions.ContentDecodingError,
    pycurl.E_OPERATION_TIMEDOUT: exceptions.Timeout,
    pycurl.E_PEER_FAILED_VERIFICATION: exceptions.SSLError,
}
"""The errors of `requests` for those of libcurl (libcurl-errors(3)); others are a connection's."""

PROXY_ERRORS = (pycurl.E_COULDNT_RESOLVE_PROXY, pycurl.E_COULDNT_CONNECT, 97)
"""Where there is a proxy, it is what a connection is made to; 97 is `CURLE_PROXY`."""


class CurlResponse(Response):
    """An answer that has come as a whole.

    Attributes:
        bytes_received: Bytes of the body, as they came over the line.
    """

    bytes_received: int = 0


Timeout = float | tuple[float, float] | tuple[float, None] | None
"""Seconds to wait for a connection, and for the next byte."""


class Way(NamedTuple):
    """How requests are sent.

    Attributes:
        timeout: Seconds to wait for a connection, and for the next byte of an answer; the latter
            are counted in whole seconds.
        verify: Whether the server's certificate must be trusted; a path names whom to trust.
        proxies: The proxy of each scheme and host, as `requests` has them.
    """

    timeout: Timeout
    verify: bool | str
    proxies: Mapping[str, str]


class Transfer:
    """A request that is under way, and its answer while it comes."""

    def __init__(self, request: PreparedRequest, is_decoded_by_libcurl: bool) -> None:
        self.request = request
        self._is_decoded_by_libcurl = is_decoded_by_libcurl
        self._proxy = ""
        self._body = BytesIO()
        self._lines: list[bytes] = []

    def prepare(self, curl: pycurl.Curl, way: Way) -> None:
        """Tells libcurl what to send, and where the answer goes."""
        request = self.request
        curl.setopt(pycurl.URL, str(request.url))
        curl.setopt(pycurl.CUSTOMREQUEST, str(request.method))
        if request.body is not None:
            curl.setopt(pycurl.POSTFIELDS, request.body)
        headers = [
            f"{name}: {value}"
            for name, value in request.headers.items()
            if name.lower() not in ("accept-encoding", "content-length")
        ]
        if self._is_decoded_by_libcurl:
            # All that it can.
            curl.setopt(pycurl.ACCEPT_ENCODING, "")
        else:
            headers.append(f"Accept-Encoding: {ENCODINGS}")
        curl.setopt(pycurl.HTTPHEADER, headers)
        curl.setopt(pycurl.WRITEDATA, self._body)
        curl.setopt(pycurl.HEADERFUNCTION, self._read_line)
        # Signals are Python's.
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        # Of the session, which knows the environment; "" keeps libcurl from reading it again.
        self._proxy = select_proxy(str(request.url), dict(way.proxies)) or ""
        curl.setopt(pycurl.PROXY, self._proxy)
        _set_trust(curl, way.verify)
        timeout = way.timeout
        connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        if connect is not None:
            curl.setopt(pycurl.CONNECTTIMEOUT_MS, max(int(connect * 1000), 1))
        if read is not None:
            curl.setopt(pycurl.LOW_SPEED_LIMIT, 1)
            curl.setopt(pycurl.LOW_SPEED_TIME, max(math.ceil(read), 1))

    def response(self, curl: pycurl.Curl) -> CurlResponse:
        """The answer as `requests` has it, decoded.

        Raises:
            requests.exceptions.ContentDecodingError: If it cannot be decoded.
        """
        status, *lines = b"".join(self._lines).decode("latin-1").split("\r\n")
        headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, is_field, value in (line.partition(":") for line in lines):
            if is_field:
                # Fields of one name are one list (RFC 9110, 5.3).
                known = headers.get(name)
                headers[name] = value.strip() if known is None else f"{known}, {value.strip()}"
        response = CurlResponse()
        response.status_code = curl.getinfo(pycurl.RESPONSE_CODE)
        response.reason = status.partition(" ")[2].partition(" ")[2]
        response.headers = headers
        # JSON's, whatever the content type says: else each body would be searched for a likely one.
        response.encoding = "utf-8"
        # An error shows it; the request itself keeps the whole address.
        response.url = str(self.request.url)
        if not response.ok:
            response.url = hide_secrets(response.url)
        response.request = self.request
        response.bytes_received = curl.getinfo(pycurl.SIZE_DOWNLOAD_T)
        response._content = self._decoded(headers.get("Content-Encoding", ""))
        response._content_consumed = True  # type: ignore[attr-defined]
        return response

    def error(self, curl: pycurl.Curl, code: int, words: str) -> exceptions.RequestException:
        """What libcurl met with instead of an answer, as `requests` has it."""
        cause = _os_error(code, words, curl)
        error = BROKEN_OFF.get(code, exceptions.ConnectionError)(words, request=self.request)
        if self._proxy and self._did_not_pass_the_proxy(curl, code):
            proxy = name_proxy(str(self.request.url), self._proxy)
            happened = _proxy_trouble(curl, words, cause)
            error = exceptions.ProxyError(f"{proxy} {happened}", request=self.request)
        error.__cause__ = cause
        return error

    def _did_not_pass_the_proxy(self, curl: pycurl.Curl, code: int) -> bool:
        is_tunnel = str(self.request.url).startswith("https:")
        return code in PROXY_ERRORS or (
            is_tunnel and not 200 <= curl.getinfo(pycurl.HTTP_CONNECTCODE) < 300
        )

    def _read_line(self, line: bytes) -> None:
        """Takes one line of the head: of several heads (of a proxy, of `100 Continue`) the last."""
        if line.startswith(b"HTTP/"):
            self._lines.clear()
        self._lines.append(line)

    def _decoded(self, encodings: str) -> bytes:
        body, self._body = self._body.getvalue(), BytesIO()
        if self._is_decoded_by_libcurl:
            return body
        try:
            return decode(body, encodings)
        except (zlib.error, UnknownEncodingError) as error:
            raise exceptions.ContentDecodingError(str(error), request=self.request) from error


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


def _proxy_trouble(curl: pycurl.Curl, words: str, cause: OSError | None) -> str:
    """What is wrong with a proxy. Not in libcurl's words, which can repeat its password."""
    status = curl.getinfo(pycurl.HTTP_CONNECTCODE)
    if status == 407:
        return "answered 407: it wants a user and a password"
    if status:
        return f"answered {status}"
    if words.startswith("Unsupported proxy"):
        return "is none that can be used"
    return f"does not answer ({cause.strerror})" if cause else "does not answer as a proxy does"


def _os_error(code: int, words: str, curl: pycurl.Curl) -> OSError | None:
    """What the operating system said of an error of libcurl's."""
    if code in (pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY):
        return gaierror(EAI_NONAME, "Name or service not known")
    if code == pycurl.E_PEER_FAILED_VERIFICATION:
        untrusted = ssl.SSLCertVerificationError(errno.EPERM, words)
        # libcurl adds the number of the reason in brackets.
        untrusted.verify_message = words.rpartition(": ")[2].partition(" (")[0]
        return untrusted
    number = curl.getinfo(pycurl.OS_ERRNO)
    return OSError(number, os.strerror(number)) if number else None
