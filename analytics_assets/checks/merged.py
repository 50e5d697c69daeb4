"""No row of the last load took the place of another one that was no older version of it."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Table
from analytics_assets.source.wording import counted


def check_merged(table: Table, merged: int, keys: str) -> AssetCheckResult:
    """Tells of rows of one key and of different content, of which one was kept.

    Args:
        table: The table.
        merged: How many rows of the last load were not kept.
        keys: Some of their keys.
    """
    description = "Rows of one page with one key were equal, or told which is newer."
    if merged:
        description = (
            f"{counted(merged, 'row')} of {table.name} had the key of another row of the page, "
            f"which was kept instead ({keys}): {', '.join(table.key)} does not tell all its rows "
            "apart. Name a further column in `primary_key` of the configuration, or set "
            "`ids_may_repeat` there, and load it again from the beginning."
        )
    return AssetCheckResult(
        passed=not merged,
        severity=AssetCheckSeverity.WARN,
        description=description,
        metadata={"rows_merged": merged},
    )
