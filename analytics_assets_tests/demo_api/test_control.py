"""The control routes watch and change a running server."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import ANCHOR, PARENTS, DemoServer


@pytest.fixture
def own_demo(start_demo: StartDemo) -> DemoServer:
    """Start a server whose rows a test may change."""
    return start_demo("--anchor", ANCHOR, "--deployments", "30")


def test_requests_are_counted_and_logged(demo: DemoServer) -> None:
    started = time.time()
    demo.get("/v2/user")
    demo.get("/v6/deployments", limit=3, until=5)
    requests.get(f"{demo.url}/v2/user", timeout=10)
    seen = demo.control("GET", "requests")
    assert seen["counts"] == {"user": 2, "deployments": 1}
    entry = seen["log"][1]
    assert started <= entry.pop("at") <= time.time()
    assert isinstance(entry.pop("connection"), int)
    assert entry == {
        "operation": "deployments",
        "method": "GET",
        "path": "/v6/deployments",
        "query": {"limit": "3", "until": "5"},
        "status": 200,
    }
    assert [entry["status"] for entry in seen["log"]] == [200, 200, 403]
    demo.control("POST", "requests/reset")
    assert demo.control("GET", "requests") == {"counts": {}, "log": []}


def test_settings_change_while_it_runs(demo: DemoServer) -> None:
    demo.control("POST", "settings", {"latency": 200, "rate_limits": {"teams": "1/60"}})
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: requests.get(f"{demo.url}/v2/user", timeout=10), range(8)))
    assert len(codes) == 8
    assert 0.2 <= time.monotonic() - started < 1.5
    assert [demo.get("/v2/teams").status_code for _ in range(2)] == [200, 429]
    demo.control("POST", "settings", {"latency": 0, "rate_limits": {"teams": None}})
    assert demo.get("/v2/teams").status_code == 200


def test_a_reset_begins_anew(start_demo: StartDemo) -> None:
    fault = '{"operation": "aliases", "kind": "status"}'
    demo = start_demo("--deployments", "5", "--latency", "1", "--fault", fault)
    url = "/v6/deployments"
    before = demo.get(url).json()
    assert demo.get("/v4/aliases").status_code == 500
    demo.control("POST", "deployments", {"count": 1})
    demo.control("DELETE", "rows/deployments", id=before["deployments"][0]["uid"])
    demo.control("POST", "settings", {"token": "another", "rate_limits": {"teams": "0/60"}})
    demo.control("POST", "faults", {"operation": "user", "kind": "html", "times": None})
    demo.control("POST", "reset")
    assert demo.control("GET", "requests") == {"counts": {}, "log": []}
    assert demo.get(url).json() == before
    assert demo.get("/v2/user").json()["user"]
    assert demo.get("/v2/teams").status_code == 200
    assert [demo.get("/v4/aliases").status_code for _ in range(2)] == [500, 200]


def test_a_token_may_be_revoked(demo: DemoServer) -> None:
    demo.control("POST", "settings", {"token": "another"})
    assert demo.get("/v2/user").status_code == 403
    demo.control("POST", "settings", {"token": "demo-token"})
    assert demo.get("/v2/user").status_code == 200


def test_new_deployments_are_the_newest(own_demo: DemoServer) -> None:
    before = own_demo.rows("deployments")
    uids = own_demo.control("POST", "deployments", {"count": 3, "events": 30})["uids"]
    after = own_demo.rows("deployments")
    assert [row["uid"] for row in after[:3]] == uids[::-1]
    assert after[3:] == before
    assert {row["state"] for row in after[:3]} == {"READY"}
    assert len(own_demo.get(f"/v3/deployments/{uids[0]}/events", limit=-1).json()) == 30


def test_a_row_is_served_as_it_was_stored(own_demo: DemoServer) -> None:
    for text in (
        '{"id": null, "createdAt": 1}',
        '{"id": "a", "createdAt": 1, "big": 1180591620717411303424}',
        '{"id": "a", "createdAt": 1, "not": NaN}',
        '{"id": "a", "createdAt": "yesterday", "emoji": "🎉\\u0000"}',
        '{"createdAt": true}',
        '"no object"',
    ):
        url = f"{own_demo.url}/_demo/rows/auth_tokens/add"
        assert requests.post(url, data=text.encode(), timeout=10).status_code == 200
        assert text.encode() in own_demo.get("/v5/user/tokens").content


def test_a_row_may_be_large(own_demo: DemoServer) -> None:
    row = {"id": "prj_large", "name": "x" * 5_000_000, "createdAt": 2_000_000_000_000}
    own_demo.control("POST", "rows/projects/add", row)
    assert own_demo.rows("projects")[0] == row


def test_a_stored_row_can_be_changed_and_deleted(own_demo: DemoServer) -> None:
    first, second, *others = own_demo.rows("projects")
    changes = {"name": {"now": "an object"}, "updatedAt": 2**70}
    own_demo.control("POST", "rows/projects", {"set": changes}, id=second["id"])
    own_demo.control("DELETE", "rows/projects", id=first["id"])
    assert own_demo.rows("projects") == [second | changes, *others]


def test_a_changed_creation_time_moves_the_row(own_demo: DemoServer) -> None:
    first, *others = own_demo.rows("auth_tokens")
    own_demo.control("POST", "rows/auth_tokens", {"set": {"createdAt": 1}}, id=first["id"])
    assert own_demo.rows("auth_tokens") == [*others, first | {"createdAt": 1}]


def test_the_user_can_be_changed_without_an_id(own_demo: DemoServer) -> None:
    own_demo.control("POST", "rows/user", {"set": {"name": None}})
    assert own_demo.get("/v2/user").json()["user"]["name"] is None


@pytest.mark.parametrize(
    ("operation", "path", "key"),
    [
        ("environments", "/v9/projects/{}/env", "id"),
        ("teams_member", "/v2/teams/{}/members", "uid"),
        ("deployment_events", "/v3/deployments/{}/events", "id"),
    ],
)
def test_child_rows_change_below_their_parent(
    own_demo: DemoServer, operation: str, path: str, key: str
) -> None:
    parents = PARENTS.get(operation, "deployments")
    *_, other, parent = [row.get("id") or row["uid"] for row in own_demo.rows(parents)]

    def rows(of: str) -> list[object]:
        body = own_demo.get(path.format(of), limit=100).json()
        return body if isinstance(body, list) else next(iter(body.values()))

    before, others = rows(parent), rows(other)
    new = {key: "new", "createdAt": 1, "created": 1, "deploymentId": parent}
    own_demo.control("POST", f"rows/{operation}/add", new, parent=parent)
    own_demo.control("POST", f"rows/{operation}", {"set": {"odd": 1}}, parent=parent, id="new")
    assert sorted(map(json.dumps, rows(parent))) == sorted(
        map(json.dumps, [*before, new | {"odd": 1}])
    )
    own_demo.control("DELETE", f"rows/{operation}", parent=parent, id="new")
    assert rows(parent) == before
    assert rows(other) == others


@pytest.mark.parametrize(
    ("operation", "key", "path"),
    [
        ("projects", "id", "/v9/projects/{}/env"),
        ("teams", "id", "/v2/teams/{}/members"),
        ("deployments", "uid", "/v3/deployments/{}/events"),
    ],
)
def test_the_children_of_a_deleted_row_are_not_found(
    own_demo: DemoServer, operation: str, key: str, path: str
) -> None:
    deleted = own_demo.rows(operation)[0][key]
    assert own_demo.get(path.format(deleted)).status_code == 200
    own_demo.control("DELETE", f"rows/{operation}", id=deleted)
    assert own_demo.get(path.format(deleted)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "settings", {"latency": "slow"}),
        ("POST", "settings", {"max_limit": 0}),
        ("POST", "settings", {"rate_limits": {"teams": "many"}}),
        ("POST", "faults", {"operation": "teams", "kind": "sulk"}),
        ("POST", "faults", {"operation": "nothing", "kind": "html"}),
        ("POST", "faults", {"operation": "teams", "kind": "html", "when": "now"}),
        ("POST", "faults", {"operation": "teams", "kind": "html", "after": "noon"}),
        ("POST", "settings", {"colour": "red"}),
        ("POST", "rows/nothing/add", {}),
        ("POST", "rows/environments/add", {}),
        ("POST", "rows/teams?id=none", {"set": {}}),
        ("POST", "rows/teams", {}),
        ("DELETE", "rows/teams?id=none", None),
        ("POST", "deployments", {"colour": "red"}),
        ("POST", "deployments", []),
    ],
)
def test_a_senseless_order_is_refused_with_a_reason(
    demo: DemoServer, method: str, path: str, body: object
) -> None:
    response = requests.request(method, f"{demo.url}/_demo/{path}", json=body, timeout=10)
    assert response.status_code == 400
    assert response.json()["error"]


def test_all_rows_of_a_list_come_on_one_page(own_demo: DemoServer) -> None:
    assert own_demo.control("GET", "rows/deployments") == own_demo.rows("deployments", limit=7)
    for child, parent in PARENTS.items():
        row = own_demo.parents(child)[0]
        assert own_demo.control("GET", f"rows/{child}", parent=row) == own_demo.rows(child, row)
        assert own_demo.control("GET", f"rows/{parent}")
    uid = own_demo.rows("deployments")[5]["uid"]
    events = own_demo.get(f"/v3/deployments/{uid}/events", limit=-1).json()
    assert own_demo.control("GET", "rows/deployment_events", parent=uid) == events
