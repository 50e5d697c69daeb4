"""A server that answers what a test says, for answers that the demo API never gives."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

JSON = "application/json"


class Asked(NamedTuple):
    """A request as it came.

    Attributes:
        path: As it was sent, still quoted.
        params: Its query.
        number: How many requests of this path, with whatever query, came before it.
        body: What was sent with it.
        headers: Its headers.
    """

    path: str
    params: Mapping[str, str]
    number: int
    body: bytes = b""
    headers: Mapping[str, str] = {}

    def integer(self, name: str) -> int | None:
        """A number in its query."""
        return int(self.params[name]) if name in self.params else None


@dataclass(frozen=True)
class Answer:
    """What is answered.

    Attributes:
        body: Bytes as they are; anything else is written as JSON.
        status: The status.
        headers: Headers beside those of the content's type and length.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Callable[[Asked], Answer]
"""Answers a request; it is called for one at a time."""


class ScriptedApi:
    """A running server.

    Attributes:
        url: Its address.
        asked: The requests that came, the oldest first.
    """

    def __init__(self, url: str) -> None:
        """Begins without a request."""
        self.url = url
        self.asked: list[Asked] = []

    def paths(self) -> list[str]:
        """The paths that were asked for, the oldest first."""
        return [asked.path for asked in self.asked]

    def receive(
        self, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Asked:
        """Notes a request."""
        parts = urlsplit(target)
        number = self.paths().count(parts.path)
        asked = Asked(parts.path, dict(parse_qsl(parts.query)), number, body, headers or {})
        self.asked.append(asked)
        return asked


@contextmanager
def scripted_api(script: Script) -> Iterator[ScriptedApi]:
    """A server on 127.0.0.1 that answers each request by the script."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                answer = script(api.receive(self.path, body, dict(self.headers)))
            content = answer.content()
            self.send_response(answer.status)
            for name, value in {"Content-Type": JSON, **answer.headers}.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if answer.status != 204:
                self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api = ScriptedApi(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield api
        finally:
            server.shutdown()
