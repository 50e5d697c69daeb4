"""`dagster` on the command line, told to end at a moment of choice, as by Ctrl-C in a terminal.

`python -m harness.interrupted` imports the project once and forks for each command,
whose process then does what `python -m dagster` does, in a session of its own. Its orders and its
answers are JSON, one a line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import psutil

import analytics_assets.definitions  # noqa: F401 - for all commands
from harness.commands import MATERIALIZE
from harness.demo_api import DemoApi, settings_of
from harness.forked import execute
from harness.killed import PHASES, Fuse
from harness.processes import REPOSITORY


@dataclass(frozen=True)
class Moment:
    """When a command is told to end.

    Attributes:
        what: A phase of a load, as `killed` has them, or a function as `module:name`.
        number: Its n-th moment in that phase, or the n-th call of the function, from 1.
        seconds: How long after that.
        lasts: For how many seconds the function does nothing then, before it does its own.
        number_of_signals: How often it is told, each time as long after the time before.
        signal: By what.
    """

    what: str
    number: int = 1
    seconds: float = 0.0
    lasts: float = 0.0
    number_of_signals: int = 1
    signal: int = signal.SIGINT


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        code: The exit code.
        said: All it has written.
        seconds: From the last signal to the end; None if no signal was sent.
        left: The command lines of what it has left running.
    """

    code: int
    said: str
    seconds: float | None
    left: list[str] = field(default_factory=list)


class Commands:
    """A process that executes commands."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Takes its orders to a process."""
        self._process = process

    def materialize(
        self, folder: Path, api: DemoApi, selection: str, moment: Moment, **settings: str
    ) -> Ending:
        """Runs `dagster asset materialize` in a folder until it ends."""
        order = {
            "folder": str(folder),
            "arguments": [*MATERIALIZE, selection],
            "moment": asdict(moment),
            "settings": {**os.environ, **settings_of(api), **settings},
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Ending(**json.loads(self._process.stdout.readline()))


@contextmanager
def commands() -> Iterator[Commands]:
    """What executes commands, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.interrupted"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Commands(process)
    finally:
        process.kill()
        process.communicate()


class _AtMoment(Fuse):
    """Strikes at one moment of a phase, and lets the process go on."""

    def __init__(self, moment: Moment, strike: Callable[[], None]) -> None:
        super().__init__(None, lambda _: None)
        self._moment = moment
        self._strike = strike

    def _count(self, phase: str, what: str) -> None:
        if (phase, next(self._numbers[phase])) == (self._moment.what, self._moment.number):
            self._strike()


def _lay(moment: Moment, strike: Callable[[], None]) -> None:
    if moment.what in PHASES:
        _AtMoment(moment, strike).lay()
        return
    module, _, path = moment.what.partition(":")
    owner_path, _, name = path.rpartition(".")
    owner = resolve_name(f"{module}:{owner_path}" if owner_path else module)
    function = getattr(owner, name)
    calls = iter(range(1, sys.maxsize))

    @wraps(function)
    def struck(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == moment.number:
            strike()
            time.sleep(moment.lasts)
        return function(*args, **kwargs)

    setattr(owner, name, struck)


def _strike(moment: Moment, note: Path) -> None:
    """Sends the signals to all processes of the command, as a terminal does."""

    def send() -> None:
        for number in range(moment.number_of_signals):
            if number or moment.seconds:
                time.sleep(moment.seconds)
            note.write_text(str(time.time()))
            os.killpg(0, moment.signal)

    if moment.seconds:
        threading.Thread(target=send, daemon=True).start()
    else:
        send()


def main() -> None:
    """Executes a command for each line read, until there are no more."""
    for line in sys.stdin:
        order = json.loads(line)
        folder = Path(order["folder"])
        log, note = folder / "command.log", folder / "struck"
        note.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _execute(order, log, note)
        _, status = os.waitpid(child, 0)
        ended = time.time()
        seconds = ended - float(note.read_text()) if note.exists() else None
        code = os.waitstatus_to_exitcode(status)
        answer = Ending(code, log.read_text(), seconds, _left_running(child))
        sys.stdout.write(json.dumps(asdict(answer)) + "\n")
        sys.stdout.flush()


def _execute(order: Mapping[str, Any], log: Path, note: Path) -> None:
    os.setsid()
    log.unlink(missing_ok=True)
    moment = Moment(**order["moment"])
    _lay(moment, lambda: _strike(moment, note))
    execute(order["arguments"], order["settings"], order["folder"], [str(log), str(log)])


def _left_running(session: int) -> list[str]:
    """The processes of a session that go on without its first one, once they had time to end."""
    for _ in range(50):
        left = [process for process in psutil.process_iter() if _is_of(process, session)]
        if not left:
            return []
        time.sleep(0.1)
    return [" ".join(process.cmdline()) for process in left]


def _is_of(process: psutil.Process, session: int) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, psutil.NoSuchProcess):
        return False


if __name__ == "__main__":
    main()
