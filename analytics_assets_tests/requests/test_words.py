"""A rejected request is told in the API's own words, and by the setting that may be wrong."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from requests import Request, Response

from analytics_assets.source.api_words import LONGEST_QUOTE, words_of
from analytics_assets.source.request_secrets import hide_secrets
from harness.demo_api import TOKEN, DemoApi
from harness.project import Project, sentence
from harness.scripted import Answer, Asked, scripted_api

SAID = "until should be a number"


def rejection(body: Any, url: str = "https://host/rows", **headers: str) -> Response:
    response = Response()
    response.status_code = 400
    response.encoding = "utf-8"
    response._content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {TOKEN}", **headers}
    response.request = Request("GET", url, headers=sent).prepare()
    return response


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": "bad_request", "message": SAID}},
        {"error": SAID},
        {"errors": [{"detail": SAID, "title": "Bad Request"}, {"detail": "more"}]},
        {"errors": [{"message": SAID}]},
        {"errors": [SAID]},
        {"errors": SAID},
        {"message": SAID, "error": "Bad Request", "statusCode": 400},
        {"message": [SAID, "more"]},
        {"title": "Bad Request", "detail": SAID, "status": 400},
        {"title": SAID},
        {"error": "invalid_request", "error_description": SAID},
        [{"message": SAID, "errorCode": "MALFORMED"}],
        {"error": {"code": SAID}},
        {"error": {"message": "\x1b[31m until \n should\tbe a number\ud800 "}},
        SAID,
    ],
)
def test_the_words_of_the_api_are_found_in_every_form(body: Any) -> None:
    assert words_of(rejection(body)).removeprefix("[31m ") == SAID


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>no</html>", b"\xff", {}, [], None, 7, {"error": None}, {"error": {"message": 7}}],
)
def test_an_api_without_words_is_not_quoted(body: Any) -> None:
    assert words_of(rejection(body)) == ""


def test_long_words_are_shortened_and_no_secret_is_repeated() -> None:
    basic = f"Basic {b64encode(b'somebody:pass/word').decode()}"
    url = "https://host/rows?api_key=k/e-y9&until=5"
    long = "x" * (LONGEST_QUOTE - 3)
    body = {"message": f"{long}{TOKEN} k/e-y9 k%2Fe-y9 until=5"}
    assert words_of(rejection(body, url)) == f"{long}*** ..."
    said = words_of(rejection({"message": f"{TOKEN}, k/e-y9, k%2Fe-y9, until=5"}, url))
    assert said == "***, ***, ***, until=5"
    body = {"message": "somebody pass/word pass%2Fword key-77"}
    headers = {"Authorization": basic, "X-Api-Key": "key-77"}
    assert words_of(rejection(body, **headers)) == "*** *** *** ***"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("https://u:s@h/p", "https://***@h/p"),
        ("/p?a=1&subscription-key=s&b=2", "/p?a=1&subscription-key=***&b=2"),
        ("/p?%74oken=s", "/p?%74oken=***"),
        ("/p?a=1;token=s", "/p?a=1;token=***"),
        ("/p?q=a%26token=s", "/p?q=a%26token=***"),
        ("/p?token=s;s", "/p?token=***"),
        ("/p?token%3Ds", "/p?token%3D***"),
        ("/p#access_token=s", "/p#access_token=***"),
        ("Authorization: Bearer s", "Authorization: Bearer ***"),
        ('{"token":"s"}', "{'token': '***'}"),
        ("{'token': ['s']}", "{'token': '***'}"),
        ("/p?limit=5&cursor=x", "/p?limit=5&cursor=x"),
    ],
)
def test_a_text_is_shown_without_what_a_request_proves_itself_by(text: str, hidden: str) -> None:
    assert hide_secrets(text) == hidden


def said_of(folder: Path, answer: Answer, **options: Any) -> str:
    with scripted_api(lambda _: answer) as api:
        return sentence(Project(folder, api.url, **options), "user")


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_request_is_not_blamed_on_the_address(tmp_path: Path, status: int) -> None:
    answer = Answer({"errors": [{"detail": f"{TOKEN} is no token"}]}, status)
    assert said_of(tmp_path, answer) == (
        f"GET /v2/user answered {status} (*** is no token): the API refuses the request as it was "
        "asked. Check the parameters of user in the configuration, or leave user out of the "
        "selection."
    )


def test_an_address_that_is_not_served_is_named(tmp_path: Path) -> None:
    said = said_of(tmp_path, Answer({"message": "no route"}, 404))
    assert said.startswith("GET /v2/user answered 404 (no route): the API at ANALYTICS_BASE_URL")
    assert "Check the address, or leave user out" in said


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_wrong_team_is_named(tmp_path: Path, status: int) -> None:
    def script(asked: Asked) -> Answer:
        if asked.params["teamId"] == "team_a":
            return Answer({"user": {"id": "usr_a"}})
        return Answer({"error": {"code": "no_team", "message": "Not authorized"}}, status)

    with scripted_api(script) as api:
        said = sentence(Project(tmp_path, api.url, team_id="team_b"), "user")
        assert said.startswith(f"GET /v2/user answered {status}")
        assert "the team in ANALYTICS_TEAM_ID" in said
        assert "Not authorized" in said
        Project(tmp_path, api.url, team_id="team_a").load_all("user")


def test_a_wrong_token_for_the_right_team_is_named_together_with_the_team(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    """Both answer 403, and which it is only another request could tell, if at all."""
    project = Project(tmp_path, demo_api.url, access_token="wrong", team_id="team_a")  # noqa: S106
    assert sentence(project, "user") == (
        "GET /v2/user answered 403: the token in ACCESS_TOKEN was rejected for this endpoint, or "
        "for the team in ANALYTICS_TEAM_ID (Not authorized). Check both: the token must be the "
        "right one, not expired, and one that may read that team, whose id must be right. Or leave "
        "user out of the selection."
    )


def test_a_token_that_is_not_known_is_not_blamed_on_the_team(tmp_path: Path) -> None:
    said = said_of(tmp_path, Answer({"error": "expired"}, 401), team_id="team_a")
    assert "the token in ACCESS_TOKEN was rejected for this endpoint (expired). Check" in said
    assert "ANALYTICS_TEAM_ID" not in said
