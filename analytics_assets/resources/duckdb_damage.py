"""What is wrong with a DuckDB file that cannot be read, in one sentence, and what to do.

DuckDB has no classes of errors for that, only words. It takes a strange write-ahead log for an
empty one, and deletes it with the next load; for the file of another program it may ask the network
for an extension. So both are looked at before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.source.errors import WarehouseError, first_line
from analytics_assets.source.explanation import causes_of

MAGIC = b"DUCK"
MAGIC_AT, VERSION_AT, VERSION_ENDS = 8, 12, 20
"""Where a DuckDB file says that it is one, and which version its format has (DuckDB, "Storage")."""
LOG_BEGINS = b"\x64\x00\x62\x65\x00"
"""Each write-ahead log begins with an entry on its version."""

_LOG = re.compile(r"replaying WAL file|Corrupt WAL file")
_FILE = re.compile(
    r"Corrupt database file|Could not read enough bytes|not a valid DuckDB database file"
    r"|Failed to load metadata pointer|database has been invalidated"
)
_HEADER = re.compile(r"database file with version number|in block at location 0\b")
_ACCESS = re.compile(
    r"Cannot open file .*?: (Permission denied|Operation not permitted|Read-only file system)"
)


def refuse_strange_files(file: Path) -> None:
    """Keeps DuckDB from what is not its own.

    Raises:
        WarehouseError: If the file, or the log beside it, is of another kind.
    """
    if file.is_dir():
        raise WarehouseError(
            f"The DuckDB file {file} is a folder: name a file in DESTINATION__DUCKDB__CREDENTIALS."
        )
    begin = _first_bytes(file, VERSION_AT)
    # One that another process has only just begun holds nothing yet.
    if any(begin) and begin[MAGIC_AT:] != MAGIC:
        raise WarehouseError(
            f"The file {file} is no DuckDB file, and was left as it is: name another one in "
            "DESTINATION__DUCKDB__CREDENTIALS, or, if it was one, restore a backup of it."
        )
    log_begins = _first_bytes(_log_of(file), len(LOG_BEGINS))
    if any(log_begins) and not LOG_BEGINS.startswith(log_begins):
        raise WarehouseError(_damaged_log(file, "it is none of DuckDB's."))


@contextmanager
def telling_damage(client: SqlClientBase[Any]) -> Iterator[None]:
    """Lets what DuckDB says of a file that cannot be read or written be told in one sentence.

    Raises:
        WarehouseError: In place of what was raised.
    """
    try:
        yield
    except Exception as error:
        if isinstance(client, DuckDbSqlClient):
            file = Path(client.credentials.database)
            for cause in causes_of(error):
                if sentence := explain_damage(cause, file):
                    raise WarehouseError(sentence) from error
        raise


def explain_damage(error: BaseException, file: Path) -> str | None:
    """What is wrong with a DuckDB file by the words of an error; None if it is something else."""
    said = str(error)
    if _LOG.search(said):
        return _damaged_log(file, first_line(error))
    if _HEADER.search(said) and (newer := _newer_version(file)):
        return (
            f"The DuckDB file {file} was written by a newer DuckDB (version {newer} of the format) "
            f"than the one installed, {duckdb.__version__}: install that one."
        )
    if _FILE.search(said):
        return (
            f"The DuckDB file {file} is damaged: {first_line(error)} Restore a backup of it, or "
            "move it away, and its .wal if there is one, to load all anew."
        )
    if found := _ACCESS.search(said):
        return (
            f"The DuckDB file {file} cannot be written ({found[1]}): let this user write it and "
            "its folder, or name another one in DESTINATION__DUCKDB__CREDENTIALS."
        )
    return None


def _damaged_log(file: Path, reason: str) -> str:
    # State and rows are in one file: what is only in its log is missing of both.
    return (
        f"The write-ahead log {_log_of(file)} is damaged: {reason} Restore a backup of it and of "
        f"{file}, or move the log away: the file holds all loads before it, and the next runs "
        "load again what came after them."
    )


def _newer_version(file: Path) -> int:
    """The version of a file's format, if this DuckDB does not write it yet; else 0."""
    version = _version(file)
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        newest = Path(folder) / "newest.duckdb"
        connection.execute(f"ATTACH '{newest}' AS newest (STORAGE_VERSION 'latest')")
        connection.execute("DETACH newest")
        return version if version > _version(newest) else 0


def _version(file: Path) -> int:
    return int.from_bytes(_first_bytes(file, VERSION_ENDS)[VERSION_AT:], "little")


def _first_bytes(file: Path, count: int) -> bytes:
    if not file.is_file():
        return b""
    with file.open("rb") as opened:
        return opened.read(count)


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")
