"""Who may ask for what, how often, and what is refused."""

import time

import pytest
import requests

from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import DemoServer

FORBIDDEN = {"error": {"code": "forbidden", "message": "Not authorized"}}
NOT_FOUND = {"error": {"code": "not_found", "message": "The item you requested was not found"}}
BAD_REQUEST = {
    "error": {
        "code": "bad_request",
        "message": "One of the provided values in the request query, body or headers is invalid",
    }
}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_a_missing_or_wrong_token_is_forbidden(demo: DemoServer, headers: dict[str, str]) -> None:
    response = requests.get(f"{demo.url}/v2/user", headers=headers, timeout=10)
    assert (response.status_code, response.json()) == (403, FORBIDDEN)


@pytest.mark.parametrize(
    "path",
    [
        "/v9/projects/prj_none/env",
        "/v2/teams/team_none/members",
        "/v3/deployments/dpl_none/events",
        "/v1/nothing",
    ],
)
def test_an_unknown_parent_is_not_found(demo: DemoServer, path: str) -> None:
    response = demo.get(path)
    assert (response.status_code, response.json()) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    "params", [{"limit": "0"}, {"limit": "x"}, {"limit": ""}, {"since": "now"}, {"until": "1e3"}]
)
def test_a_bad_number_is_a_bad_request(demo: DemoServer, params: dict[str, str]) -> None:
    response = demo.get("/v6/deployments", **params)
    assert (response.status_code, response.json()) == (400, BAD_REQUEST)


def test_the_user_is_one_object_whatever_is_asked(demo: DemoServer) -> None:
    assert demo.get("/v2/user", since=1, until=2).content == demo.get("/v2/user").content


def test_a_path_may_name_a_project_or_a_deployment_by_its_other_name(demo: DemoServer) -> None:
    project, deployment = demo.rows("projects")[0], demo.rows("deployments")[-1]
    for by_id, by_name in (
        (f"/v9/projects/{project['id']}/env", f"/v9/projects/{project['name']}/env"),
        (
            f"/v3/deployments/{deployment['uid']}/events",
            f"/v3/deployments/{deployment['url']}/events",
        ),
    ):
        assert demo.get(by_id).content == demo.get(by_name).content


def test_a_team_sees_its_own_rows(demo: DemoServer) -> None:
    for team in demo.parents("teams_member"):
        projects = demo.rows("projects", teamId=team)
        assert {row["accountId"] for row in projects} == {team}
        for operation in ("deployments", "aliases"):
            everything = demo.rows(operation, limit=100)
            own = demo.rows(operation, limit=3, teamId=team)
            assert 0 < len(own) < len(everything)
            assert [row for row in everything if row in own] == own
        owned_names = {row["name"] for row in projects}
        deployments = demo.rows("deployments", limit=100, teamId=team)
        assert {row["name"] for row in deployments} <= owned_names


def test_an_unknown_team_is_forbidden(demo: DemoServer) -> None:
    response = demo.get("/v2/user", teamId="team_none")
    assert (response.status_code, response.json()) == (403, FORBIDDEN)


def test_every_answer_tells_the_rate_limit(demo: DemoServer) -> None:
    demo.control("POST", "settings", {"rate_limits": {"auth_tokens": None}})
    headers = [demo.get("/v5/user/tokens").headers for _ in range(2)]
    assert [item["X-RateLimit-Limit"] for item in headers] == ["120", "120"]
    assert [item["X-RateLimit-Remaining"] for item in headers] == ["119", "118"]
    assert 0 < int(headers[0]["X-RateLimit-Reset"]) - time.time() <= 61
    refused = requests.get(f"{demo.url}/v2/user", timeout=10)
    assert "X-RateLimit-Limit" in refused.headers


def test_beyond_the_rate_limit_comes_429_until_the_window_ends(start_demo: StartDemo) -> None:
    demo = start_demo("--rate-limit", "user=2/1")
    assert [demo.get("/v2/user").status_code for _ in range(3)] == [200, 200, 429]
    refused = demo.get("/v2/user")
    assert refused.json()["error"]["code"] == "rate_limited"
    assert refused.headers["Retry-After"] == "1"
    assert demo.get("/v2/teams").status_code == 200
    time.sleep(max(int(refused.headers["X-RateLimit-Reset"]) - time.time(), 0))
    assert demo.get("/v2/user").status_code == 200


def test_429_may_come_without_retry_after(start_demo: StartDemo) -> None:
    demo = start_demo("--rate-limit", "user=0/60", "--no-retry-after")
    refused = demo.get("/v2/user")
    assert refused.status_code == 429
    assert "Retry-After" not in refused.headers


def test_all_sets_a_limit_for_each_operation(start_demo: StartDemo) -> None:
    demo = start_demo("--rate-limit", "all=1/60")
    for path in ("/v2/user", "/v2/teams"):
        assert [demo.get(path).status_code for _ in range(2)] == [200, 429]
