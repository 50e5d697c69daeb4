"""The parents of a child that were asked and not answered, as the child's state keeps them.

They are written in the load that did not get them: a run that dies forgets none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    inherited_fields,
    key_columns,
    parent_name,
    resource_named,
)
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
        listed: Of a child that is listed in full, the last load that listed this parent's children.
    """

    parent: Record
    rows: Record
    since: int
    why: str
    listed: str

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

    def pending(self, parent: Record, since: int, why: str, listed: str) -> Pending:
        """A parent that is pending."""
        rows = {column: parent[field] for column, field in self.columns.items()}
        return Pending({field: parent[field] for field in self.key}, rows, since, why, listed)


def parent_identity(config: ApiConfig, child: str) -> Identity:
    """How the parents of a child are told apart."""
    resource = resource_named(config, child)
    key = key_columns(config, resource)
    columns = {
        column: parent.field
        for column, parent in inherited_fields(resource).items()
        if column in key
    }
    parent = resource_named(config, str(parent_name(resource)))
    return Identity(sorted(key_columns(config, parent)), columns)


def pending_parents(state: Mapping[str, Any]) -> list[Pending]:
    """The parents that are pending, by the state of their child, those asked last at the end."""
    return [Pending(*entry) for entry in state.get(PENDING, [])]


def keep_pending(state: MutableMapping[str, Any], entries: Iterable[Pending]) -> None:
    """Writes the parents that are pending into the state of their child."""
    # dlt would write a named tuple as an object.
    found = [list(entry) for entry in entries]
    if found or PENDING in state:
        state[PENDING] = found
