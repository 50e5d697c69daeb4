"""The token goes to the API alone, wherever an answer may lead."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from analytics_assets.configuration import ANALYTICS, Api, read_api
from harness.configurations import words_of
from harness.demo_api import TOKEN, DemoApi
from harness.project import Project, failures


class Stranger(ThreadingHTTPServer):
    """A server that answers one user to everybody, and remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StrangerHandler)
        self.received: list[str] = []


class StrangerHandler(BaseHTTPRequestHandler):
    """Answers a request of a `Stranger`."""

    server: Stranger

    def do_GET(self) -> None:
        """Answers one user."""
        self.server.received.append(f"{self.requestline}\n{self.headers}")
        body = json.dumps({"user": {"id": "stranger"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving(server: Stranger) -> Iterator[Stranger]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    """A server that is not the API."""
    with serving(Stranger()) as server:
        yield server


REFUSED = "another address than ANALYTICS_BASE_URL: nothing was sent there"


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{stranger}/v2/user",
        "http://localhost:{stranger}/v2/user",
        "//127.0.0.1:{stranger}/v2/user",
        "http://127.0.0.1:{api}@127.0.0.1:{stranger}/v2/user",
        "http://localhost:{api}/v2/user",
        "https://127.0.0.1:{api}/v2/user",
    ],
)
def test_the_token_follows_no_redirect_to_another_address(
    project: Project, demo_api: DemoApi, stranger: Stranger, location: str
) -> None:
    api_port = demo_api.url.rpartition(":")[2]
    target = location.format(stranger=stranger.server_port, api=api_port)
    demo_api.fail("user", "redirect", location=target)
    with demo_api.counted() as requests:
        result = project.load("user")
    said = failures(result)["user"]
    assert REFUSED in said
    assert "@" not in said
    assert requests == {"user": 1}
    assert stranger.received == []


def test_words_of_the_api_that_repeat_the_token_are_not_repeated(
    project: Project, demo_api: DemoApi
) -> None:
    body = {"error": {"message": f"bad header Authorization: Bearer {TOKEN}"}}
    demo_api.fail("user", "status", status=400, body=body)
    said = failures(project.load("user"))["user"]
    assert "answered 400 (bad header Authorization: Bearer ***): the API refuses" in said
    assert TOKEN not in said


def test_a_redirect_within_the_api_is_followed(project: Project, demo_api: DemoApi) -> None:
    demo_api.fail("user", "redirect", location="/v2/user?moved=1")
    with demo_api.counted() as requests:
        project.load_all("user")
    assert requests == {"user": 2}


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("spelling", ["http://LOCALHOST:{}", "HTTP://127.0.0.1:{}/"])
def test_the_address_of_the_api_may_be_spelled_in_capitals(
    tmp_path: Path, demo_api: DemoApi, spelling: str
) -> None:
    url = spelling.format(demo_api.url.rpartition(":")[2])
    Project(tmp_path, url).load_all("user")


def teams_with(paginator: Any) -> Api:
    """The API of teams alone, with another paginator."""
    teams: Any = deepcopy(words_of(ANALYTICS, "teams"))
    teams["endpoint"]["paginator"] = paginator
    return read_api({**ANALYTICS, "resources": [teams]})


@pytest.mark.parametrize(
    "paginator",
    [
        {"type": "json_link", "next_url_path": "next"},
        {"type": "header_link", "links_next_key": "next"},
    ],
    ids=lambda paginator: paginator["type"],
)
def test_the_token_follows_no_link_to_another_address(
    tmp_path: Path, demo_api: DemoApi, stranger: Stranger, paginator: dict[str, str]
) -> None:
    link = f"http://127.0.0.1:{stranger.server_port}/v2/teams"
    answer_with_link(demo_api, link)
    project = Project(tmp_path, demo_api.url, teams_with(paginator))
    with demo_api.counted() as requests:
        result = project.load("teams")
    assert REFUSED in failures(result)["teams"]
    assert requests == {"teams": 1}
    assert stranger.received == []


def test_a_cursor_that_is_an_address_is_a_parameter_like_any_other(
    project: Project, demo_api: DemoApi, stranger: Stranger
) -> None:
    link = f"http://127.0.0.1:{stranger.server_port}/v2/teams"
    answer_with_link(demo_api, link)
    demo_api.control("POST", "/requests/reset")
    project.load("teams")
    (_, second) = demo_api.control("GET", "/requests")["log"]
    assert second["query"]["until"] == link
    assert stranger.received == []


def answer_with_link(api: DemoApi, link: str) -> None:
    """Lets the API answer teams with every kind of way on, once."""
    body = {"teams": [{"id": "team"}], "pagination": {"next": link}, "next": link}
    headers = {"Link": f'<{link}>; rel="next"'}
    api.fail("teams", "status", status=200, body=body, headers=headers)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key, in one file."""
    path = tmp_path / "server.pem"
    request = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
    options = f"-addext subjectAltName=IP:127.0.0.1 -keyout {path} -out {tmp_path}/certificate.pem"
    subprocess.run(f"{request} {options}".split(), check=True, capture_output=True)
    with path.open("a") as file:
        file.write((tmp_path / "certificate.pem").read_text())
    return path


def test_a_server_without_a_trusted_certificate_gets_no_token(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    server = Stranger()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        project = Project(tmp_path, f"https://127.0.0.1:{server.server_port}")
        said = failures(project.load("user"))["user"]
        assert server.received == []
        assert "a certificate that is not trusted" in said
        assert "self-signed certificate. Correct the address" in said
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        project.load_all("user")
        assert f"Bearer {TOKEN}" in server.received[0]
