"""A stretch of time that is loaded again."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """The records whose cursor lies in it are loaded again, whatever was loaded before.

    Attributes:
        start: The first moment, in epoch milliseconds.
        end: The first moment after it.
    """

    start: int
    end: int
