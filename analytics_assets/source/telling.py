"""Lines for a log that a person reads: the first at once, then ever fewer."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST_PAUSE = 10.0
"""Seconds between the first two lines of a kind."""
GROWTH = 3
"""Each pause is as many times longer than the one before: six lines in an hour."""

Tell = Callable[[str], None]
"""Takes one sentence for the log of a run."""


def silent(_: str) -> None:
    """Tells nobody."""


class Sparsely:
    """Tells what repeats: a line, and none for 10 s, then none for 30 s, and so on."""

    def __init__(self, tell: Tell, pause: float = FIRST_PAUSE) -> None:
        """Begins with the shortest pause before it.

        Args:
            tell: Takes the lines that are told.
            pause: Seconds between the first two.
        """
        self._tell = tell
        self._pause = pause
        self._next = 0.0

    @classmethod
    def after_a_pause(cls, tell: Tell, pause: float) -> Sparsely:
        """One that tells its first line after a pause, too."""
        sparsely = cls(tell, pause)
        sparsely._next = time.monotonic() + pause
        return sparsely

    @property
    def is_due(self) -> bool:
        """Whether a line would be told."""
        return time.monotonic() >= self._next

    def __call__(self, text: str) -> None:
        """Tells a line, or drops it."""
        if not self.is_due:
            return
        self._next = time.monotonic() + self._pause
        self._pause *= GROWTH
        self._tell(text)
