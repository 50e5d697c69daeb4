"""What the windows of a child have asked for, so that its next run need not ask for it once more.

A window asks for parents wherever the child's place is, and leaves that where it is. What it wrote
anew of the parent has the newest load ids, and of a first load that is spread over windows nothing
is before the place. It is noted when a window is through, in the child's dlt state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, NamedTuple

import dlt

from analytics_assets.source.pending import Pending, keep_pending, pending_parents

COVERED = "windows_asked"
"""Where it stands in the state of a child."""


class Coverage(NamedTuple):
    """A stretch of time of whose parents each was asked for.

    Attributes:
        start: The first moment of the parents' cursor, in epoch milliseconds.
        end: The first moment after it.
        load: The parent's newest load of which that is true.
    """

    start: int
    end: int
    load: str


def covered(state: Mapping[str, Any]) -> list[Coverage]:
    """What the windows have asked for, by the state of a child."""
    return [Coverage(*entry) for entry in state.get(COVERED, [])]


def keep(state: MutableMapping[str, Any], entries: Iterable[Coverage]) -> None:
    """Writes into a child's state what windows have asked for."""
    # dlt would write a named tuple as an object.
    state[COVERED] = [list(entry) for entry in entries]


def cover(entries: Iterable[Coverage], new: Coverage) -> list[Coverage]:
    """Adds a stretch: those within it are left out, and one that it continues becomes longer."""
    kept = sorted(
        entry
        for entry in entries
        if entry.load > new.load or entry.start < new.start or entry.end > new.end
    )
    merged: list[Coverage] = []
    for entry in sorted([*kept, new]):
        last = merged[-1] if merged else None
        if last and last.load == entry.load and last.end >= entry.start:
            merged[-1] = Coverage(last.start, max(last.end, entry.end), entry.load)
        else:
            merged.append(entry)
    return merged


def note_window(
    pipeline: dlt.Pipeline, child: str, coverage: Coverage, pending: Iterable[Pending]
) -> None:
    """Notes in a child's state in the warehouse that a window has asked for all of its parents.

    A load of its own, for state is restored when a load begins: of two windows that end at once,
    the second one is to know of the first.

    Args:
        pipeline: The child's, which nothing was loaded with.
        child: The resource.
        coverage: What the window has asked for.
        pending: Those of its parents that were not answered: the next run asks for them again.
    """
    pipeline.sync_destination()
    with pipeline.managed_state(extract_state=True) as state:
        sources: Any = state.setdefault("sources", {})
        resources = sources.setdefault(child, {}).setdefault("resources", {})
        own = resources.setdefault(child, {})
        keep(own, cover(covered(own), coverage))
        known = pending_parents(own)
        known_keys = {entry.key for entry in known}
        keep_pending(own, [*known, *(each for each in pending if each.key not in known_keys)])
    pipeline.normalize()
    pipeline.load()
