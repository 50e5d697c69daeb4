"""`dagster` on the command line, each time in a process forked from one that has imported it.

A command then costs what it does, and no seconds of imports: there are dozens. All else is as it
is for a user: the environment, the folder, what is written, the exit code. The definitions are
imported anew by each, for they depend on its settings.

`python -m harness.forked` takes orders and gives answers in JSON, one a line.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from select import select
from typing import Any

import dagster._cli

from harness.processes import REPOSITORY

MODULE = "analytics_assets.definitions"


class Commands:
    """A process that forks one for each command, one after the other."""

    def __init__(self) -> None:
        """Starts it; it ends with this process."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "harness.forked"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: Sequence[str], settings: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Runs `dagster` in the current folder until it ends.

        Args:
            arguments: What follows `dagster`.
            settings: The whole environment.
            timeout: Seconds after which it is killed.

        Raises:
            subprocess.TimeoutExpired: If it was.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            order = {
                "arguments": arguments,
                "settings": dict(settings),
                "folder": str(Path.cwd()),
                "files": [str(out), str(err)],
            }
            stdin.write(json.dumps(order) + "\n")
            stdin.flush()
            child = json.loads(stdout.readline())
            has_ended, _, _ = select([stdout], [], [], timeout)
            if not has_ended:
                os.killpg(child, signal.SIGKILL)
            code = json.loads(stdout.readline())
            if not has_ended:
                raise subprocess.TimeoutExpired(["dagster", *arguments], timeout, out.read_bytes())
            return subprocess.CompletedProcess(
                ["dagster", *arguments], code, out.read_text(), err.read_text()
            )


@cache
def commands() -> Commands:
    """The one of this process."""
    return Commands()


def execute(
    arguments: Sequence[str], settings: Mapping[str, str], folder: str, files: Sequence[str]
) -> None:
    """Does in this process, a forked one, what `python -m dagster` does, and ends it.

    Args:
        arguments: What follows `dagster`.
        settings: The whole environment.
        folder: Where it works.
        files: Where it writes its output, and its errors.
    """
    for stream, file in zip((sys.stdout, sys.stderr), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(settings)
    os.chdir(folder)
    sys.argv = ["dagster", *arguments]
    sys.modules.pop(MODULE, None)
    _exit_as_python_does(dagster._cli.main)


def _exit_as_python_does(command: Callable[[], object]) -> None:
    code: Any = 1
    try:
        command()
        code = 0
    except SystemExit as error:
        code = error.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        # It waits for all threads.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1)


def main() -> None:
    """Executes a command for each line read, until there are no more."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()
            execute(**json.loads(line))
        _answer(child)
        _, status = os.waitpid(child, 0)
        _answer(os.waitstatus_to_exitcode(status))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import analytics_assets.definitions  # noqa: F401 - what it imports is imported for all

    main()
