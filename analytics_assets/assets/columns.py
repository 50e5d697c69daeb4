"""The columns of a table, as Dagster shows them: types, keys, descriptions and lineage."""

from typing import cast

from dagster import (
    TableColumn,
    TableColumnConstraints,
    TableColumnDep,
    TableColumnLineage,
    TableSchema,
)
from dlt.common.data_types.typing import TDataType
from dlt.common.schema.typing import TColumnSchema

from analytics_assets.assets.keys import asset_key
from analytics_assets.configuration import ApiConfig, ResourceConfig
from analytics_assets.configuration.lineage import inherited_fields, key_columns
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST, VARIANT, column_descriptions
from analytics_assets.source.rest import declared_columns

DLT_COLUMNS: dict[str, TColumnSchema] = {
    name: {"name": name, "data_type": "text", "nullable": False} for name in (LOAD_ID, ROW_DIGEST)
}
"""Columns that dlt adds to every table."""
KNOWN = "A further field of the API, or a value of another type than its column's."


def declared_schema(config: ApiConfig, resource: ResourceConfig) -> TableSchema:
    """The columns of a table with their types (dlt's words), constraints and descriptions.

    Those that are declared or known: the check `columns_are_declared` tells of any other. The
    definition alone has them, for the UI writes all names in lower case where a load has them, too.
    """
    key = key_columns(config, resource)
    columns = {**declared_columns(config, resource), **_known_columns(resource), **DLT_COLUMNS}
    descriptions = dict.fromkeys(resource.get("known_columns", []), KNOWN)
    descriptions |= column_descriptions(config, resource)
    return TableSchema(
        [
            TableColumn(
                name,
                type=column.get("data_type") or "any",
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


def _known_columns(resource: ResourceConfig) -> dict[str, TColumnSchema]:
    """The columns beyond those declared, of the type that their name may tell."""
    known: dict[str, TColumnSchema] = {}
    for name in resource.get("known_columns", []):
        known[name] = {"name": name, "nullable": True}
        if data_type := cast("TDataType | None", name.partition(VARIANT)[2] or None):
            known[name]["data_type"] = data_type
    return known


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
