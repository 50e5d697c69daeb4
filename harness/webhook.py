"""A webhook that keeps what it is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

SECRET = "T0-webhook-secret"  # noqa: S105 - a path that only the test's own server knows


@dataclass
class Webhook:
    """A running webhook.

    Attributes:
        url: Its address, a secret as of Slack's.
        bodies: The JSON bodies of the alerts, the oldest first.
        status: What it answers.
    """

    url: str = ""
    bodies: list[Any] = field(default_factory=list)
    status: int = 200

    @property
    def texts(self) -> list[str]:
        """The messages."""
        return [str(body["text"]) for body in self.bodies]


@contextmanager
def running_webhook() -> Iterator[Webhook]:
    """A webhook on a port of its own."""
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if webhook.status == 200:
                webhook.bodies.append(body)
            self.send_response(webhook.status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keeps the test's output free of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    webhook.url = f"http://127.0.0.1:{server.server_port}/{SECRET}"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield webhook
    finally:
        server.shutdown()
