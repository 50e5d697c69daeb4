"""The newest rows of a table, for the page of its asset: few columns, what is read first first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, TypeAlias

from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema
from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.configuration import Resource
from analytics_assets.configuration.secret_names import secrecy_of
from analytics_assets.source.clock import epoch_milliseconds
from analytics_assets.source.columns import LOAD_ID

Value: TypeAlias = str | int | float | bool | None
Record: TypeAlias = Mapping[str, Value]

ROWS = 5
MOST_COLUMNS = 6
"""Columns beside the key: with more of them each is as narrow as a word, and a row as high as a
page."""
LONGEST_VALUE = 40
"""Characters of a value that are shown: each load keeps its preview in Dagster's storage."""
CREATED_AT = "createdAt"
EARLIEST, LATEST = epoch_milliseconds("2010-01-01"), epoch_milliseconds("2100-01-01")
"""Numbers between them are times: no other number of a record is that large."""

# What people read first, by the names of fields, and last, by the names or by the values.
NAME = re.compile(r"name|title|slug|alias|key|domain|email|text|message|subject", re.IGNORECASE)
STATE = re.compile(r"state|status|type|role|level|target", re.IGNORECASE)
ID = re.compile(r"u?id|.*(_id|Id|ID)")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
ADDRESS = re.compile(r"https?://|[\w-]+(\.[\w-]+)+(/|$)")


def newest_rows(resource: Resource, client: SqlClientBase[Any]) -> TableMetadataValue:
    """The newest rows of a resource's table: names, states and times before ids, no secrets.

    Args:
        resource: The resource.
        client: An open connection to the warehouse.
    """
    columns = _plain_columns(resource)
    newest = client.escape_column_name(time_column(resource))
    rows = client.execute_sql(
        f"SELECT {', '.join(map(client.escape_column_name, columns))} "  # noqa: S608 - our own names
        f"FROM {client.make_qualified_table_name(resource.name)} "
        f"ORDER BY CASE WHEN {newest} IS NULL THEN 1 ELSE 0 END, {newest} DESC LIMIT {ROWS}"
    )
    records = _readable(columns, rows or [])
    chosen = _chosen(columns, records, time_column(resource), resource.key)
    return MetadataValue.table(
        [TableRecord({column: record[column] for column in chosen}) for record in records],
        schema=TableSchema([TableColumn(column, type=_type(records, column)) for column in chosen]),
    )


def _is_secret(resource: Resource, column: str) -> bool:
    """Whether a column may hold a secret, also one that is to be stored."""
    named = [*resource.withheld, *resource.store]
    is_named = column.casefold() in {path.partition(".")[0].casefold() for path in named}
    is_text = resource.fields.get(column) == "string"
    return is_named or (is_text and bool(secrecy_of(column)))


def time_column(resource: Resource) -> str:
    """The column that tells how new a row is: the API's own time, or else the load's."""
    times = [resource.cursor_field, *resource.times]
    if resource.fields.get(CREATED_AT) == "number":
        times.append(CREATED_AT)
    return next(filter(None, times), LOAD_ID)


def _plain_columns(resource: Resource) -> list[str]:
    """The columns that hold neither secrets nor arrays and objects."""
    nested = {field for field, word in resource.fields.items() if word in ("array", "object")}
    declared = [*resource.fields, *resource.inherited]
    return [c for c in declared if c not in nested and not _is_secret(resource, c)]


def _readable(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Value]]:
    """The rows with times as times, and with short texts."""
    by_column = [
        map(_as_time if _are_times(column, values) else _short, values)
        for column, values in zip(columns, zip(*rows, strict=True), strict=False)
    ]
    return [dict(zip(columns, row, strict=True)) for row in zip(*by_column, strict=True)]


def _are_times(column: str, values: Sequence[Any]) -> bool:
    return ID.fullmatch(column) is None and all(
        value is None or (isinstance(value, int) and EARLIEST < value < LATEST) for value in values
    )


def _as_time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return f"{datetime.fromtimestamp(milliseconds / 1000, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _short(value: Any) -> Value:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _chosen(
    columns: Sequence[str], records: Sequence[Record], newest: str, keys: Sequence[str]
) -> list[str]:
    """The columns to show, what is read first at the left, and the key at the right."""
    ranks = {column: _rank(column, newest, records) for column in columns}
    ordered = sorted(columns, key=lambda column: (column not in keys, ranks[column]))
    filled = _distinct(ordered, records)
    others = [column for column in filled if column not in keys]
    return [*others[:MOST_COLUMNS], *(column for column in filled if column in keys)]


def _rank(column: str, newest: str, records: Sequence[Record]) -> tuple[int, bool]:
    """Where a column stands, from the left; of two of a kind the plain word comes first."""
    texts = [value for record in records if isinstance(value := record[column], str)]
    # In the order in which they are asked: a time may be called `nameChangedAt`.
    places = [
        (ID.fullmatch(column), 6),
        (column == newest, 1),
        (texts and all(map(TIME.match, texts)), 3),
        (NAME.search(column), 0),
        (texts and all(map(ADDRESS.match, texts)), 5),
        (STATE.search(column), 2),
    ]
    place = next((place for is_so, place in places if is_so), 4)
    return place, STATE.fullmatch(column) is None


def _distinct(columns: Iterable[str], records: Sequence[Record]) -> list[str]:
    """The columns that have a value, and do not repeat the texts of another."""
    found: dict[tuple[Value, ...], str] = {}
    for column in columns:
        values = tuple(record[column] for record in records)
        if any(value not in (None, "") for value in values):
            has_text = any(isinstance(value, str) for value in values)
            found.setdefault(values if has_text else (column,), column)
    return list(found.values())


def _type(records: Sequence[Record], column: str) -> str:
    value = next(record[column] for record in records if record[column] is not None)
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "string")
