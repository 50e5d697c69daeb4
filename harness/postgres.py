"""A PostgreSQL server of a test's own: real, on a free port, as an unprivileged user."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from harness.processes import free_port, wait_until

USER = "loader"
PASSWORD = "canary-password-of-postgres"  # noqa: S105 - opens only the servers that tests start
UNPRIVILEGED = "nobody"
"""Who runs the server where the tests are root's: it refuses to be."""
INITDB_OPTIONS = [
    *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"),
    # As most servers sort: capital letters among the small ones, unlike DuckDB.
    *("--locale-provider=icu", "--icu-locale=en-US"),
]
PATIENCE = 60
FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
"""Where Debian keeps it, beside the search path."""


@dataclass(frozen=True)
class PostgresServer:
    """A server that can be killed and started again."""

    folder: Path
    port: int

    def url(self, database: str) -> str:
        """The address of a database, with user and password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-t", str(PATIENCE), "-l", "log", "-o", options)

    def stop(self) -> None:
        """Stops it."""
        self._run("pg_ctl", "stop", "-m", "immediate")

    def kill(self) -> None:
        """Kills it as a crash would, with all its processes."""
        process = self.process
        os.kill(process, 9)
        wait_until(lambda: not Path(f"/proc/{process}").exists(), PATIENCE)

    def create(self) -> None:
        """Makes its files, and starts it."""
        password = self.folder / "password"
        password.write_text(PASSWORD)
        self._run("initdb", f"--username={USER}", f"--pwfile={password}", *INITDB_OPTIONS)
        self.start()

    def create_database(self, template: str = "template1") -> str:
        """Makes a database, empty or like another one, and returns its name."""
        name = f"warehouse_{uuid4().hex}"
        with self.connection("postgres") as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Deletes a database, whoever is connected to it."""
        with self.connection("postgres") as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextmanager
    def connection(self, database: str) -> Iterator[Any]:
        """A connection on which each statement is a transaction of its own."""
        connection = psycopg2.connect(self.url(database))
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    @property
    def process(self) -> int:
        """The id of its first process, which starts all others."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [_path_of(program), "-D", str(self._data), *arguments],
            cwd=self.folder,
            user=UNPRIVILEGED if os.geteuid() == 0 else None,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server, as long as it is needed.

    Skips the test, by name, where the machine has none.
    """
    if not _find("initdb"):
        pytest.skip("PostgreSQL is missing: `make postgres` installs it")
    with TemporaryDirectory(prefix="postgres_") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, UNPRIVILEGED)
        server = PostgresServer(folder, free_port())
        server.create()
        try:
            yield server
        finally:
            server.stop()


def _find(program: str) -> str | None:
    return shutil.which(program, path=os.pathsep.join([*map(str, FOLDERS), os.environ["PATH"]]))


def _path_of(program: str) -> str:
    path = _find(program)
    assert path, f"{program} is missing"
    return path
