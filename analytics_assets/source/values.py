"""Fits values that no column of a warehouse can hold as they come, so that none is lost.

dlt keeps a value of another type than declared in a column of its own, `<field>__v_<type>`. The
values here would fail the load or lose their meaning before it comes to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dlt.common.data_types.typing import TDataType

from analytics_assets.configuration import FieldType

Record = dict[str, Any]

KINDS: dict[str, type] = {"bool": bool, "bigint": int, "double": float}
DECLARED_KINDS: dict[str, type] = {"boolean": bool, "number": int, "float": float}
DATA_TYPES: dict[type, TDataType] = {
    str: "text",
    bool: "bool",
    int: "bigint",
    float: "double",
    dict: "json",
    list: "json",
}
NUMBERS = {bool, int, float}
LARGEST_EXACT = 2**53
"""The largest whole number up to which a double holds each one."""
SMALLEST_BIGINT, LARGEST_BIGINT = -(2**63), 2**63 - 1


def fit_values(
    fields: Mapping[str, FieldType], stored: Mapping[str, TDataType]
) -> Callable[[Record], None]:
    """A function that makes the values of a record fit their columns, in place.

    - A single value of an array field becomes an array of one: the API's description lets `target`
      of an environment variable be either.
    - A number in a boolean column is kept beside it: dlt would take it for true or false.
    - A whole number is kept beside a column of fractions that would round it.
    - A whole number beyond 64 bits becomes text, which keeps all its digits.

    Args:
        fields: The declared fields and their JSON types.
        stored: The columns in the warehouse and dlt's types of them.
    """
    arrays = [field for field, word in fields.items() if word == "array"]
    # What a column holds: the declared type, the stored one, or that of the value seen first.
    kinds: dict[str, type] = {
        column: KINDS[word] for column, word in stored.items() if word in KINDS
    }
    kinds |= {field: DECLARED_KINDS.get(word, object) for field, word in fields.items()}

    def must_stand_beside(field: str, value: Any) -> bool:
        kind = type(value)
        column = kinds.setdefault(field, kind)
        if kind is int and abs(value) > LARGEST_EXACT:
            return is_beyond_bigint(value) or column in (bool, float)
        return column is bool and kind is not bool

    def fit(record: Record) -> None:
        for field in arrays:
            if isinstance(record.get(field), (str, int, float)):
                record[field] = [record[field]]
        beside = [
            field
            for field, value in record.items()
            if type(value) in NUMBERS and must_stand_beside(field, value)
        ]
        for field in beside:
            value = record[field]
            if fields.get(field) == "string":
                record[field] = str(value)
            else:
                set_aside(record, field, str(value) if is_beyond_bigint(value) else value)

    return fit


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
