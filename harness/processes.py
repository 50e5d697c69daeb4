"""Processes of the tests: where they start, how they end, and waiting for what they do."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
TIMEOUT = 60
BELOW_CHOSEN_PORTS = range(20_000, 30_000)
"""Linux chooses from 32,768 on, macOS and Windows from 49,152."""


def moments(seconds: float = 10, pause: float = 0.01) -> Iterator[None]:
    """Try again and again what must come true before so many seconds are over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(pause)
    raise TimeoutError("It has not come true.")


def wait_until(
    condition: Callable[[], object], seconds: float = TIMEOUT, pause: float = 0.01
) -> None:
    """Waits for a condition to come true.

    Raises:
        TimeoutError: If it has not come true in that many seconds.
    """
    for _ in moments(seconds, pause):
        if condition():
            return


def stop_all(process: subprocess.Popen[Any]) -> None:
    """Ends a session's first process and all it started.

    Not by SIGINT, which a background job ignores.
    """
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A port that nothing listens on, and that no system hands out by itself.

    Each connection that goes out has a port that the system has chosen: one that was free when it
    was asked for may be taken before the server that is to have it has started.
    """
    while True:
        # No seed of a test's is to choose the same for two processes.
        port = random.SystemRandom().choice(BELOW_CHOSEN_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
