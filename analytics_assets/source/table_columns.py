"""The columns of a table as the warehouse has them, whatever is declared of them by now.

The type of a stored column never changes: a value of the type that is declared instead goes to its
variant column. dlt would take the declared type for the stored one, and leave it to the warehouse
to make a boolean of a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from dlt.common.data_types.typing import TDataType
from dlt.common.schema.typing import TColumnSchema

from analytics_assets.configuration import FieldType
from analytics_assets.configuration.resource import Resource
from analytics_assets.source.columns import DELETED_AT, VERSION, column_descriptions
from analytics_assets.source.errors import WarehouseError
from analytics_assets.source.stored import types_of
from analytics_assets.source.values import hold, hold_strictly

DATA_TYPES: dict[FieldType, TDataType] = {
    "string": "text",
    "number": "bigint",
    "float": "double",
    "boolean": "bool",
    "array": "json",
    "object": "json",
}


def declared_columns(resource: Resource) -> dict[str, TColumnSchema]:
    """The columns a resource has whatever its loads bring, as dlt describes them, by name."""
    inherited: dict[str, FieldType] = {}
    if parent := resource.parent:
        # Of the parent's types: the two are compared.
        inherited = {c: parent.resource.fields[field] for c, field in parent.inherited.items()}
    types = {field: DATA_TYPES[word] for field, word in {**inherited, **resource.fields}.items()}
    columns: dict[str, TColumnSchema] = {
        name: {"name": name, "data_type": data_type, "nullable": name not in resource.key}
        for name, data_type in types.items()
    }
    # Of several rows of one key dlt keeps the first in this order (dlt, "Merge loading").
    columns[VERSION] = {"name": VERSION, "data_type": "bigint", "dedup_sort": "desc"}
    columns[DELETED_AT] = {"name": DELETED_AT, "data_type": "bigint", "nullable": True}
    for name, description in column_descriptions(resource).items():
        if name in columns:
            columns[name]["description"] = description
    return columns


class TableColumns:
    """The columns that exist or are declared.

    Attributes:
        types: dlt's types of them.
        hints: What dlt is to be told of them.
    """

    def __init__(
        self,
        table: str,
        declared: Mapping[str, TColumnSchema],
        stored: Mapping[str, TDataType],
        key: Iterable[str],
    ) -> None:
        """Begins with what is known before a load.

        Args:
            table: The table.
            declared: The declared columns, as dlt describes them.
            stored: The columns in the warehouse, and dlt's types of them.
            key: The columns that identify a row.
        """
        self._table = table
        self._key = set(key)
        self._stored_otherwise = stored_otherwise(declared, stored)
        self.types: dict[str, TDataType] = {**types_of(declared), **stored}
        self.hints: dict[str, TColumnSchema] = {
            # In Arrow tables JSON is text: dlt would forget what it is.
            name: {"name": name, "data_type": data_type, "nullable": True}
            for name, data_type in stored.items()
            if data_type == "json"
        }
        for name, hint in declared.items():
            self.hints[name] = cast(TColumnSchema, {**hint, "data_type": self.types[name]})

    def hold(self, column: str, data_type: TDataType, value: Any) -> Any:
        """The value as a column holds it, exactly.

        Raises:
            ValueError: If the column cannot hold it.
            WarehouseError: If that column is of the key, from which no value may be missing.
        """
        if column in self._key:
            return self._hold_in_key(column, data_type, value)
        # A text is not to stand for what is declared now.
        is_stored_otherwise = column in self._stored_otherwise
        return (hold_strictly if is_stored_otherwise else hold)(data_type, value)

    def _hold_in_key(self, column: str, data_type: TDataType, value: Any) -> Any:
        try:
            return hold(data_type, value)
        except ValueError:
            raise WarehouseError(
                f"The column `{column}` of {self._table} is stored as {data_type} and cannot hold "
                f"{value!r}, and it is of the key: name another column in `primary_key`, or load "
                "into a new warehouse."
            ) from None


def stored_otherwise(
    declared: Mapping[str, TColumnSchema], stored: Mapping[str, TDataType]
) -> dict[str, TDataType]:
    """The columns that are stored with another type than declared, and the stored types."""
    types = types_of(declared)
    return {name: stored[name] for name in types if name in stored and stored[name] != types[name]}
