"""A proxy that does not let a request through is named by its setting, without its password."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.processes import free_port
from harness.project import Project, failures, sentence

PASSWORD = "pa55word"  # noqa: S105 - of a proxy that tests start, if at all
HOST = "api.analytics.invalid"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@contextmanager
def proxy_that_answers(status: int) -> Iterator[str]:
    """A proxy that lets nothing through; yields its host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        do_CONNECT = do_GET  # noqa: N815 - the library calls it so

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    ("setting", "value", "happened"),
    [
        ("HTTPS_PROXY", "http://me:{password}@{closed}", "does not answer (Connection refused)"),
        ("https_proxy", "{closed}", "does not answer (Connection refused)"),
        ("ALL_PROXY", "socks5h://{closed}", "does not answer (Connection refused)"),
        ("HTTPS_PROXY", "http://no.proxy.invalid:3128", "does not answer (Name or service"),
        ("HTTPS_PROXY", "http://me:{password}@127.0.0.1:99999", "is none that can be used"),
        ("HTTPS_PROXY", "foo://me:{password}@127.0.0.1:9", "is none that can be used"),
        ("HTTPS_PROXY", "http://me:{password}@{asking}", "answered 407: it wants a user and a"),
        ("HTTPS_PROXY", "http://{bad}", "answered 502"),
    ],
)
def test_a_proxy_that_lets_nothing_through_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, happened: str
) -> None:
    with proxy_that_answers(407) as asking, proxy_that_answers(502) as bad:
        words = {"closed": f"127.0.0.1:{free_port()}", "asking": asking, "bad": bad}
        monkeypatch.setenv(setting, value.format(**words, password=PASSWORD))
        said = failures(Project(tmp_path, f"https://{HOST}").load("user"))["user"]
    assert "GET /v2/user could not be sent: the proxy " in said
    assert f" in {setting} {happened}" in said
    assert "in each of 4 attempts. Correct or unset that setting, or name" in said
    assert "Check ANALYTICS_BASE_URL" not in said
    assert PASSWORD not in said


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (407, "GET /v2/user answered 407: the proxy {} in HTTP_PROXY wants a user and a password"),
        (502, "GET /v2/user answered 502 in each of 4 attempts, through the proxy {} in HTTP_P"),
    ],
)
def test_what_may_be_a_proxys_answer_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    """Of a request that is not encrypted, the proxy's answer looks like the API's."""
    monkeypatch.setenv("ANALYTICS_ALLOW_PLAIN_HTTP", "true")
    with proxy_that_answers(status) as address:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:{PASSWORD}@{address}")
        told = sentence(Project(tmp_path, f"http://{HOST}"), "user")
    assert told.startswith(said.format(address))
    assert PASSWORD not in told


def test_a_host_that_no_proxy_is_for_is_not_blamed_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    said = sentence(Project(tmp_path, f"http://127.0.0.1:{free_port()}"), "user")
    assert "found no server (Connection refused)" in said
    assert "PROXY" not in said
