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
from analytics_assets.configuration import Resource
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST, VARIANT, column_descriptions
from analytics_assets.source.table_columns import declared_columns

DLT_COLUMNS: dict[str, TColumnSchema] = {
    name: {"name": name, "data_type": "text", "nullable": False} for name in (LOAD_ID, ROW_DIGEST)
}
"""Columns that dlt adds to every table."""
KNOWN = "A further field of the API, or a value of another type than its column's."


def declared_schema(resource: Resource) -> TableSchema:
    """The columns of a table with their types (dlt's words), constraints and descriptions.

    Those that are declared or known: the check `columns_are_declared` tells of any other. The
    definition alone has them, for the UI writes all names in lower case where a load has them, too.
    """
    columns = {**declared_columns(resource), **_known_columns(resource), **DLT_COLUMNS}
    descriptions = dict.fromkeys(resource.known_columns, KNOWN)
    descriptions |= column_descriptions(resource)
    return TableSchema(
        [
            TableColumn(
                name,
                type=column.get("data_type") or "any",
                description=descriptions.get(name),
                constraints=TableColumnConstraints(
                    nullable=bool(column.get("nullable", True)),
                    unique=resource.key == (name,),
                    other=["primary key"] if name in resource.key else None,
                ),
            )
            for name, column in columns.items()
        ]
    )


def _known_columns(resource: Resource) -> dict[str, TColumnSchema]:
    """The columns beyond those declared, of the type that their name may tell."""
    known: dict[str, TColumnSchema] = {}
    for name in resource.known_columns:
        known[name] = {"name": name, "nullable": True}
        if data_type := cast("TDataType | None", name.partition(VARIANT)[2] or None):
            known[name]["data_type"] = data_type
    return known


def column_lineage(resource: Resource) -> TableColumnLineage | None:
    """Which columns of a child hold fields of its parent; None of a resource without parent."""
    if resource.parent is None:
        return None
    parent, inherited = asset_key(resource.parent.resource.name), resource.parent.inherited
    filled = {
        column: inherited[source]
        for column, sources in resource.filled_from.items()
        for source in sources
        if source in inherited
    }
    return TableColumnLineage(
        {
            column: [TableColumnDep(parent, field)]
            for column, field in {**inherited, **filled}.items()
        }
    )
