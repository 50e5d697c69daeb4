"""Output for people decides nothing: what a stream does not take is dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def lenient(stream: TextIO | None) -> Iterator[TextIO]:
    """Yields a stream to the same place that can always be written to.

    Letters that its encoding lacks are escaped. Without a reader, without space, and without a
    stream, what is written is dropped.

    Args:
        stream: Like `sys.stdout`: None where the process has none.
    """
    if stream is None:
        with Path(os.devnull).open("w") as nowhere:
            yield nowhere
        return
    try:
        number = os.dup(stream.fileno())
    except (OSError, ValueError):
        # Not of the operating system, as in a notebook.
        yield stream
        return
    with TextIOWrapper(
        BufferedWriter(_Dropping(number, "w")),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=True,
    ) as taken:
        yield taken


class _Dropping(FileIO):
    """A file whose reader may have gone, or whose disk may be full."""

    def write(self, content: Any, /) -> int:
        """Writes, or drops what cannot be written."""
        size = memoryview(content).nbytes
        try:
            return super().write(content) or size
        except OSError:
            return size
