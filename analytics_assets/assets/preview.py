"""The newest rows of a table, for the page of its asset."""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema
from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.configuration import ResourceConfig
from analytics_assets.configuration.lineage import cursor_field, inherited_columns
from analytics_assets.source.columns import LOAD_ID

ROWS = 5
LONGEST_VALUE = 60
"""Characters of a value that are shown: each load keeps its preview in Dagster's storage."""
CREATED_AT = "createdAt"


def newest_rows(resource: ResourceConfig, client: SqlClientBase[Any]) -> TableMetadataValue:
    """The newest rows of a resource's table: no secrets, no empty columns, no arrays and objects.

    Args:
        resource: The resource.
        client: An open connection to the warehouse.
    """
    secrets = {path.partition(".")[0].casefold() for path in resource.get("withheld", [])}
    nested = {field for field, word in resource["fields"].items() if word in ("array", "object")}
    declared = [*inherited_columns(resource), *resource["fields"]]
    columns = [c for c in declared if c not in nested and c.casefold() not in secrets]
    newest = client.escape_column_name(time_column(resource))
    rows = client.execute_sql(
        f"SELECT {', '.join(map(client.escape_column_name, columns))} "  # noqa: S608 - our own names
        f"FROM {client.make_qualified_table_name(str(resource['name']))} "
        f"ORDER BY CASE WHEN {newest} IS NULL THEN 1 ELSE 0 END, {newest} DESC LIMIT {ROWS}"
    )
    records = [dict(zip(columns, map(_shown, row), strict=True)) for row in rows or []]
    filled = [column for column in columns if any(_is_filled(r[column]) for r in records)]
    return MetadataValue.table(
        [TableRecord({column: record[column] for column in filled}) for record in records],
        schema=TableSchema([TableColumn(column, type=_type(column, records)) for column in filled]),
    )


def time_column(resource: ResourceConfig) -> str:
    """The column that tells how new a row is: the API's own time, or else the load's."""
    times = [cursor_field(resource), *resource.get("times", [])]
    if resource["fields"].get(CREATED_AT) == "number":
        times.append(CREATED_AT)
    return next(filter(None, times), LOAD_ID)


def _shown(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _is_filled(value: Any) -> bool:
    return value not in (None, "")


def _type(column: str, records: Sequence[Mapping[str, Any]]) -> str:
    value = next(r[column] for r in records if r[column] is not None)
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "string")
