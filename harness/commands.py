"""`dagster` on the command line, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.demo_api import DemoApi, settings_of
from harness.forked import MODULE, commands

MATERIALIZE = ["asset", "materialize", "-m", MODULE, "--select"]


def run_cli(
    *arguments: str,
    api: DemoApi,
    timeout: float = 300,
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `dagster` as a user does: a process, settings in the environment."""
    environment = {**os.environ, **settings_of(api), **(settings or {})}
    return commands().run(arguments, environment, timeout)


def start_cli(*arguments: str, api: DemoApi, log: Path, **settings: str) -> subprocess.Popen[bytes]:
    """Starts `dagster` as a user does, in a session of its own, with its output in a file."""
    with log.open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "dagster", *arguments],
            env={**os.environ, **settings_of(api), **settings},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def assert_ended_well(
    processes: Iterable[subprocess.Popen[bytes]], logs: Iterable[Path], seconds: float
) -> None:
    """Waits for processes, and fails the test with the log of one that failed."""
    for process, log in zip(processes, logs, strict=True):
        assert process.wait(seconds) == 0, log.read_text()
