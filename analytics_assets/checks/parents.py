"""Every row of a child has its parent's row."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Finding, Table
from analytics_assets.configuration.lineage import (
    inherited_columns,
    is_listed_in_full,
    parent_name,
)


def check_parents(table: Table) -> AssetCheckResult:
    """Finds rows whose parent is missing, or is no longer listed by the API.

    The first is an error: the warehouse has lost a row. The second is a warning: the parent was
    deleted upstream, and rows are kept.
    """
    parent = str(parent_name(table.resource))
    fields = table.resource.get("include_from_parent") or []
    orphans = table.find(
        table.key, _rows_by_parent(table, parent, f"p.{table.sql_column(fields[0])} IS NULL")
    )
    deleted = Finding(0, table.key, [])
    if is_listed_in_full(table.config, parent):
        is_deleted = f"NOT {table.listed_in(parent, 'p')}"
        deleted = table.find(table.key, _rows_by_parent(table, parent, is_deleted))
    return AssetCheckResult(
        passed=not orphans.total and not deleted.total,
        severity=AssetCheckSeverity.ERROR if orphans.total else AssetCheckSeverity.WARN,
        description=_describe(table.name, parent, orphans.total, deleted.total),
        metadata={
            **orphans.as_metadata("rows_without_parent"),
            **deleted.as_metadata("rows_of_deleted_parents"),
        },
    )


def _rows_by_parent(table: Table, parent: str, condition: str) -> str:
    fields = table.resource.get("include_from_parent") or []
    same = " AND ".join(
        f"p.{table.sql_column(field)} = c.{table.sql_column(column)}"
        for field, column in zip(fields, inherited_columns(table.resource), strict=True)
    )
    return (
        f"SELECT {table.sql_columns(table.key, 'c')} FROM {table.sql_name(table.name)} c "  # noqa: S608 - our own SQL
        f"LEFT JOIN {table.sql_name(parent)} p ON {same} WHERE {condition}"
    )


def _describe(name: str, parent: str, orphans: int, deleted: int) -> str:
    if orphans:
        return (
            f"{orphans} rows of {name} have no row of {parent}: it was deleted in the warehouse. "
            f"Load {parent} anew."
        )
    if deleted:
        return f"{deleted} rows of {name} belong to {parent} that the API no longer lists."
    return f"Each row has its row of {parent}."
