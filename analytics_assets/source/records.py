"""Neutral records: the fields a resource declares, filled, and a stable identity for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from dlt.common.data_types.typing import TDataType
from dlt.common.normalizers.json.helpers import get_row_hash

from analytics_assets.configuration import FieldType, ResourceConfig
from analytics_assets.configuration.lineage import cursor_field
from analytics_assets.source.clock import epoch_milliseconds
from analytics_assets.source.columns import ROW_DIGEST, VERSION, ColumnNames
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.values import Record, as_writable, fit_values, set_aside

Page = list[Record]

ID = "id"
UPDATED_AT = "updatedAt"
ROWS_A_MILLISECOND = 1_000_000
LATEST_UPDATE = 2**63 // ROWS_A_MILLISECOND - 1
"""The last epoch in milliseconds (of the year 2262) that leaves room for the order of reading."""


def neutralize(
    resource: ResourceConfig,
    key: list[str],
    columns: ColumnNames,
    stored: Mapping[str, TDataType],
) -> Callable[[Page], Page]:
    """A step that turns the rows of a page, or of one parent, into neutral records, in place.

    - A field that a row lacks is taken from the fields `filled_from` names.
    - A withheld field loses its value.
    - Values and names that the warehouse cannot hold as they come are fitted to it.
    - A row without an id of any kind gets a digest of its content as `id`. Rows of equal content
      are numbered, so that two equal rows of one page stay two.

    Args:
        resource: The resource whose records they are.
        key: The columns that identify a row.
        columns: Which column each field fills.
        stored: The columns in the warehouse and dlt's types of them.

    Raises:
        AnalyticsApiError: By the step, if a row lacks a field of its key other than `id`.
    """
    fields = resource["fields"]
    filled_from = {
        field: [source.split(".") for source in sources]
        for field, sources in resource.get("filled_from", {}).items()
    }
    withheld = [path.casefold().split(".") for path in resource.get("withheld", [])]
    cursor = cursor_field(resource)
    fit = fit_values(fields, stored)
    order = count()

    def to_records(page: Page) -> Page:
        twins: Counter[str] = Counter()
        for place, record in enumerate(page):
            for field, sources in filled_from.items():
                if record.get(field) is None:
                    record[field] = _as_type(fields[field], _first_value(record, sources))
            for path in withheld:
                _withhold(record, path)
            if cursor:
                _make_comparable(record, cursor)
            fit(record)
            columns.rename(record)
            page[place] = record = _digested(record)
            if ID in fields and record.get(ID) in (None, ""):
                digest = record[ROW_DIGEST]
                record[ID] = get_row_hash({"content": digest, "twin": twins[digest]})
                record[ROW_DIGEST] = get_row_hash(record)
                twins[digest] += 1
            _check_key(record, key, resource)
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


def _check_key(record: Mapping[str, Any], key: list[str], resource: ResourceConfig) -> None:
    for column in key:
        if record.get(column) is None:
            raise AnalyticsApiError(
                f"{resource['name']} has a row without `{column}`, which its `primary_key` names: "
                "choose another key in the configuration, or fill it by `filled_from`."
            )


def _version(record: Mapping[str, Any], order: int) -> int:
    updated = _as_epoch(record.get(UPDATED_AT)) or 0
    return (updated * ROWS_A_MILLISECOND if 0 < updated < LATEST_UPDATE else 0) + order


def _make_comparable(record: Record, cursor: str) -> None:
    """Makes the cursor's value an epoch; what is none is kept beside it."""
    value = record.get(cursor)
    if value is None or type(value) is int:
        return
    epoch = _as_epoch(value)
    if epoch is None:
        set_aside(record, cursor, value)
    else:
        record[cursor] = epoch


def _as_epoch(value: Any) -> int | None:
    """An epoch in milliseconds, also one written as a fraction, as text or as ISO text."""
    if isinstance(value, str):
        value = int(value) if value.isdecimal() else _epoch_milliseconds(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


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
        return _epoch_milliseconds(value)
    return value


def _epoch_milliseconds(text: str) -> int | str:
    try:
        return epoch_milliseconds(text)
    except ValueError:
        return text


def _withhold(value: Any, path: list[str]) -> None:
    """Empties the fields a path leads to, in whatever case the API writes their names."""
    if isinstance(value, list):
        for item in value:
            _withhold(item, path)
    elif isinstance(value, dict):
        for field in [field for field in value if field.strip().casefold() == path[0]]:
            if len(path) == 1:
                value[field] = None
            else:
                _withhold(value[field], path[1:])
