"""Warehouses as a test sees them: what lets the project load into one, and what it holds."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pytest

if TYPE_CHECKING:
    from harness.postgres import PostgresServer

Row = dict[str, Any]

WAREHOUSE = "warehouse.duckdb"


class Store(Protocol):
    """A warehouse."""

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that let the project load into it."""

    def copy(self, folder: Path) -> Store:
        """A copy of it, in a folder if it is a file."""

    def drop(self) -> None:
        """Deletes it."""

    def query(self, sql: str) -> list[Row]:
        """The rows of a query; JSON columns are parsed, and values of another type unified."""


MakeStore = Callable[[Path], Store]
"""Makes an empty warehouse, in a folder if it is a file."""


def choose(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the settings name a warehouse."""
    for name, value in store.settings.items():
        monkeypatch.setenv(name, value)


@dataclass(frozen=True)
class DuckDbFile:
    """A DuckDB file; see `Store`."""

    file: Path

    @classmethod
    def in_folder(cls, folder: Path) -> DuckDbFile:
        """One that is not there yet, in a folder."""
        return cls(folder / WAREHOUSE)

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that let the project load into it."""
        return {"DESTINATION__DUCKDB__CREDENTIALS": str(self.file)}

    def copy(self, folder: Path) -> DuckDbFile:
        """A copy of it, in a folder."""
        return DuckDbFile(Path(shutil.copy(self.file, folder)))

    def drop(self) -> None:
        """Deletes it."""
        self.file.unlink(missing_ok=True)

    def query(self, sql: str) -> list[Row]:
        """The rows of a query; JSON columns are parsed, and values of another type unified."""
        with duckdb.connect(str(self.file), read_only=True) as connection:
            cursor = connection.execute(sql)
            columns = {name: str(data_type) for name, data_type, *_ in cursor.description or []}
            return [_unified(columns, values) for values in cursor.fetchall()]

    def run(self, *statements: str) -> None:
        """Runs statements that answer nothing."""
        with duckdb.connect(str(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)


@dataclass(frozen=True)
class PostgresDatabase:
    """A database of a PostgreSQL server; see `Store`."""

    server: PostgresServer
    database: str

    @classmethod
    def on(cls, server: PostgresServer) -> PostgresDatabase:
        """An empty one."""
        return cls(server, server.create_database())

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that let the project load into it."""
        return {
            "ANALYTICS_DESTINATION": "postgres",
            "DESTINATION__POSTGRES__CREDENTIALS": self.server.url(self.database),
        }

    def copy(self, _folder: Path) -> PostgresDatabase:
        """A copy of it, beside it."""
        return PostgresDatabase(self.server, self.server.create_database(self.database))

    def drop(self) -> None:
        """Deletes it."""
        self.server.drop_database(self.database)

    def query(self, sql: str) -> list[Row]:
        """The rows of a query; JSON columns are parsed, and values of another type unified."""
        with self.server.connection(self.database) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            # The driver has parsed what is JSON.
            columns = {name: "" for name, *_ in cursor.description or []}
            return [_unified(columns, values) for values in cursor.fetchall()]

    def run(self, *statements: str) -> None:
        """Runs statements that answer nothing, each for good."""
        with self.server.connection(self.database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@dataclass(frozen=True)
class DeltaFolder:
    """A folder of Delta tables; see `Store`."""

    folder: Path

    @classmethod
    def in_folder(cls, folder: Path) -> DeltaFolder:
        """One that is not there yet, in a folder."""
        return cls(folder / "files")

    @property
    def settings(self) -> Mapping[str, str]:
        """The settings that let the project load into it."""
        return {
            "ANALYTICS_DESTINATION": "filesystem",
            "DESTINATION__FILESYSTEM__BUCKET_URL": str(self.folder),
        }

    def copy(self, folder: Path) -> DeltaFolder:
        """A copy of it, in a folder."""
        return DeltaFolder(Path(shutil.copytree(self.folder, folder / "files")))

    def drop(self) -> None:
        """Deletes it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def query(self, sql: str) -> list[Row]:
        """The rows of a query; JSON columns are parsed, and values of another type unified.

        Not by Delta's library, which is tested, and which no process that forks may have used.
        """
        with duckdb.connect() as connection:
            connection.execute("CREATE SCHEMA analytics")
            for log in (self.folder / "analytics").glob("*/_delta_log"):
                self._read(log, connection)
            cursor = connection.execute(sql)
            columns = {name: str(data_type) for name, data_type, *_ in cursor.description or []}
            return [_unified(columns, values) for values in cursor.fetchall()]

    def _read(self, log: Path, connection: duckdb.DuckDBPyConnection) -> None:
        """Makes a table of the files and columns that a table's log names in the end."""
        files: dict[str, str] = {}
        fields: list[Row] = []
        for commit in sorted(log.glob("*.json")):
            for action in map(json.loads, commit.read_text().splitlines()):
                if "metaData" in action:
                    fields = json.loads(action["metaData"]["schemaString"])["fields"]
                elif "add" in action:
                    files[action["add"]["path"]] = str(log.parent / action["add"]["path"])
                elif "remove" in action:
                    del files[action["remove"]["path"]]
        json_columns = self._json_columns(log.parent.name)
        columns = ", ".join(
            f'"{field["name"]}" {"JSON" if field["name"] in json_columns else field["type"]}'
            for field in fields
        )
        table = f'analytics."{log.parent.name}"'
        connection.execute(f"CREATE TABLE {table} ({columns})")
        if files:
            rows = "SELECT * FROM read_parquet(?, union_by_name=true)"
            connection.execute(f"INSERT INTO {table} BY NAME {rows}", [list(files.values())])

    def _json_columns(self, table: str) -> set[str]:
        """Those that dlt's newest schema of a table says are: Delta has no type of it."""
        files = (self.folder / "analytics" / "_dlt_version").glob(f"{table}__*.jsonl")
        newest = max(files, key=lambda file: float(file.name.split("__")[-2]), default=None)
        if newest is None:
            return set()
        schema = json.loads(json.loads(newest.read_text())["schema"])
        columns: dict[str, Row] = schema["tables"][table]["columns"]
        return {name for name, column in columns.items() if column.get("data_type") == "json"}


def _unified(columns: Mapping[str, str], values: Iterable[Any]) -> Row:
    """A row as the API would have spelled it: without what is null, a column for each field.

    dlt keeps a value of another type in a column of its own, `<name>__v_<type>`.
    """
    return {
        name.partition("__v_")[0]: json.loads(value) if data_type == "JSON" else value
        for (name, data_type), value in zip(columns.items(), values, strict=True)
        if value is not None
    }


def make_old(file: Path) -> None:
    """Lets a file be older than any that another process may be about to make."""
    a_minute_ago = time.time() - 60
    os.utime(file, (a_minute_ago, a_minute_ago))
