"""What stops a load is said in one sentence that names the setting or the command to run."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest

from analytics_assets.resources import AnalyticsApi
from harness.demo_api import TOKEN, DemoApi, running_demo_api
from harness.project import Project, metadata, sentence

TODAY = datetime.now(timezone.utc).date()
ONE_DAY = timedelta(days=1)


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
        ({"base_url": "http://api.vercel.com"}, "so that anyone on the way could read the token"),
        ({"base_url": "https://api.vercel.com/?key=secret"}, "holds a query or a fragment"),
        ({"base_url": "https://api.vercel.com/v1/?"}, "holds a query or a fragment"),
        ({"base_url": "https://api.vercel.com#secret"}, "holds a query or a fragment"),
        ({"base_url": " https://api.vercel.com"}, "ANALYTICS_BASE_URL has spaces or quotes"),
        ({"base_url": "https://api.vercel.com\n"}, "ANALYTICS_BASE_URL has spaces or quotes"),
        ({"base_url": "https://api. vercel.com"}, "ANALYTICS_BASE_URL has spaces or quotes"),
        ({"base_url": '"https://api.vercel.com"'}, "ANALYTICS_BASE_URL has spaces or quotes"),
        ({"base_url": "'https://api.vercel.com"}, "ANALYTICS_BASE_URL has spaces or quotes"),
        ({"base_url": "https://api.vercel.com:99999"}, "its host or its port cannot be read"),
        ({"base_url": "https://api.vercel.com:0"}, "its host or its port cannot be read"),
        ({"base_url": "https://api.vercel.com:no"}, "its host or its port cannot be read"),
        ({"base_url": "https://[::1"}, "its host or its port cannot be read"),
        ({"base_url": "https://"}, "ANALYTICS_BASE_URL is no address"),
        ({"start_date": "yesterday"}, "ANALYTICS_START_DATE is no ISO date"),
        ({"start_date": "2999-01-01"}, "ANALYTICS_START_DATE is 2999-01-01, which is in the fut"),
        ({"start_date": f"{TODAY + ONE_DAY}"}, "which is in the future \\(UTC\\)"),
        ({"max_retries": -1}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_value_is_refused_when_the_resource_is_made(
    options: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected) as refused:
        AnalyticsApi(**options)
    assert "secret" not in str(refused.value)


def test_today_is_no_day_in_the_future_and_an_address_may_have_a_path() -> None:
    AnalyticsApi(start_date=f"{TODAY}", base_url="https://api.vercel.com:443/v1/")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"])
def test_plain_http_to_this_machine_is_allowed(url: str) -> None:
    AnalyticsApi(base_url=url)


def test_plain_http_is_allowed_by_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_ALLOW_PLAIN_HTTP", "true")
    AnalyticsApi(base_url="http://api.internal")


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ANALYTICS_BASE_URL", "https://api.example.com", "ANALYTICS_BASE_URL is still"),
        ("ANALYTICS_BASE_URL", "https://host/?key=1", "ANALYTICS_BASE_URL holds a query"),
        ("ANALYTICS_START_DATE", "soon", "ANALYTICS_START_DATE is no ISO date"),
        ("ANALYTICS_START_DATE", "2999-01-01", "ANALYTICS_START_DATE is 2999-01-01, which is in"),
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


def test_a_folder_for_the_warehouse_that_cannot_be_made_is_named(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESTINATION__DUCKDB__CREDENTIALS")
    (tmp_path / "data").touch()
    said = sentence(project, "user")
    assert said.startswith("The warehouse cannot be opened: [Errno 17] File exists: 'data'.")


def test_a_server_destination_without_credentials_names_its_setting(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANALYTICS_DESTINATION", "postgres")
    said = sentence(project, "user")
    assert said.startswith("The warehouse cannot be opened")
    assert "DESTINATION__POSTGRES__CREDENTIALS" in said


def test_a_window_in_the_future_is_refused(project: Project) -> None:
    window = {"start": f"{TODAY + ONE_DAY}", "end": f"{TODAY + 2 * ONE_DAY}"}
    run_config = {"ops": {"deployments": {"config": window}}}
    said = sentence(project, "deployments", run_config)
    assert said.startswith(f"The window begins at {TODAY + ONE_DAY}, which is in the future (UTC)")


def test_a_child_whose_parent_was_never_loaded_names_the_command(project: Project) -> None:
    assert sentence(project, "environments") == (
        "environments needs the rows of projects, which was never loaded: materialize "
        "analytics/projects first, or both with `--select +analytics/environments`."
    )


def set_newest_load(project: Project, seconds_ahead: float) -> None:
    """Makes the newest load look as if a clock that is ahead of this machine's had made it."""
    with duckdb.connect(str(project.file)) as warehouse:
        newest = "(select max(load_id) from analytics._dlt_loads)"
        moment = str(time.time() + seconds_ahead)
        sql = f"update analytics._dlt_loads set load_id = ? where load_id = {newest}"  # noqa: S608
        warehouse.execute(sql, [moment])


@pytest.mark.long(reason="several loads each")
def test_a_clock_a_little_behind_the_newest_load_is_waited_for(project: Project) -> None:
    project.load_all("teams")
    set_newest_load(project, seconds_ahead=8)
    loaded = metadata(project.load("teams"), "teams")
    assert loaded["rows_no_longer_listed"] == 0
    (row,) = project.query("select max(load_id) as newest from analytics._dlt_loads")
    assert float(row["newest"]) < time.time()


def test_a_clock_far_behind_the_newest_load_is_an_error(project: Project) -> None:
    project.load_all("teams")
    set_newest_load(project, seconds_ahead=3600)
    assert "which is in the future: set this machine's clock" in sentence(project, "teams")


def test_an_api_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    with running_demo_api() as api:
        url = api.url
    said = sentence(Project(tmp_path, url), "user")
    assert said == (
        "GET /v2/user found no server (Connection refused) in each of 4 attempts. "
        "Check ANALYTICS_BASE_URL and the API, then try again."
    )


def test_the_token_is_masked_where_a_resource_is_shown() -> None:
    api = AnalyticsApi(base_url="https://api.vercel.com", access_token=TOKEN)
    assert TOKEN not in repr(api)
    assert TOKEN not in str(api)
