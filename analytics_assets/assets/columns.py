"""The columns of a table, as Dagster shows them: types, keys, descriptions and lineage."""

from collections.abc import Mapping

from dagster import (
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
)
from dlt.common.schema.typing import TColumnSchema

from analytics_assets.assets.keys import asset_key
from analytics_assets.configuration import ApiConfig, ResourceConfig
from analytics_assets.configuration.lineage import inherited_fields, key_columns
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST, column_descriptions
from analytics_assets.source.rest import declared_columns

DLT_COLUMNS: dict[str, TColumnSchema] = {
    name: {"name": name, "data_type": "text", "nullable": False} for name in (LOAD_ID, ROW_DIGEST)
}
"""Columns that dlt adds to every table."""


def declared_schema(config: ApiConfig, resource: ResourceConfig) -> TableSchema:
    """The columns that a table has whatever its loads bring."""
    return table_schema(config, resource, {**declared_columns(config, resource), **DLT_COLUMNS})


def table_schema(
    config: ApiConfig, resource: ResourceConfig, columns: Mapping[str, TColumnSchema]
) -> TableSchema:
    """Columns with their types (dlt's words), constraints and descriptions.

    Args:
        config: The API's configuration.
        resource: The resource whose table it is.
        columns: The columns by name, as dlt describes them.
    """
    key = key_columns(config, resource)
    descriptions = column_descriptions(config, resource)
    return TableSchema(
        [
            TableColumn(
                name,
                type=column.get("data_type") or "unknown",
                description=descriptions.get(name),
                constraints=TableColumnConstraints(
                    nullable=bool(column.get("nullable", True)),
                    unique=key == [name],
                    other=["primary key"] if name in key else None,
                ),
            )
            for name, column in columns.items()
        ]
    )


def column_lineage(resource: ResourceConfig) -> TableColumnLineage | None:
    """Which columns of a child hold fields of its parent; None of a resource without parent."""
    inherited = inherited_fields(resource)
    filled = {
        field: inherited[source]
        for field, sources in resource.get("filled_from", {}).items()
        for source in sources
        if source in inherited
    }
    return (
        TableColumnLineage(
            {
                column: [TableColumnDep(asset_key(parent.resource), parent.field)]
                for column, parent in {**inherited, **filled}.items()
            }
        )
        if inherited
        else None
    )
