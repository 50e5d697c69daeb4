"""The one file of a DuckDB warehouse: which process has it open, and whether it was ever made.

DuckDB has no classes of errors for either, only words.
"""

import fcntl
import re
import time
from contextlib import suppress
from pathlib import Path

HEADERS = 3 * 4096
"""Bytes of a DuckDB file that holds nothing."""
ITERATION = slice(4096 + 8, 4096 + 16)
"""Where a DuckDB file counts its checkpoints, of which a new one has none."""
SECONDS_TO_MAKE_A_FILE = 5.0
"""How long a process may take from making a new file to locking it."""

# Where DuckDB cannot tell which process it is, the end is missing.
_LOCKED = re.compile(r'Could not set lock on file "(.*?)"(?:.*? held in (.*?\(PID \d+\)))?')
_UNFINISHED = re.compile(
    r'(?:Could not read enough bytes from file "(.*?)"'
    r'|The file "(.*?)" exists, but it is not a valid DuckDB database file)'
)


def is_held_elsewhere(error: BaseException) -> bool:
    """Whether another process has the file open, so that it is worth waiting."""
    return bool(holder(error))


def holder(error: BaseException) -> str:
    """Which process has which DuckDB file open, as far as DuckDB tells it; of other errors "".

    DuckDB looks into a file before it locks it: what another process has only just begun to write
    is no valid file yet.
    """
    if found := _LOCKED.search(str(error)):
        file, process = found.groups()
        return f"Another process{f', {process},' if process else ''} has {file} open"
    if found := _UNFINISHED.search(str(error)):
        unfinished = Path(found[1] or found[2])
        # For longer than it takes: one that has just become too old is deleted at the next attempt.
        if _lacks_headers(unfinished) and _age(unfinished) < 2 * SECONDS_TO_MAKE_A_FILE:
            return f"Another process is making {unfinished}"
    return ""


def delete_if_half_made(file: Path) -> None:
    """Deletes a DuckDB file whose making was cut short, by a kill or a full disk.

    DuckDB refuses it for ever, and it holds nothing.
    """
    # Another process that has only just begun the file may not have locked it yet.
    if not _lacks_headers(file) or _age(file) < SECONDS_TO_MAKE_A_FILE:
        return
    with suppress(BlockingIOError), file.open("r+b") as opened:
        fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        content = opened.read(HEADERS)
        is_duckdb = not content or content[:12].endswith(b"DUCK")
        if is_duckdb and len(content) < HEADERS and not _has_held_rows(file, content):
            file.unlink()


def _has_held_rows(file: Path, content: bytes) -> bool:
    """Whether a file is what is left of a larger one."""
    log = file.with_name(f"{file.name}.wal")
    return any(content[ITERATION]) or (log.is_file() and log.stat().st_size > 0)


def _age(file: Path) -> float:
    return time.time() - file.stat().st_mtime


def _lacks_headers(file: Path) -> bool:
    return file.is_file() and file.stat().st_size < HEADERS
