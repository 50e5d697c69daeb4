"""How much one load does at a time, and from when on it says how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from analytics_assets.source.telling import FIRST_PAUSE


@dataclass(frozen=True)
class Limits:
    """The measures of a load.

    Attributes:
        rows_per_batch: Rows that are written together. Fewer take longer to write, more take more
            memory and no less time.
        parents_per_load: Parents whose rows are committed together: what a killed load has to ask
            for again at most.
        parents_at_first: The same while nobody knows how many rows a parent has.
        fewest_parents: Fewer are never committed together: they could all be gone without anything
            being wrong with their endpoint.
        rows_per_load: Rows from which on the next load has fewer parents: what is loaded at once is
            in memory.
        most_again: Parents that one run asks for again though they were answered: those that ended
            last.
        quiet_seconds: Seconds before a fan-out says how far it is.
    """

    rows_per_batch: int = 5_000
    parents_per_load: int = 1000
    parents_at_first: int = 500
    fewest_parents: int = 20
    rows_per_load: int = 50_000
    most_again: int = 500
    quiet_seconds: float = FIRST_PAUSE


LIMITS = Limits()
"""Those of all loads but of the tests, which have fewer rows."""
