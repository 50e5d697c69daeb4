"""A fan-out keeps the API's rate limit, and uses what it allows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.commands import MATERIALIZE, start_cli
from harness.demo_api import DemoApi, running_demo_api
from harness.processes import TIMEOUT, wait_until
from harness.project import Project, assert_equal, metadata
from harness.rules import WAITING

PARENTS = 360
ALLOWED, WINDOW = 120, 20


@pytest.mark.xdist_group(WAITING)
@pytest.mark.long_but_first(reason="limits and time-outs that are waited for")
@pytest.mark.parametrize("options", [[], ["--no-retry-after"]], ids=["retry-after", "reset"])
def test_a_fan_out_uses_the_limit_and_gives_no_request_up(
    tmp_path: Path, options: list[str]
) -> None:
    world = ["--deployments", str(PARENTS), "--events", "1"]
    limit = ["--rate-limit", f"deployment_events={ALLOWED}/{WINDOW}"]
    with running_demo_api(*world, *limit, *options) as api:
        project = Project(tmp_path, api.url, backoff_factor=2.0)
        project.load_all("deployments")
        loaded = metadata(project.load("deployment_events"), "deployment_events")
        log = api.log("deployment_events")
        api.control("POST", "/settings", rate_limits={"all": None})
        assert_equal(project.rows("deployment_events"), api.rows("deployment_events"))
    statuses = Counter(entry["status"] for entry in log)
    assert statuses[200] == PARENTS
    windows = PARENTS // ALLOWED
    # Held back by what the answers said remained, most are not even rejected.
    assert statuses[429] <= PARENTS // 10
    seconds = log[-1]["at"] - log[0]["at"]
    could_be_asked = ALLOWED * (1 + seconds / WINDOW)
    assert could_be_asked * 0.9 <= PARENTS
    assert loaded["seconds_waited"] >= (windows - 2) * WINDOW


def test_an_answer_that_uses_the_limit_up_is_no_loss(project: Project, demo_api: DemoApi) -> None:
    """Nothing more is to be asked for: the reset, an hour away, holds nobody up."""
    body = {"user": {"id": "usr_last"}}
    used_up = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 3600)}
    demo_api.fail("user", "status", status=200, body=body, headers=used_up)
    project.load_all("user")
    assert set(project.rows("user")) == {("usr_last",)}


@pytest.mark.long(reason="several loads each")
def test_a_run_that_waits_ends_when_it_is_told_to(tmp_path: Path, demo_api: DemoApi) -> None:
    project = Project(tmp_path, demo_api.url)
    project.load_all("teams")
    demo_api.fail("teams_member", "status", status=429, headers={"Retry-After": "600"}, times=None)
    with waiting_run(tmp_path, demo_api, "teams_member") as run:
        run.send_signal(signal.SIGTERM)
        run.wait(30)
    assert len(demo_api.log("teams_member")) <= len(demo_api.rows("teams"))


@pytest.mark.long(reason="several loads each")
def test_a_limit_that_resets_in_ten_minutes_is_waited_for_and_the_log_says_so(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    demo_api.fail("user", "status", status=429, headers={"Retry-After": "600"}, times=None)
    with waiting_run(tmp_path, demo_api, "user") as run:
        assert run.poll() is None
    assert len(demo_api.log("user")) == 1


@contextmanager
def waiting_run(folder: Path, api: DemoApi, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A run on the command line, once its log says that it waits for ten minutes."""
    log = folder / "log"
    run = start_cli(*MATERIALIZE, f"analytics/{name}", api=api, log=log)
    try:
        wait_until(lambda: re.search("is used up: waiting (599|600) s", log.read_text()), TIMEOUT)
        yield run
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
