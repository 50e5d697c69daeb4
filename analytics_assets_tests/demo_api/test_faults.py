"""Each fault does, on the wire, what its name says."""

import json
import socket
import time
from itertools import islice
from typing import Any

import pytest
import requests

from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import ANCHOR, DemoServer

PATH = "/v6/deployments"
AUTHORIZATION = {"Authorization": "Bearer demo-token"}


def order(demo: DemoServer, kind: str, operation: str = "deployments", **details: object) -> None:
    demo.control("POST", "faults", {"operation": operation, "kind": kind, **details})


def receive_all(demo: DemoServer) -> tuple[bytes, bytes]:
    """Ask over a bare socket; return head and body, of as much as comes before the end."""
    with socket.create_connection(("127.0.0.1", demo.port), timeout=5) as connection:
        headers = f"Host: demo\r\nAuthorization: {AUTHORIZATION['Authorization']}\r\n"
        connection.sendall(f"GET {PATH} HTTP/1.1\r\n{headers}\r\n".encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


def announced_length(head: bytes) -> int:
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    return int(lines[b"content-length"])


def cursors(demo: DemoServer, path: str = PATH) -> list[int | None]:
    """Follow the cursor for six pages at most."""
    return [page["pagination"]["next"] for page in islice(demo.pages(path, limit=100), 6)]


def test_reset_ends_the_connection_before_any_answer(demo: DemoServer) -> None:
    order(demo, "reset")
    with pytest.raises(ConnectionResetError):
        receive_all(demo)
    assert demo.control("GET", "requests")["log"][0]["status"] is None


def test_cut_ends_the_connection_within_the_body(demo: DemoServer) -> None:
    whole = demo.get(PATH).content
    order(demo, "cut")
    head, body = receive_all(demo)
    assert announced_length(head) == len(whole)
    assert body == whole[: len(whole) // 2]


def test_hang_answers_late(demo: DemoServer) -> None:
    order(demo, "hang", seconds=0.4, times=2)
    with pytest.raises(requests.ReadTimeout):
        requests.get(demo.url + PATH, headers=AUTHORIZATION, timeout=0.2)
    started = time.monotonic()
    assert demo.get(PATH).status_code == 200
    assert time.monotonic() - started >= 0.4


def test_truncated_is_broken_json_of_the_announced_length(demo: DemoServer) -> None:
    order(demo, "truncated")
    response = demo.get(PATH)
    assert response.status_code == 200
    assert int(response.headers["Content-Length"]) == len(response.content)
    with pytest.raises(requests.JSONDecodeError):
        response.json()
    assert demo.get(PATH).json()["deployments"]


@pytest.mark.parametrize("body", [None, {"odd": "body"}, "plain text"])
def test_status_answers_with_status_headers_and_body(demo: DemoServer, body: Any) -> None:
    order(demo, "status", status=503, headers={"Retry-After": "7"}, body=body)
    response = demo.get(PATH)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")
    if body is None:
        assert response.json()["error"]["code"] == "internal_server_error"
    else:
        assert response.text == (body if isinstance(body, str) else '{"odd":"body"}')


def test_redirect_sends_elsewhere(demo: DemoServer) -> None:
    order(demo, "redirect", location="http://127.0.0.1:9/login")
    response = demo.get(PATH)
    assert (response.status_code, response.headers["Location"]) == (302, "http://127.0.0.1:9/login")


def test_html_is_a_page_with_status_200(demo: DemoServer) -> None:
    order(demo, "html")
    response = demo.get(PATH)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!doctype html>")


def test_bodies_of_the_wrong_form(demo: DemoServer) -> None:
    usual = demo.get(PATH).json()
    rows, pagination = usual["deployments"], usual["pagination"]
    without_next = {name: value for name, value in pagination.items() if name != "next"}
    expected = {
        "null_body": None,
        "renamed": {"deployments_renamed": rows, "pagination": pagination},
        "null_list": {"deployments": None, "pagination": pagination},
        "no_pagination": {"deployments": rows},
        "empty_pagination": {"deployments": rows, "pagination": {}},
        "no_next": {"deployments": rows, "pagination": without_next},
    }
    for kind, body in expected.items():
        order(demo, kind)
        response = demo.get(PATH)
        assert (response.status_code, response.json()) == (200, body), kind
    order(demo, "envelope")
    response = demo.get(PATH)
    assert response.status_code == 200
    assert list(response.json()) == ["error"]


def test_same_cursor_comes_on_every_page(demo: DemoServer) -> None:
    order(demo, "same_cursor")
    seen = cursors(demo)
    assert len(seen) == 6
    assert len(set(seen)) == 1
    assert seen[0] is not None


def test_cycle_goes_from_a_to_b_and_back(demo: DemoServer) -> None:
    order(demo, "cycle")
    first, second, *others = cursors(demo)
    assert first != second
    assert None not in (first, second)
    assert others == [first, second, first, second]


@pytest.mark.parametrize("kind", ["same_cursor", "cycle"])
def test_a_list_of_one_page_gets_a_bad_cursor_too(demo: DemoServer, kind: str) -> None:
    order(demo, kind, operation="teams")
    assert None not in cursors(demo, "/v2/teams")


def test_zero_cursor_is_followed_by_the_rest(demo: DemoServer) -> None:
    everything = demo.rows("deployments", limit=100)
    order(demo, "zero_cursor")
    pages = list(demo.pages(PATH, limit=100))
    assert pages[0]["pagination"]["next"] == 0
    assert [row for page in pages for row in page["deployments"]] == everything


@pytest.mark.parametrize("after", [0, 1, 2])
def test_after_an_empty_page_the_list_goes_on(demo: DemoServer, after: int) -> None:
    everything = demo.rows("deployments", limit=100)
    order(demo, "empty_page", after=after)
    pages = list(demo.pages(PATH, limit=100))
    assert [len(page["deployments"]) for page in pages].index(0) == after
    assert [row for page in pages for row in page["deployments"]] == everything


def test_after_and_times_choose_the_requests(demo: DemoServer) -> None:
    order(demo, "status", status=500, after=1, times=2)
    order(demo, "status", status=502, times=None, operation="all")
    assert [demo.get(PATH).status_code for _ in range(5)] == [502, 500, 500, 502, 502]
    assert demo.get("/v2/user").status_code == 502
    demo.control("DELETE", "faults")
    assert demo.get(PATH).status_code == 200


def test_a_fault_may_be_meant_for_one_parent(demo: DemoServer) -> None:
    first, second = demo.parents("teams_member")[:2]
    order(demo, "status", operation="teams_member", status=404, parent=second)
    codes = [demo.get(f"/v2/teams/{team}/members").status_code for team in (first, second)]
    assert codes == [200, 404]


def test_the_user_and_the_events_have_no_pages_to_distort(demo: DemoServer) -> None:
    path = f"/v3/deployments/{demo.rows('deployments')[-1]['uid']}/events"
    for kind in ("same_cursor", "cycle", "zero_cursor", "no_next", "empty_pagination"):
        for operation, url in (("user", "/v2/user"), ("deployment_events", path)):
            usual = demo.get(url).json()
            order(demo, kind, operation=operation, times=1)
            assert demo.get(url).json() == usual


def test_a_fault_may_be_ordered_on_the_command_line(start_demo: StartDemo) -> None:
    fault = json.dumps({"operation": "user", "kind": "status", "status": 501, "times": 2})
    demo = start_demo("--anchor", ANCHOR, "--fault", fault, "--fault", fault)
    assert [demo.get("/v2/user").status_code for _ in range(5)] == [501] * 4 + [200]
