"""Secrets that can be told from all other text, and the search for them in whatever a run leaves.

A search that finds nothing proves nothing by itself: `test_secrets.py` first hides a canary in each
of these ways.
"""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import duckdb

# No character of it is changed by JSON, a URL or a pickle.
CANARY = "canary-"
TOKEN = f"{CANARY}token-4f1d9c"
VALUE_PREFIX = f"{CANARY}value-"
PASSWORD = f"{CANARY}password-82ab"

SQLITE_TABLES = "select '\"' || name || '\"' from sqlite_master where type = 'table'"
DUCKDB_TABLES = 'select format(\'"{}"."{}"\', schema_name, table_name) from duckdb_tables()'
BASE64_WORD = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")


def leaks(folder: Path) -> list[str]:
    """The files below a folder that hold a canary, in whatever form."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and _holds_canary(path)
    ]


def command_lines(group: int) -> list[str]:
    """The command lines of the running processes of a process group, as `ps` would show them."""
    return [
        process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode()
        for process in Path("/proc").glob("[0-9]*")
        if _is_in_group(int(process.name), group)
    ]


def reveals(content: bytes) -> bool:
    """Whether bytes hold a canary: as they are, or compressed or encoded, and that repeatedly."""
    return any(form in layer for layer in _layers(content) for form in FORMS)


def _holds_canary(path: Path) -> bool:
    return any(reveals(piece) for piece in [path.read_bytes(), *_cells(path)])


def _forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret.decode().encode("utf-16-le")
    for offset in range(3):
        # The characters of base64 text that depend on the secret alone, wherever it begins.
        first, last = -(-offset * 8 // 6), (offset + len(secret)) * 8 // 6
        yield b64encode(bytes(offset) + secret)[first:last]


FORMS = list(_forms(CANARY.encode()))


def _layers(content: bytes) -> Iterator[bytes]:
    yield content
    yield from _inflated(content)
    for word in BASE64_WORD.findall(content):
        for decode in (b64decode, urlsafe_b64decode):
            # What is only encoded is among the forms; dlt compresses its state before.
            with suppress(ValueError):
                yield from _inflated(decode(word))


def _inflated(content: bytes) -> Iterator[bytes]:
    # Of a file that a killed process left, the part that it wrote is unpacked.
    with suppress(zlib.error):
        if inflated := zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(content):
            yield from _layers(inflated)


def _cells(path: Path) -> Iterator[bytes]:
    """The cells of a database or a Parquet file, which its own bytes hide by compression."""
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            yield from _dumped(database, SQLITE_TABLES)
    elif head[8:12] == b"DUCK":
        try:
            with duckdb.connect(str(path), read_only=True) as warehouse:
                yield from _dumped(warehouse, DUCKDB_TABLES)
        except duckdb.IOException as error:
            # A load that is under way keeps the file to itself.
            if "Could not set lock" not in str(error):
                raise
    elif head.startswith(b"PAR1"):
        # Half a file, which a killed process left, cannot be read.
        with suppress(duckdb.Error), duckdb.connect() as reader:
            yield from _dumped(reader, f"select $$read_parquet('{path}')$$")


def _dumped(database: Any, tables: str) -> Iterator[bytes]:
    for (table,) in database.execute(tables).fetchall():
        rows: Iterable[tuple[Any, ...]] = database.execute(f"select * from {table}").fetchall()  # noqa: S608
        for row in rows:
            for cell in row:
                yield cell if isinstance(cell, bytes) else str(cell).encode()


def _is_in_group(process: int, group: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getpgid(process) == group
    return False
