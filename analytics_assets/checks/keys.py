"""Every row has its key, and no other row has it."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Table
from analytics_assets.source.table_columns import declared_columns
from analytics_assets.source.wording import counted


def check_key(table: Table) -> AssetCheckResult:
    """Finds keys that are missing, empty, or borne by several rows."""
    key = [table.sql_column(column) for column in table.key]
    declared = declared_columns(table.resource)
    texts = [column for column in table.key if declared[column]["data_type"] == "text"]
    is_missing = " OR ".join(
        [f"{column} IS NULL" for column in key]
        + [f"{table.sql_column(column)} = ''" for column in texts]
    )
    found = table.find(
        [*table.key, "rows"],
        f"SELECT {', '.join(key)}, COUNT(*) FROM {table.sql_name(table.name)} "  # noqa: S608 - our own SQL
        f"GROUP BY {', '.join(key)} HAVING COUNT(*) > 1 OR {is_missing}",
    )
    return AssetCheckResult(
        passed=not found.total,
        severity=AssetCheckSeverity.ERROR,
        description=f"{counted(found.total, 'key')} of {table.name} missing, or borne by several "
        "rows: something else than this project has written to the table. Delete those rows and "
        "load it anew."
        if found.total
        else "Each row has a key of its own.",
        metadata=found.as_metadata("keys"),
    )
