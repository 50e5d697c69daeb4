"""No rows vanish from the warehouse, and those that vanish from the API's lists are counted."""

from __future__ import annotations

from collections.abc import Sequence

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.accepted import ACCEPT
from analytics_assets.checks.table import Table
from analytics_assets.source.wording import counted


def check_row_count(table: Table, reported: Sequence[int]) -> AssetCheckResult:
    """Compares the rows with those that were there before.

    Args:
        table: The table.
        reported: The row counts of the last two materializations, as far as what is missing since
            is not accepted.
    """
    now = table.rows
    before = max(reported, default=0)
    if now < before:
        description = (
            f"{table.name} has {counted(now, 'row')}, and had {before}: something else than this "
            "project deletes rows, for it keeps what was deleted upstream. Load them again; if "
            f"they were deleted on purpose, {ACCEPT}."
        )
    else:
        description = f"{counted(now, 'row')}, {before} before."
    return AssetCheckResult(
        passed=now >= before,
        severity=AssetCheckSeverity.ERROR,
        description=description,
        metadata={"rows": now, "rows_before": before},
    )


def check_no_longer_listed(table: Table) -> AssetCheckResult:
    """Counts the rows that the API no longer lists; they are kept."""
    found = table.find(table.key, _rows_where(table, table.deleted()))
    return AssetCheckResult(
        passed=True,
        description=f"{counted(found.total, 'row')} of {table.name} no longer listed by the API.",
        metadata=found.as_metadata(),
    )


def _rows_where(table: Table, condition: str) -> str:
    """The keys of the rows for which a condition holds."""
    return (
        f"SELECT {table.sql_columns(table.key)} FROM {table.sql_name(table.name)} "  # noqa: S608 - our own SQL
        f"WHERE {condition}"
    )
