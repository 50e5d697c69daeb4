"""No rows vanish: neither from the warehouse, nor from the API's lists without a sign."""

from __future__ import annotations

from collections.abc import Sequence

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.accepted import ACCEPT
from analytics_assets.checks.table import Table
from analytics_assets.configuration.lineage import is_listed_in_full
from analytics_assets.source.columns import LOAD_ID
from analytics_assets.source.wording import counted


def check_row_count(table: Table, reported: Sequence[int]) -> AssetCheckResult:
    """Compares the rows with those that were there before, and looks for an empty list.

    Args:
        table: The table.
        reported: The row counts of the last two materializations, as far as what is missing since
            is not accepted.
    """
    now = table.rows
    before = max(reported, default=0)
    came_back_empty = is_listed_in_full(table.config, table.name) and _came_back_empty(table)
    if now < before:
        description = (
            f"{table.name} has {counted(now, 'row')}, and had {before}: something else than this "
            "project deletes rows, for it keeps what was deleted upstream. Load them again; if "
            f"they were deleted on purpose, {ACCEPT}."
        )
    elif came_back_empty:
        description = (
            f"The API listed nothing of {table.name}, of which the warehouse has "
            f"{counted(now, 'row')}: see whether the token may still list them all, and the team "
            f"is the right one. If they were deleted, {ACCEPT}."
        )
    else:
        description = f"{counted(now, 'row')}, {before} before."
    return AssetCheckResult(
        passed=now >= before and not came_back_empty,
        severity=AssetCheckSeverity.ERROR,
        description=description,
        metadata={"rows": now, "rows_before": before, "list_came_back_empty": came_back_empty},
    )


def check_no_longer_listed(table: Table) -> AssetCheckResult:
    """Counts the rows that the latest full listing no longer contained; they are kept."""
    found = table.find(table.key, _rows_where(table, f"NOT {table.listed}"))
    return AssetCheckResult(
        passed=True,
        description=f"{counted(found.total, 'row')} of {table.name} no longer listed by the API.",
        metadata=found.as_metadata(),
    )


def _came_back_empty(table: Table) -> bool:
    """Whether the latest listing was empty, and had rows since what is accepted to be missing."""
    if table.count(_rows_where(table, table.listed)):
        return False
    since = f"{table.sql_column(LOAD_ID)} >= '{table.accepted.listing}'"
    return bool(table.count(_rows_where(table, since)))


def _rows_where(table: Table, condition: str) -> str:
    """The keys of the rows for which a condition holds."""
    return (
        f"SELECT {table.sql_columns(table.key)} FROM {table.sql_name(table.name)} "  # noqa: S608 - our own SQL
        f"WHERE {condition}"
    )
