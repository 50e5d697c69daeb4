"""Hands rows to dlt as Arrow tables of many rows, which it writes as they are.

Given as dictionaries, dlt would write each row to a file, read it again, look at each value and
write it once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

import dlt
import orjson
import pyarrow as pa
from dlt.common.data_types.typing import TDataType
from dlt.extract.items import DataItemWithMeta

from analytics_assets.source.records import Page
from analytics_assets.source.redaction import SUSPECTED_SECRETS, Guard
from analytics_assets.source.table_columns import TableColumns
from analytics_assets.source.traffic import Traffic
from analytics_assets.source.values import DATA_TYPES, KINDS, hold, set_aside

BYTES_PER_BATCH = 2_000_000
"""Bytes of JSON after which fewer rows are enough: as objects they take ten times as many."""

ARROW_TYPES: dict[TDataType, pa.DataType] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    # dlt's type of JSON in a file.
    "json": pa.string(),
}


def in_batches(pages: Iterable[Page], traffic: Traffic, rows_per_batch: int) -> Iterator[Page]:
    """Makes one page of many.

    Args:
        pages: The pages.
        traffic: Counts what is read.
        rows_per_batch: Rows that are enough.
    """
    rows: Page = []
    begun_at = traffic.bytes_read
    for page in pages:
        rows += page
        if not rows:
            begun_at = traffic.bytes_read
        elif len(rows) >= rows_per_batch or traffic.bytes_read - begun_at >= BYTES_PER_BATCH:
            yield rows
            rows, begun_at = [], traffic.bytes_read
    if rows:
        yield rows


class Tables:
    """Turns rows into Arrow tables."""

    def __init__(self, columns: TableColumns, guard: Guard, suspected: Iterable[str]) -> None:
        """Begins with what is known.

        Args:
            columns: The columns that exist or are declared.
            guard: What has taken secrets out of the rows.
            suspected: The paths of secrets that earlier loads have found.
        """
        self._columns = columns
        self._guard = guard
        self._suspected = set(suspected)

    def of(self, page: Page) -> pa.Table | DataItemWithMeta:
        """The table of some rows, and what dlt is to be told of it."""
        types = self._columns.types
        known = set(types)
        table = to_table(page, types, self._hold)
        # A table has no type for JSON: dlt has to be told of each column that is new.
        new = [name for name in types.keys() - known if types[name] == "json"]
        if not new and self._guard.found <= self._suspected:
            return table
        self._suspected |= self._guard.found
        hints = dlt.mark.make_hints(
            # None where there is none: no columns at all would stand for those declared.
            columns={name: {"data_type": "json"} for name in new} or None,
            additional_table_hints={SUSPECTED_SECRETS: sorted(self._suspected)},
        )
        return dlt.mark.with_hints(table, hints)

    def _hold(self, name: str, data_type: TDataType, value: Any) -> Any:
        """What a column holds of a value, in which the column may show a secret."""
        self._guard.empty_below(name, value)
        return self._columns.hold(name, data_type, value)


Hold = Callable[[str, TDataType, Any], Any]
"""The value as a column of a type holds it; a `ValueError` if it cannot."""


def _hold(_: str, data_type: TDataType, value: Any) -> Any:
    return hold(data_type, value)


def to_table(rows: Page, types: dict[str, TDataType], hold: Hold = _hold) -> pa.Table:
    """The rows as an Arrow table, a column for each field.

    A value that its column cannot hold stands in a column beside it, as dlt would put it (dlt,
    "Schema evolution": variant columns). A column without a value is left out.

    Args:
        rows: The rows; those with such values are changed.
        types: dlt's types of the columns. Those of new columns are added: of the first value.
        hold: What a column holds of a value.
    """
    columns: dict[str, pa.Array] = {}
    pending = dict.fromkeys(chain.from_iterable(rows))
    while pending:
        beside: dict[str, None] = {}
        for name in pending:
            values = [row.get(name) for row in rows]
            kinds = set(map(type, values)) - {type(None)}
            if not kinds:
                continue
            data_type = types.get(name) or _type_of_first(values)
            types[name] = data_type
            if not kinds <= KINDS.get(data_type, set()):
                values, others = _fit(rows, name, partial(hold, name, data_type))
                beside |= others
            columns[name] = to_array(values, data_type)
        pending = beside
    return pa.table(columns)


def empty_table(types: Mapping[str, TDataType]) -> pa.Table:
    """A table without a row, of columns of dlt's types.

    dlt's own mark for one fails where rows are told apart by their keys, as in Delta tables: it
    looks for the key in a row that is none.
    """
    return pa.table({name: to_array([], data_type) for name, data_type in types.items()})


def _type_of_first(values: Iterable[Any]) -> TDataType:
    return next(DATA_TYPES[type(value)] for value in values if value is not None)


def _fit(rows: Page, name: str, hold: Callable[[Any], Any]) -> tuple[list[Any], dict[str, None]]:
    """Makes the values of a column fit its type; the others are put beside it.

    Returns:
        The values that fit, and the columns that others were put into.
    """
    values: list[Any] = []
    beside: dict[str, None] = {}
    for row in rows:
        value = row.get(name)
        if value is not None:
            try:
                value = hold(value)
            except (TypeError, ValueError):
                beside[set_aside(row, name, value)] = None
                value = None
        values.append(value)
    return values, beside


def to_array(values: list[Any], data_type: TDataType) -> pa.Array:
    """A column of values of one of dlt's types."""
    if data_type == "json":
        values = [None if value is None else orjson.dumps(value).decode() for value in values]
    return pa.array(values, ARROW_TYPES.get(data_type))
