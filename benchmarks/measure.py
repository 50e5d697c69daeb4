"""Runs a command and measures what it costs, with all processes that it starts."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.05
BYTES_PER_MB = 1_000_000
LAST_LINES = 15


@dataclass(frozen=True)
class Measurement:
    """What one run of a command took."""

    wall_seconds: float
    cpu_seconds: float
    """User and system time, of the process and of all it waited for."""
    peak_memory_mb: float
    """The largest sum of resident memory seen; pages that processes share count in each."""


class CommandFailedError(Exception):
    """A command ended with an error: there is nothing to measure."""


def measure(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path
) -> Measurement:
    """Runs a command to its end.

    Args:
        command: The program and its arguments.
        environment: All its environment variables.
        folder: Its working directory.
        log: The file that takes its output.

    Raises:
        CommandFailedError: If its exit code is not 0; it shows the end of its output.
    """
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(command), env=dict(environment), cwd=folder, stdout=output, stderr=output
        )
        with _ended_with_its_children(process), _Memory(process.pid) as memory:
            # Unlike `Popen.wait` it also tells the processor time.
            _, status, usage = os.wait4(process.pid, 0)
            wall_seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise CommandFailedError(f"It ended with exit code {process.returncode}:\n{end}")
    return Measurement(
        wall_seconds=wall_seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_memory_mb=memory.peak / BYTES_PER_MB,
    )


class _Memory:
    """Samples the resident memory of a process and its descendants, in a thread."""

    def __init__(self, process_id: int) -> None:
        self.peak = 0
        self._root = psutil.Process(process_id)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> _Memory:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self._is_over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, sum(_resident_bytes(self._root)))


def _resident_bytes(root: psutil.Process) -> Iterator[int]:
    """Of each process of a tree that is still there."""
    for process in tree_of(root):
        try:
            yield int(process.memory_info().rss)
        except psutil.NoSuchProcess:
            continue


def tree_of(root: psutil.Process) -> list[psutil.Process]:
    """A process and all that it has started, while it is there."""
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def _ended_with_its_children(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leaves no process behind when a benchmark is interrupted."""
    try:
        yield
    except BaseException:
        for running in tree_of(psutil.Process(process.pid)):
            running.kill()
        process.wait()
        raise
