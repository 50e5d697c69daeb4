"""Which column each field of a record fills."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from analytics_assets.configuration.resource import Resource

LOAD_ID = "_dlt_load_id"
"""dlt's id of the load that wrote a row."""
ROW_DIGEST = "_dlt_id"
"""dlt's row id. Here it is a digest of the row's content, so that equal rows have equal ids and
an unchanged row can be told from a changed one (dlt keeps a row id that a row brings along)."""
VERSION = "_version"
"""Tells the newest of several rows of one key, which alone is kept: `updatedAt`, then the order in
which the rows were read."""

DELETED_AT = "_deleted_at"
"""When a full list first lacked the row, in epoch milliseconds; null while it is listed."""

BACKTICK = "`"
"""Delta's library quotes names with it, and cannot merge a column whose name holds one."""
VARIANT = "__v_"
"""What dlt puts between a column's name and the type of a value that it cannot hold."""

OWN_COLUMNS = {
    LOAD_ID: "The load that wrote the row: an epoch in seconds, of `_dlt_loads`.",
    ROW_DIGEST: "A digest of the row's content: rows that are equal have the same.",
    VERSION: "Tells the newest of several versions of the row in one load.",
    DELETED_AT: "Since when the API lists the row no longer, in epoch milliseconds; else empty.",
}
"""What the columns hold that are not the API's."""


def column_descriptions(resource: Resource) -> Mapping[str, str]:
    """What the columns of a resource hold, of those whose name does not say it."""
    parent = resource.parent.resource.name if resource.parent else ""
    inherited = {
        column: f"The `{field}` of the row's parent in `{parent}`."
        for column, field in resource.inherited.items()
    }
    return {**OWN_COLUMNS, **inherited, **resource.column_descriptions}


class ColumnNames:
    """Gives each field a column of its own where a warehouse would take two names for one.

    Warehouses ignore case (`Name`, `name`), and dlt trims names (`id `, `id`): the second of two
    such fields would fail the load, or overwrite the first. The declared field keeps its name, then
    the field stored first; the other one gets a digest of its name appended, the same in each load.
    """

    def __init__(self, taken: Iterable[str], normalize: Callable[[str], str]) -> None:
        """Begins with the columns that are taken.

        Args:
            taken: Declared and stored columns, in the order of their precedence.
            normalize: dlt's name for the column of a field.
        """
        self._normalize = normalize
        # Nobody's: a field that is called so is renamed.
        self._owners = {self._fold(column): "" for column in OWN_COLUMNS}
        self._columns: dict[str, str] = {}
        self._renamed: set[str] = set()
        for column in taken:
            self._owners.setdefault(self._fold(column), column)

    def rename(self, record: dict[str, Any]) -> None:
        """Renames the fields of a record that need another column, in place."""
        if not record.keys() <= self._columns.keys():
            for field in sorted(record.keys() - self._columns.keys()):
                self._columns[field] = self._column_of(field)
                if self._columns[field] != field:
                    self._renamed.add(field)
        if self._renamed:
            for field in self._renamed & record.keys():
                record[self._columns[field]] = record.pop(field)

    def _column_of(self, field: str) -> str:
        # Decided by the field alone where dlt would write it otherwise: what is stored then is not
        # what the API says.
        is_kept = field and self._normalize(field) == field and BACKTICK not in field
        if is_kept and self._owners.setdefault(self._fold(field), field) == field:
            return field
        digest = hashlib.sha256(field.encode(errors="replace")).hexdigest()[:8]
        return f"{field.strip().replace(BACKTICK, '_')}_{digest}"

    def _fold(self, field: str) -> str:
        return self._normalize(field).casefold()
