"""Every row of a child has its parent's row."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.accepted import ACCEPT
from analytics_assets.checks.table import Finding, Table
from analytics_assets.configuration import Parent
from analytics_assets.source.wording import counted


def check_parents(table: Table, parent: Parent) -> AssetCheckResult:
    """Finds rows whose parent is missing, or is no longer listed by the API.

    The first is an error: the warehouse has lost a row. The second is a warning: the parent was
    deleted upstream, and rows are kept. What is accepted is counted alone.
    """
    orphans = find_orphans(table, parent)
    is_lost = orphans.total > table.accepted.rows_without_parent
    deleted = Finding(0, table.key, [])
    accepted = 0
    if parent.resource.is_listed_in_full:
        is_deleted = table.deleted_in(parent.resource, table.accepted.at, alias="p")
        deleted = table.find(table.key, _rows_by_parent(table, parent, is_deleted))
        was_deleted = table.deleted_in(parent.resource, alias="p")
        all_deleted = table.count(_rows_by_parent(table, parent, was_deleted))
        accepted = all_deleted - deleted.total
    return AssetCheckResult(
        passed=not is_lost and not deleted.total,
        severity=AssetCheckSeverity.ERROR if is_lost else AssetCheckSeverity.WARN,
        description=_describe(
            table.name, parent.resource.name, orphans.total if is_lost else 0, deleted.total
        ),
        metadata={
            **orphans.as_metadata("rows_without_parent"),
            **deleted.as_metadata("rows_of_deleted_parents"),
            "rows_of_deleted_parents_accepted": accepted,
        },
    )


def find_orphans(table: Table, parent: Parent) -> Finding:
    """Finds rows without their parent's row."""
    field = next(iter(parent.inherited.values()))
    is_missing = f"p.{table.sql_column(field)} IS NULL"
    return table.find(table.key, _rows_by_parent(table, parent, is_missing))


def _rows_by_parent(table: Table, parent: Parent, condition: str) -> str:
    same = " AND ".join(
        f"p.{table.sql_column(field)} = c.{table.sql_column(column)}"
        for column, field in parent.inherited.items()
    )
    return (
        f"SELECT {table.sql_columns(table.key, 'c')} FROM {table.sql_name(table.name)} c "  # noqa: S608 - our own SQL
        f"LEFT JOIN {table.sql_name(parent.resource.name)} p ON {same} WHERE {condition}"
    )


def _describe(name: str, parent: str, orphans: int, deleted: int) -> str:
    if orphans:
        return (
            f"{counted(orphans, 'row')} of {name} without a row of {parent}: it was deleted in the "
            f"warehouse. Load {parent} anew; if it was deleted on purpose, {ACCEPT}."
        )
    if deleted:
        return (
            f"{counted(deleted, 'row')} of {name} whose {parent} the API no longer lists, kept. "
            f"If it is right that those are gone, {ACCEPT}."
        )
    return f"Each row has its row of {parent}."
