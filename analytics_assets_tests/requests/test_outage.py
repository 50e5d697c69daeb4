"""An API that is down ends a run after one asset's attempts; an endpoint that is, its own asset."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from harness.demo_api import PARENTS, RESOURCES, DemoApi
from harness.processes import free_port
from harness.project import Project, assert_everything_equal, failures

ROOTS = sorted(set(RESOURCES) - set(PARENTS))
FIRST, *OTHERS = ROOTS
UNAVAILABLE: dict[str, Any] = {"kind": "status", "status": 503, "times": None}


def said_of(project: Project) -> dict[str, str]:
    """The sentence of each asset that failed in a run of all."""
    return {name: said.partition("Failure: ")[2] for name, said in failures(project.load()).items()}


def test_an_api_that_is_not_there_is_looked_for_by_one_asset(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    instance = DagsterInstance.ephemeral()
    said = said_of(Project(tmp_path, nowhere, instance=instance))
    assert list(said) == ROOTS
    assert "found no server (Connection refused) in each of 4 attempts" in said[FIRST]
    for name in OTHERS:
        assert said[name].strip() == f"{name} was not tried: the API at {nowhere} did not answer."
    # The next run tries them.
    project = Project(tmp_path, demo_api.url, instance=instance)
    project.load_all(*ROOTS[:2])
    assert_everything_equal(project, demo_api, *ROOTS[:2])


@contextmanager
def silent_server() -> Iterator[tuple[str, list[None]]]:
    """A server that hangs up on each request, and the requests that came."""
    came: list[None] = []

    def hang_up() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65_536)
                    came.append(None)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=hang_up, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", came
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_that_hangs_up_on_two_endpoints_is_asked_for_no_third_one(tmp_path: Path) -> None:
    with silent_server() as (url, _):
        said = said_of(Project(tmp_path, url))
    assert "in each of 4 attempts" in said[FIRST]
    assert "GET /v5/user/tokens answered nothing that could be read" in said[OTHERS[0]]
    assert "attempts" not in said[OTHERS[0]], "it was asked for once"
    assert all("was not tried: the API at http://127" in said[name] for name in OTHERS[1:])


def test_an_api_that_answers_503_to_all_is_asked_once_for_each_further_asset(
    project: Project, demo_api: DemoApi
) -> None:
    for name in ROOTS:
        demo_api.fail(name, **UNAVAILABLE)
    with demo_api.counted() as requests:
        said = said_of(project)
    assert requests == {FIRST: 4, **dict.fromkeys(OTHERS, 1)}
    assert list(said) == ROOTS
    assert all("answered 503" in sentence for sentence in said.values())
    demo_api.heal()
    project.load_all(*ROOTS[:2])
    assert_everything_equal(project, demo_api, *ROOTS[:2])


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(
    ("down", "fault"),
    [
        (FIRST, UNAVAILABLE),
        (FIRST, {"kind": "reset", "times": None}),
        ("projects", UNAVAILABLE),
    ],
)
def test_an_endpoint_that_is_down_fails_its_own_asset_alone(
    project: Project, demo_api: DemoApi, down: str, fault: dict[str, Any]
) -> None:
    demo_api.fail(down, **fault)
    assert list(said_of(project)) == [down]
    loaded = {name for name in RESOURCES if down not in (name, PARENTS.get(name))}
    assert_everything_equal(project, demo_api, *loaded)


@pytest.mark.long(reason="several loads each")
def test_two_endpoints_that_are_down_cost_the_others_neither_rows_nor_retries(
    project: Project, demo_api: DemoApi
) -> None:
    for name in ROOTS[:2]:
        demo_api.fail(name, **UNAVAILABLE)
    # One that an endpoint gets over, as any may, once the API is known to be up.
    demo_api.fail(ROOTS[3], **{**UNAVAILABLE, "times": 2})
    assert sorted(said_of(project)) == ROOTS[:2]
    assert_everything_equal(project, demo_api, *(set(RESOURCES) - set(ROOTS[:2])))


def test_an_api_that_answers_anything_is_there(project: Project, demo_api: DemoApi) -> None:
    """It may limit its rate, or refuse a token: each of its endpoints has its four attempts."""
    demo_api.fail(ROOTS[0], "status", status=429, headers={"X-RateLimit-Reset": "1"}, times=None)
    demo_api.fail(ROOTS[1], "status", status=403, times=None)
    for name in ROOTS[2:]:
        demo_api.fail(name, **UNAVAILABLE)
    with demo_api.counted() as requests:
        assert sorted(said_of(project)) == ROOTS
    assert requests == {ROOTS[0]: 4, ROOTS[1]: 1, **dict.fromkeys(ROOTS[2:], 4)}


def test_the_event_of_a_failure_keeps_its_sentence_first_then_cause_and_trace(
    project: Project, demo_api: DemoApi
) -> None:
    demo_api.fail("user", "status", status=403, times=None)
    (event,) = project.load("user").get_step_failure_events()
    error = event.step_failure_data.error
    assert error
    sentence, _, cause = error.message.partition("\n\n")
    assert "GET /v2/user answered 403: the token in ACCESS_TOKEN was rejected" in sentence
    assert cause.startswith("Cause: HTTPError: 403")
    assert error.stack
    assert error.cause
    assert error.cause.cls_name == "HTTPError"
    assert error.cause.stack
