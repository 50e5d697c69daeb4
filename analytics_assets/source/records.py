"""Neutral records: the fields a resource declares, filled, and a stable identity for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from dlt.common.normalizers.json.helpers import get_row_hash

from analytics_assets.configuration import FieldType
from analytics_assets.configuration.resource import Resource
from analytics_assets.source.columns import ROW_DIGEST, VERSION, ColumnNames
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.numerals import epoch
from analytics_assets.source.redaction import Guard
from analytics_assets.source.repeated_ids import ID, UPDATED_AT, RepeatedIds
from analytics_assets.source.values import Record, as_writable, fit_values, set_aside
from analytics_assets.source.withheld import withhold

Page = list[Record]

ROWS_A_MILLISECOND = 1_000_000
LATEST_UPDATE = 2**63 // ROWS_A_MILLISECOND - 1
"""The last epoch in milliseconds (of the year 2262) that leaves room for the order of reading."""


def neutralize(resource: Resource, columns: ColumnNames, guard: Guard) -> Callable[[Page], Page]:
    """A step that turns the rows of a page, or of one parent, into neutral records, in place.

    - A field that a row lacks is taken from the fields `filled_from` names.
    - A withheld field loses its value, and one that looks like a secret and nobody declared.
    - A time is made a number, also one that is written as text.
    - Values and names that the warehouse cannot hold as they come are fitted to it.
    - A row without an id of any kind gets a digest of its content as `id`. Rows of equal content
      are numbered, so that two equal rows of one page stay two.
    - Where ids may repeat, rows of one list that bear one id stay as many as they are.

    Args:
        resource: The resource whose records they are.
        columns: Which column each field fills.
        guard: Empties what looks like a secret and nobody declared.

    Raises:
        AnalyticsApiError: By the step, if a row lacks a field of its key other than `id`.
    """
    fields, key = resource.fields, resource.key
    filled_from = {
        field: [source.split(".") for source in sources]
        for field, sources in resource.filled_from.items()
    }
    empty_withheld = withhold(resource)
    cursor = resource.cursor_field
    times = {*resource.times, cursor} - {""}
    fit = fit_values(fields)
    repeated = RepeatedIds(key) if resource.ids_may_repeat else None
    order = count()

    def to_records(page: Page) -> Page:
        twins: Counter[str] = Counter()
        empty_withheld(page)
        guard.empty(page)
        for place, record in enumerate(page):
            for field, sources in filled_from.items():
                if record.get(field) is None:
                    record[field] = _as_type(fields[field], _first_value(record, sources))
            for field in times:
                _read_time(record, field)
            if cursor and record.get(cursor) is not None and type(record[cursor]) is not int:
                # dlt compares it with others.
                set_aside(record, cursor, record[cursor])
            fit(record)
            columns.rename(record)
            page[place] = record = _digested(record)
            if ID in fields and record.get(ID) in (None, ""):
                digest = record[ROW_DIGEST]
                record[ID] = get_row_hash({"content": digest, "twin": twins[digest]})
                record[ROW_DIGEST] = get_row_hash(record)
                twins[digest] += 1
            _check_key(record, resource)
            if repeated:
                repeated.tell_apart(record)
            record[VERSION] = _version(record, next(order))
        return page

    return to_records


def _digested(record: Record) -> Record:
    try:
        record[ROW_DIGEST] = get_row_hash(record)
    except TypeError:
        # Rare enough to be looked for only when the JSON of a row cannot be written.
        record = as_writable(record)
        record[ROW_DIGEST] = get_row_hash(record)
    return record


def _check_key(record: Mapping[str, Any], resource: Resource) -> None:
    for column in resource.key:
        if record.get(column) is None:
            raise AnalyticsApiError(
                f"{resource.name} has a row without `{column}`, which its `primary_key` names: "
                "choose another key in the configuration, or fill it by `filled_from`."
            )


def _version(record: Mapping[str, Any], order: int) -> int:
    updated = epoch(record.get(UPDATED_AT)) or 0
    return (updated * ROWS_A_MILLISECOND if 0 < updated < LATEST_UPDATE else 0) + order


def _read_time(record: Record, field: str) -> None:
    value = record.get(field)
    if value is not None and (moment := epoch(value)) is not None:
        record[field] = moment


def _first_value(record: Mapping[str, Any], paths: list[list[str]]) -> Any:
    for path in paths:
        value: Any = record
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def _as_type(field_type: FieldType, value: Any) -> Any:
    """The value in the target's type: the API gives some times as ISO text, not as epochs."""
    if field_type == "number" and isinstance(value, str):
        moment = epoch(value)
        return value if moment is None else moment
    return value
