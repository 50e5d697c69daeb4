"""Runs of the project in processes of their own, killed at a moment of choice.

A moment is the eve of something that outlives a process or that others see: a file in extraction
and normalization, a request, a statement that writes in a load. Whenever a process dies between two
moments, it leaves the same behind. So a run is killed at the n-th moment of a phase, by `kill -9`
from another process, while it either waits there or goes on.

`python -m harness.killed` imports the project once and forks for each run, which
costs a run nothing but its own work. Its orders and its answers are JSON, one a line.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any

import dlt
import duckdb
from deltalake.table import TableMerger
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient

from analytics_assets.resources.delta_files import DeltaClient
from analytics_assets.source.limits import Limits
from analytics_assets.source.transfer import Transfer
from harness.processes import REPOSITORY
from harness.project import Project, draw_no_pictures, failures
from harness.stores import DuckDbFile, Store

PHASES = ("extract", "normalize", "load")
REQUEST = "request"
"""The moment before a request is sent."""
LONG_ENOUGH = 60
FEW_PARENTS = Limits(parents_per_load=16)
"""So that a small fan-out commits as it goes, too."""

FOLDER = "DESTINATION__FILESYSTEM__BUCKET_URL"

FILE_EVENTS = ("os.mkdir", "os.remove", "os.rename", "os.rmdir")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_READS = ("SELECT", "SET")


@dataclass(frozen=True)
class Death:
    """Where a run is killed.

    Attributes:
        phase: One of `PHASES`.
        moment: Its n-th moment in the phase, from 1.
        waits: Whether the run waits there for the signal, or goes on until it strikes.
        what: Which moments count, as `REQUEST`; "" for all.
    """

    phase: str
    moment: int
    waits: bool
    what: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        code: The exit code; -9 of a killed run.
        failures: The sentence of each asset that failed.
        moments: What came at each moment, by phase; of a run that was not killed.
        struck: What would have come next; of a run that was killed.
        modules: What the run imported by and by.
    """

    code: int
    failures: dict[str, str] = field(default_factory=dict)
    moments: dict[str, list[str]] = field(default_factory=dict)
    struck: str = ""
    modules: list[str] = field(default_factory=list)


class Runs:
    """Several processes that run the project at the same time, in a folder each."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for process in processes:
            self._idle.put(process)

    def run(
        self,
        folder: Path,
        url: str,
        *names: str,
        death: Death | None = None,
        store: Store | None = None,
        temporary: Path | None = None,
    ) -> Outcome:
        """Materializes the assets of the resources named, all without names.

        Args:
            folder: Where the run works, and writes its log.
            url: The API.
            names: The resources.
            death: Where the run is killed, if it is.
            store: The warehouse; None is a DuckDB file in the folder.
            temporary: The folder of temporary files, if it is not in the folder.
        """
        if temporary is None:
            temporary = folder / "tmp"
            temporary.mkdir(exist_ok=True)
        store = store or DuckDbFile.in_folder(folder)
        settings = {**store.settings, "TMPDIR": str(temporary)}
        order = {
            "folder": str(folder),
            "url": url,
            "names": names,
            "death": death and asdict(death),
            "settings": {**os.environ, **settings},
        }
        process = self._idle.get()
        try:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            return Outcome(**json.loads(process.stdout.readline()))
        finally:
            self._idle.put(process)


@contextmanager
def running(count: int) -> Iterator[Runs]:
    """So many processes, ended with the block."""
    command = [sys.executable, "-m", "harness.killed"]
    processes = [
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        yield Runs(processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


class Fuse:
    """Counts the moments of a run, and announces the one at which it is to be killed."""

    def __init__(self, death: Death | None, announce: Callable[[str], object]) -> None:
        self.moments: dict[str, list[str]] = {phase: [] for phase in PHASES}
        self._death = death
        self._announce = announce
        self._phase = ""
        self._numbers = {phase: itertools.count(1) for phase in PHASES}

    def lay(self) -> None:
        """Begins to count, in this process and for good."""
        for phase in PHASES:
            setattr(dlt.Pipeline, phase, self._entering(phase, getattr(dlt.Pipeline, phase)))
        for name in ("execute", "commit"):
            method = getattr(duckdb.DuckDBPyConnection, name)
            setattr(duckdb.DuckDBPyConnection, name, self._before_statement(name, method))
        for name in ("execute_query", "commit_transaction"):
            method = getattr(Psycopg2SqlClient, name)
            setattr(Psycopg2SqlClient, name, self._before_statement(name, method))
        # What Delta's library does is out of sight: the eve of it is not.
        for owner, name in ((DeltaClient, "_migrate"), (TableMerger, "execute")):
            setattr(owner, name, self._before_statement(name, getattr(owner, name)))
        before_each_request(self._before_request)
        sys.addaudithook(self._before_event)

    def _entering(self, phase: str, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        def entered(*args: Any, **kwargs: Any) -> Any:
            self._phase = phase
            try:
                return step(*args, **kwargs)
            finally:
                self._phase = ""

        return entered

    def _before_statement(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def seen(connection: Any, *args: Any, **kwargs: Any) -> Any:
            statement = " ".join(str(args[0]).split()) if args else name.upper()
            if self._phase == "load" and not statement.startswith(_READS):
                self._count("load", statement[:80])
            return method(connection, *args, **kwargs)

        return seen

    def _before_request(self) -> None:
        if self._phase:
            self._count(self._phase, REQUEST)

    def _before_event(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._phase:
            return
        if event in FILE_EVENTS or (event == "open" and args[2] & _WRITES):
            if self._phase != "load":
                self._count(self._phase, event)
            # What a load writes to the warehouse itself, where that is a folder: dlt's records.
            elif str(args[0]).startswith(os.environ.get(FOLDER, "no folder")):
                place = args[1] if event == "os.rename" else args[0]
                self._count("load", f"{event} {Path(str(place)).parent.name}")

    def _count(self, phase: str, what: str) -> None:
        self.moments[phase].append(what)
        death = self._death
        if death is None or death.phase != phase or death.what not in ("", what):
            return
        if next(self._numbers[phase]) == death.moment:
            self._announce(what)
            if death.waits:
                time.sleep(LONG_ENOUGH)


def before_each_request(step: Callable[[], None]) -> None:
    """Does something on the eve of each request, in this process and for good."""
    prepare: Callable[..., None] = Transfer.prepare

    def seen(*args: Any) -> None:
        step()
        prepare(*args)

    # libcurl sends requests: no audit event of Python's tells of them.
    setattr(Transfer, "prepare", seen)  # noqa: B010 - a method


def main() -> None:
    """Forks a run for each line read, until there are no more."""
    draw_no_pictures()
    for line in sys.stdin:
        answer = _fork(json.loads(line))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        for name in answer.get("modules", []):
            with suppress(ImportError):
                importlib.import_module(name)


def _fork(order: Mapping[str, Any]) -> dict[str, Any]:
    """One run in a child, which is killed as soon as it announces its moment."""
    reading, writing = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), "rw", strict=True))
    child = os.fork()
    if child == 0:
        _run(order, writing)
    writing.close()
    with reading:
        report = json.loads(reading.readline() or "{}")
    if "struck" in report:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return {**report, "code": os.waitstatus_to_exitcode(status)}


def _run(order: Mapping[str, Any], report: IO[str]) -> None:
    """A run, from the settings to the exit code."""

    def send(**fields: Any) -> None:
        report.write(json.dumps(fields) + "\n")
        report.flush()

    log = os.open(Path(order["folder"], "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    # A run is over before there is much garbage, and collecting it touches the parent's memory.
    gc.disable()
    code, known = 1, set(sys.modules)
    try:
        os.environ.clear()
        os.environ.update(order["settings"])
        os.chdir(order["folder"])
        fuse = Fuse(order["death"] and Death(**order["death"]), lambda what: send(struck=what))
        fuse.lay()
        result = Project(Path(order["folder"]), order["url"], limits=FEW_PARENTS).load(
            *order["names"]
        )
        send(failures=failures(result), moments=fuse.moments, modules=[*sys.modules.keys() - known])
        code = 0 if result.success else 1
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
