"""Requests that fail in transit or with a status: what is tried again, how often, and when."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.demo_api import DemoApi, running_demo_api
from harness.project import (
    Project,
    assert_equal,
    assert_everything_equal,
    failures,
    metadata,
    sentence,
)

WAS_RESET = {"X-RateLimit-Reset": str(int(time.time()) - 86_400)}
RETRIED: list[tuple[dict[str, Any], str]] = [
    # A 429 tells when the limit is reset: here it has been.
    (
        {"kind": "status", "status": 429, "headers": WAS_RESET},
        "answered 429",
    ),
    *[
        ({"kind": "status", "status": status}, f"answered {status}")
        for status in (500, 502, 503, 504)
    ],
    ({"kind": "reset"}, "answered nothing that could be read (Connection reset by peer)"),
    ({"kind": "hang"}, "was not answered in time"),
    ({"kind": "cut"}, "answered nothing that could be read (ChunkedEncodingError)"),
    ({"kind": "truncated"}, "answered no JSON"),
    ({"kind": "html"}, "answered no JSON"),
]
WORDS = {401: "An unexpected error occurred", 403: "Not authorized"}
"""What the demo API itself says."""
IDS = [fault.get("status", fault["kind"]) for fault, _ in RETRIED]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(("fault", "said"), RETRIED, ids=IDS)
def test_what_may_pass_is_tried_four_times_named_and_made_good(
    tmp_path: Path, demo_api: DemoApi, fault: dict[str, Any], said: str
) -> None:
    project = Project(tmp_path, demo_api.url, timeout=0.5)
    demo_api.fail("projects", **fault, times=None)
    with demo_api.counted() as requests:
        told = sentence(project, "projects")
    assert told.startswith(f"GET /v9/projects {said} in each of 4 attempts")
    assert requests == {"projects": 4}

    demo_api.heal()
    demo_api.fail("projects", **fault, times=3)
    with demo_api.counted() as requests:
        project.load_all("projects")
    assert requests == {"projects": 4}
    assert_equal(project.rows("projects"), demo_api.rows("projects"))


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("kind", ["cut", "reset", "html"])
def test_a_page_in_the_middle_that_fails_once_costs_no_row_and_doubles_none(
    tmp_path: Path, kind: str
) -> None:
    with running_demo_api("--max-limit", "20") as api:
        api.fail("deployments", kind, after=2)
        project = Project(tmp_path, api.url)
        project.load_all("deployments")
        count = project.query("select count(*) as n from analytics.deployments")
        assert count == [{"n": len(api.rows("deployments"))}]
        assert_equal(project.rows("deployments"), api.rows("deployments"))


def test_the_waits_double(tmp_path: Path, demo_api: DemoApi) -> None:
    demo_api.fail("user", "status", status=500, times=None)
    sentence(Project(tmp_path, demo_api.url, backoff_factor=0.4), "user")
    waits = gaps(demo_api, "user")
    assert len(waits) == 3
    for wait, least in zip(waits, (0.4, 0.8, 1.6), strict=True):
        assert wait >= least
    # Three doublings from 0.4 s would be 4.4 s: what a slow machine adds stays far below that.
    assert sum(waits) < 4.4


def gaps(api: DemoApi, operation: str) -> list[float]:
    """Seconds between the requests of an operation, at the server."""
    return [later["at"] - earlier["at"] for earlier, later in pairwise(api.log(operation))]


@pytest.mark.parametrize("status", [400, 402, 404, 408, 409, 410, 422, 501, 505, 507])
def test_any_other_status_is_final_at_once(
    project: Project, demo_api: DemoApi, status: int
) -> None:
    demo_api.fail("user", "status", status=status, times=None)
    with demo_api.counted() as requests:
        assert sentence(project, "user").startswith(f"GET /v2/user answered {status} (")
    assert requests == {"user": 1}


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("status", [401, 403])
def test_a_token_rejected_in_the_middle_loads_no_half_list(tmp_path: Path, status: int) -> None:
    with running_demo_api("--max-limit", "20") as api:
        project = Project(tmp_path, api.url)
        api.fail("aliases", "status", status=status, after=2, times=None)
        with api.counted() as requests:
            assert sentence(project, "aliases") == (
                f"GET /v4/aliases answered {status}: the token in ACCESS_TOKEN was rejected for "
                f"this endpoint ({WORDS[status]}). Check that it is the right one and has not "
                "expired, give it that access, or leave aliases out of the selection."
            )
        assert requests == {"aliases": 3}
        assert project.query("select * from duckdb_tables() where table_name = 'aliases'") == []
        api.heal()
        project.load_all("aliases")
        assert_equal(project.rows("aliases"), api.rows("aliases"))


@pytest.mark.usefixtures("all_loaded")
def test_one_endpoint_down_skips_its_children_and_loads_the_rest(
    project: Project, demo_api: DemoApi, capfd: pytest.CaptureFixture[str]
) -> None:
    before = project.rows("deployment_events")
    demo_api.add_deployments(2)
    demo_api.fail("deployments", "status", status=503, times=None)
    names = ("teams", "deployments", "deployment_events", "projects", "environments")
    result = project.load(*names)
    assert list(failures(result)) == ["deployments"]
    why = "Dependencies for step deployment_events failed: ['deployments']. Not executing."
    assert why in capfd.readouterr().err
    assert project.rows("deployment_events") == before
    demo_api.heal()
    project.load_all(*names)
    assert_everything_equal(project, demo_api, *names)


SECONDS_ASKED_FOR = 5
WAITS: list[Any] = [
    pytest.param(lambda _: {"Retry-After": str(SECONDS_ASKED_FOR)}, id="seconds"),
    pytest.param(lambda moment: {"Retry-After": formatdate(moment, usegmt=True)}, id="date"),
    pytest.param(lambda moment: {"X-RateLimit-Reset": str(moment)}, id="reset"),
]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("headers", WAITS)
def test_the_api_decides_how_long_to_wait(
    project: Project, demo_api: DemoApi, headers: Callable[[int], dict[str, str]]
) -> None:
    moment = int(time.time()) + SECONDS_ASKED_FOR
    demo_api.fail("user", "status", status=429, headers=headers(moment))
    loaded = metadata(project.load("user"), "user")
    (first, second) = demo_api.log("user")
    assert second["at"] >= moment
    assert loaded["seconds_waited"] == pytest.approx(second["at"] - first["at"], abs=1)


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("value", ["0", "Thu, 01 Jan 2026 00:00:00 GMT", "soon"])
def test_a_wait_that_is_over_is_no_leave_to_storm(
    tmp_path: Path, demo_api: DemoApi, value: str
) -> None:
    demo_api.fail(
        "user",
        "status",
        status=429,
        headers={"Retry-After": value, **WAS_RESET},
        times=None,
    )
    sentence(Project(tmp_path, demo_api.url, backoff_factor=0.2), "user")
    for wait, least in zip(gaps(demo_api, "user"), (0.2, 0.4, 0.8), strict=True):
        assert wait >= least


def test_an_api_that_asks_for_more_than_a_load_waits_is_given_up(
    project: Project, demo_api: DemoApi
) -> None:
    demo_api.fail("user", "status", status=429, headers={"Retry-After": "3600"}, times=None)
    assert sentence(project, "user") == (
        "GET /v2/user answered 429: it asks to wait for 60 minutes, materialize it again after "
        "that."
    )
    assert len(demo_api.log("user")) == 1
