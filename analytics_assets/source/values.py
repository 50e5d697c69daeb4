"""Fits values that no column of a warehouse can hold as they come, so that none is lost.

What a column cannot hold exactly stands in a column of its own beside it, `<column>__v_<type>`, as
dlt has it (dlt, "Schema evolution": variant columns). dlt itself would take 7 for true, round large
numbers and read texts as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from dlt.common.data_types import coerce_value
from dlt.common.data_types.typing import TDataType

from analytics_assets.configuration import FieldType
from analytics_assets.source.numerals import (
    LARGEST_BIGINT,
    SMALLEST_BIGINT,
    real_number,
    whole_number,
)

Record = dict[str, Any]

DATA_TYPES: dict[type, TDataType] = {
    str: "text",
    bool: "bool",
    int: "bigint",
    float: "double",
    dict: "json",
    list: "json",
}
KINDS: dict[TDataType, set[type]] = {
    "text": {str},
    "bigint": {int},
    "double": {float},
    "bool": {bool},
    "json": {dict, list},
}
"""The values that a column of a type takes as they are."""
LARGEST_EXACT = 2**53
"""The largest whole number up to which a double holds each one."""


def fit_values(fields: Mapping[str, FieldType]) -> Callable[[Record], None]:
    """A function that makes the values of a record fit their declared types, in place.

    - A single value of an array field becomes an array of one: the API's description lets `target`
      of an environment variable be either.
    - A number or a boolean that is written as text becomes one, where it is declared.
    - A whole number beyond 64 bits becomes text, which keeps all its digits.
    """
    arrays = [field for field, word in fields.items() if word == "array"]
    readers = {field: READERS[word] for field, word in fields.items() if word in READERS}

    def fit(record: Record) -> None:
        for field in arrays:
            if isinstance(record.get(field), (str, int, float)):
                record[field] = [record[field]]
        for field, read in readers.items():
            if isinstance(text := record.get(field), str):
                value = read(text)
                record[field] = text if value is None else value
        beyond = [
            f for f, value in record.items() if type(value) is int and is_beyond_bigint(value)
        ]
        for field in beyond:
            if fields.get(field) == "string":
                record[field] = str(record[field])
            else:
                set_aside(record, field, str(record[field]))

    return fit


def _boolean(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text.strip().casefold())


READERS: dict[FieldType, Callable[[str], Any]] = {
    "number": whole_number,
    "float": real_number,
    "boolean": _boolean,
}
"""What a field of a type reads of a text; None of a text that is no such value."""


def hold(data_type: TDataType, value: Any) -> Any:
    """The value as a column of a type holds it, exactly: in text, or as what a text spells.

    Raises:
        ValueError: If the column cannot hold it.
    """
    kind = type(value)
    if data_type == "text":
        return orjson.dumps(value).decode() if kind in KINDS["json"] else str(value)
    if kind is str and data_type in ("bigint", "double"):
        number = whole_number(value) if data_type == "bigint" else real_number(value)
        if str(number) == value:
            return number
    return hold_strictly(data_type, value)


def hold_strictly(data_type: TDataType, value: Any) -> Any:
    """The value as a column of a type holds it, exactly: text stands for nothing but text.

    Raises:
        ValueError: If the column cannot hold it.
    """
    kind = type(value)
    if data_type not in KINDS:
        return coerce_value(data_type, DATA_TYPES[kind], value)
    if kind in KINDS[data_type]:
        return value
    if kind in (int, float) and abs(value) <= LARGEST_EXACT and value == int(value):
        if data_type == "bigint":
            return int(value)
        if data_type == "double":
            return float(value)
    raise ValueError(value)


def is_beyond_bigint(value: Any) -> bool:
    """Whether a value is a whole number that has no room in 64 bits with a sign."""
    return type(value) is int and not SMALLEST_BIGINT <= value <= LARGEST_BIGINT


def as_writable(value: Any) -> Any:
    """A copy of a value whose nested values can be written as JSON (orjson's limits).

    Whole numbers beyond 64 bits become text. Halves of surrogate pairs, which an API leaves where
    it cuts a text inside an emoji, become the replacement character U+FFFD.
    """
    if isinstance(value, Mapping):
        return {as_writable(key): as_writable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_writable(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str(value) if is_beyond_bigint(value) else value


def set_aside(record: Record, field: str, value: Any) -> str:
    """Moves a value to the column where dlt keeps values of its type (dlt, "Variant columns").

    Returns:
        The column.
    """
    column = f"{field}__v_{DATA_TYPES[type(value)]}"
    record[column] = value
    record[field] = None
    return column
