"""What a run on the command line shows: on a terminal, in a pipe, and at its end."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands import MATERIALIZE, run_cli
from harness.demo_api import RESOURCES, DemoApi, running_demo_api, settings_of
from harness.processes import REPOSITORY, free_port

ESCAPE = "\x1b"


@pytest.mark.long(reason="commands in processes of their own")
def test_a_run_ends_with_what_was_loaded_and_why_the_rest_was_not(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    # As in a clone, whose folder has one: the log is what a person wants to know.
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    demo_api.fail("teams", "status", status=403, times=None)
    run = run_cli(*MATERIALIZE, "*", api=demo_api)
    assert run.returncode == 1
    heading, *lines = run.stdout.splitlines()
    assert heading.split() == [
        *("asset", "rows", "new", "changed", "requests", "waited", "seconds", "checks")
    ]
    table = {line.split()[0]: line.split()[1:] for line in lines[:7]}
    assert set(table) == set(RESOURCES) - {"teams", "teams_member"}
    for name, (rows, new, changed, *_) in table.items():
        assert (int(rows), int(new), int(changed)) == (len(demo_api.rows(name)),) * 2 + (0,)
    said = " ".join(lines[7:])
    assert said.startswith("teams failed: GET /v2/teams answered 403: the token in ACCESS_TOKEN")
    assert said.endswith("teams_member was not tried: what it needs had failed.")
    assert " - DEBUG - " not in run.stderr
    assert 'Execution of step "teams" failed.' in run.stderr
    assert "Stack Trace" not in run.stderr


NOWHERE = f"http://127.0.0.1:{free_port()}"
QUICKLY = '{"resources": {"api": {"config": {"backoff_factor": 0.01}}}}'
CAUSES = {
    "wrong token": (
        {"ACCESS_TOKEN": "wrong"},
        "aliases failed: GET /v4/aliases answered 403: the token in ACCESS_TOKEN was rejected",
        "auth_tokens, deployments, projects, teams and user failed likewise.",
    ),
    "missing token": (
        {"ACCESS_TOKEN": ""},
        "aliases, auth_tokens, deployments, projects, teams and user failed: ACCESS_TOKEN is not",
        "deployment_events, environments and teams_member were not tried",
    ),
    "missing address": (
        {"ANALYTICS_BASE_URL": ""},
        "aliases, auth_tokens, deployments, projects, teams and user failed: ANALYTICS_BASE_URL is",
        "deployment_events, environments and teams_member were not tried",
    ),
    "no API": (
        {"ANALYTICS_BASE_URL": NOWHERE},
        "aliases failed: GET /v4/aliases found no server (Connection refused) in each of 4",
        f"8 assets were not tried: the API at {NOWHERE} did not answer (auth_tokens, deployments, ",
    ),
}


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(("settings", "said", "of_others"), CAUSES.values(), ids=CAUSES)
def test_a_cause_is_one_sentence_without_a_trace(
    demo_api: DemoApi,
    settings: dict[str, str],
    said: str,
    of_others: str,
) -> None:
    run = run_cli(*MATERIALIZE, "*", "--config-json", QUICKLY, api=demo_api, settings=settings)
    assert run.returncode == 1
    shown = run.stdout + run.stderr
    assert len(shown.splitlines()) < 40, shown
    assert "Stack Trace" not in shown
    assert "Traceback" not in shown
    cause = said.partition("failed: ")[2]
    assert shown.count(cause) == 1, shown
    assert any(line.startswith(said) for line in run.stdout.splitlines()), run.stdout
    assert any(line.startswith(of_others) for line in run.stdout.splitlines()), run.stdout


@pytest.mark.long(reason="several loads each")
def test_who_discards_the_table_reads_the_cause_in_the_log(demo_api: DemoApi) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "dagster", *MATERIALIZE, "analytics/user"],
        env={**os.environ, **settings_of(demo_api), "ACCESS_TOKEN": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert "user failed: ACCESS_TOKEN is not set" in run.stderr


DEBUG = {
    "of the instance": "python_logs: {python_log_level: DEBUG}",
    "of the run": "loggers: {console: {config: {log_level: DEBUG}}}",
}


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(("where", "setting"), DEBUG.items(), ids=DEBUG)
def test_traces_are_shown_at_debug(
    tmp_path: Path, demo_api: DemoApi, where: str, setting: str
) -> None:
    settings_file = tmp_path / ("dagster.yaml" if where == "of the instance" else "run.yaml")
    settings_file.write_text(setting)
    options = ["--config", str(settings_file)] if where == "of the run" else []
    demo_api.fail("user", "status", status=403, times=None)
    run = run_cli(*MATERIALIZE, "analytics/user", *options, api=demo_api)
    error = run.stderr.partition("STEP_FAILURE")[2]
    places = [error.index(part) for part in ("GET /v2/user", "Cause: HTTPError: 403", "Stack Tr")]
    assert places == sorted(places)
    assert "PipelineStepFailed" not in error, "it only passed the cause on"


@pytest.mark.long(reason="several loads each")
def test_a_check_that_fails_stands_at_the_end(demo_api: DemoApi) -> None:
    demo_api.control("POST", "/rows/auth_tokens/add", id="tok", createdAt=1_780_000_000_000, odd=1)
    run = run_cli(*MATERIALIZE, "analytics/auth_tokens", api=demo_api)
    assert run.returncode == 0
    assert "6 of 7 passed" in run.stdout
    assert "auth_tokens: warning of columns_are_declared: Columns of auth_tokens" in run.stdout


def on_a_terminal(api: DemoApi, *arguments: str) -> str:
    """All that `dagster` writes to a terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dagster", *arguments],
        env={**os.environ, **settings_of(api), "TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    written = b""
    try:
        while read := os.read(ours, 65_536):
            written += read
    except OSError:
        pass  # The terminal is closed on the other side.
    finally:
        os.close(ours)
    assert process.wait() == 0, written.decode()
    return written.decode()


@pytest.mark.long(reason="commands in processes of their own")
def test_a_long_fan_out_shows_a_bar_on_a_terminal_and_plain_lines_elsewhere() -> None:
    with running_demo_api("--latency", "150", "--deployments", "300", "--events", "1") as api:
        terminal = on_a_terminal(api, *MATERIALIZE, "+analytics/deployment_events")
        shown = [int(done) for done in re.findall(r"(\d+)/300", terminal)]
        assert len(set(shown)) > 2
        assert max(shown) == 300
        assert ESCAPE in terminal
        api.reset()
        piped = run_cli(*MATERIALIZE, "analytics/deployment_events", api=api)
    assert ESCAPE not in piped.stdout
    assert "/300" not in piped.stdout + piped.stderr
