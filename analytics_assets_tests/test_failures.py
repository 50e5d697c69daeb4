"""What stops a load is said in one sentence that names the setting or the command to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analytics_assets.resources import AnalyticsApi
from analytics_assets_tests.support import (
    TOKEN,
    DemoApi,
    Project,
    failures,
    running_demo_api,
)


def sentence(project: Project, name: str) -> str:
    """The sentence with which an asset fails, without the class of the error."""
    result = project.load(name)
    assert not result.success
    return failures(result)[name].partition("Failure: ")[2].strip()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"base_url": None}, "ANALYTICS_BASE_URL is not set: set it to the address"),
        ({"access_token": ""}, "ACCESS_TOKEN is not set: set it to a token of the API"),
        ({"access_token": "to\nken"}, "ACCESS_TOKEN has characters that no token has"),
        ({"access_token": "wrong"}, "GET /v2/user answered 403: the token in ACCESS_TOKEN was"),
    ],
)
def test_a_setting_of_the_api_that_is_missing_or_rejected(
    tmp_path: Path, demo_api: DemoApi, options: dict[str, Any], expected: str
) -> None:
    said = sentence(Project(tmp_path, demo_api.url, **options), "user")
    assert said.startswith(expected)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"base_url": "https://api.example.com/"}, "ANALYTICS_BASE_URL is still the placeholder"),
        ({"base_url": "api.vercel.com"}, "ANALYTICS_BASE_URL is no address"),
        ({"base_url": "https://me:pw@host"}, "holds a user or a password"),
        ({"start_date": "yesterday"}, "ANALYTICS_START_DATE is no ISO date"),
        ({"max_retries": -1}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_refused_when_the_resource_is_made(
    options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        AnalyticsApi(**options)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ANALYTICS_BASE_URL", "https://api.example.com", "ANALYTICS_BASE_URL is still"),
        ("ANALYTICS_START_DATE", "soon", "ANALYTICS_START_DATE is no ISO date"),
        ("ANALYTICS_DESTINATION", "nothing", "ANALYTICS_DESTINATION names no dlt destination"),
        (
            "DESTINATION__DUCKDB__CREDENTIALS",
            "/does/not/exist/warehouse.duckdb",
            "The warehouse cannot be opened: IO Error: Cannot open file",
        ),
        (
            "DESTINATION__DUCKDB__CREDENTIALS",
            "Analytics.prod.duckdb",
            "DESTINATION__DUCKDB__CREDENTIALS names a file called like the dataset",
        ),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path,
    demo_api: DemoApi,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    expected: str,
) -> None:
    monkeypatch.setenv(name, value)
    options: dict[str, Any] = {"base_url": None} if name == "ANALYTICS_BASE_URL" else {}
    project = Project(tmp_path, demo_api.url, **options)
    assert sentence(project, "deployments").startswith(expected)


def test_a_server_destination_without_credentials_names_its_setting(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS_DESTINATION", "postgres")
    said = sentence(project, "user")
    assert said.startswith("The warehouse cannot be opened")
    assert "DESTINATION__POSTGRES__CREDENTIALS" in said


def test_a_child_whose_parent_was_never_loaded_names_the_command(project: Project) -> None:
    assert sentence(project, "environments") == (
        "environments needs the rows of projects, which was never loaded: materialize "
        "analytics/projects first, or both with `--select +analytics/environments`."
    )


def test_an_endpoint_that_fails_fails_its_own_asset(project: Project, demo_api: DemoApi) -> None:
    demo_api.fail("auth_tokens", "status", status=403, times=None)
    result = project.load()
    assert list(failures(result)) == ["auth_tokens"]
    assert len(result.get_asset_materialization_events()) == 8


def test_an_api_that_is_down_is_asked_four_times_and_named(
    project: Project, demo_api: DemoApi
) -> None:
    demo_api.fail("user", "status", status=503, times=None)
    with demo_api.counted() as requests:
        said = sentence(project, "user")
    assert said.startswith("GET /v2/user answered 503 in each of 4 attempts.")
    assert requests == {"user": 4}


def test_a_status_outside_the_example_is_not_retried(project: Project, demo_api: DemoApi) -> None:
    demo_api.fail("user", "status", status=501, times=None)
    with demo_api.counted() as requests:
        said = sentence(project, "user")
    assert said.startswith("GET /v2/user answered 501:")
    assert requests == {"user": 1}


def test_an_api_that_answers_no_json_is_named(project: Project, demo_api: DemoApi) -> None:
    demo_api.fail("user", "html", times=None)
    assert "answered no JSON in each of 4 attempts" in sentence(project, "user")


def test_an_api_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with running_demo_api() as api:
        url = api.url
    said = sentence(Project(tmp_path, url), "user")
    assert "in each of 4 attempts (ConnectionError). Check ANALYTICS_BASE_URL" in said


def test_the_token_is_masked_where_a_resource_is_shown() -> None:
    api = AnalyticsApi(base_url="https://api.vercel.com", access_token=TOKEN)
    assert TOKEN not in repr(api)
    assert TOKEN not in str(api)
