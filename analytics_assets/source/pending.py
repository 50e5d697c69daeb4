"""The parents of a child that were asked and not answered, as the child's state keeps them.

They are written in the load that did not get them: a run that dies forgets none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.values import Record

PENDING = "parents_pending"
"""Where they stand in the state of a child."""
NOT_ASKED = "was not asked"
"""Why a parent is pending that a load gave up before its turn."""

Key = tuple[str, ...]


class Pending(NamedTuple):
    """A parent that was asked and not answered.

    Attributes:
        parent: The fields of its key, and their values.
        rows: The columns of its children that hold its fields, and their values.
        since: When it was first asked in vain, in epoch milliseconds.
        why: What it did, in words that follow its name: `answered 404`.
    """

    parent: Record
    rows: Record
    since: int
    why: str

    @property
    def key(self) -> Key:
        """What identifies it."""
        return tuple(str(self.parent[field]) for field in sorted(self.parent))


class Identity(NamedTuple):
    """How a child's parents are told apart.

    Attributes:
        key: The fields of the parent's key, in the order of their names.
        columns: The columns of the child's key that hold the parent's fields, and those fields.
    """

    key: Sequence[str]
    columns: Mapping[str, str]

    def key_of(self, parent: Record) -> Key:
        """What identifies a parent."""
        return tuple(str(parent[field]) for field in self.key)

    def rows_of(self, parent: Record) -> Record:
        """The columns of its children that hold its fields, and their values."""
        return {column: parent[field] for column, field in self.columns.items()}

    def pending(self, parent: Record, since: int, why: str) -> Pending:
        """A parent that is pending."""
        rows = self.rows_of(parent)
        return Pending({field: parent[field] for field in self.key}, rows, since, why)


def parent_identity(child: Resource) -> Identity:
    """How the parents of a child are told apart."""
    columns = {column: f for column, f in child.inherited.items() if column in child.key}
    return Identity(sorted(child.parent.resource.key) if child.parent else [], columns)


def pending_parents(state: Mapping[str, Any]) -> list[Pending]:
    """The parents that are pending, by the state of their child, those asked last at the end."""
    # An earlier version has written a fifth entry.
    return [Pending(*entry[:4]) for entry in state.get(PENDING, [])]


def keep_pending(state: MutableMapping[str, Any], entries: Iterable[Pending]) -> None:
    """Writes the parents that are pending into the state of their child."""
    # dlt would write a named tuple as an object.
    found = [list(entry) for entry in entries]
    if found or PENDING in state:
        state[PENDING] = found
