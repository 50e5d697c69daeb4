"""Times that every record has are plausible ones."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Table

EARLIEST = datetime(2010, 1, 1, tzinfo=timezone.utc)
"""Older than any API of the kind: what is dated before it is an epoch in another unit."""
LATEST_FROM_NOW = timedelta(days=1)


def check_times(table: Table) -> AssetCheckResult:
    """Finds times that are missing, before 2010, or later than tomorrow."""
    earliest = _epoch(EARLIEST)
    latest = _epoch(datetime.now(timezone.utc) + LATEST_FROM_NOW)
    times = table.resource["times"]
    is_wrong = " OR ".join(
        f"{column} IS NULL OR {column} < {earliest} OR {column} > {latest}"
        for column in map(table.sql_column, times)
    )
    shown = list(dict.fromkeys([*table.key, *times]))
    found = table.find(
        shown,
        f"SELECT {table.sql_columns(shown)} FROM {table.sql_name(table.name)} WHERE {is_wrong}",  # noqa: S608 - our own SQL
    )
    return AssetCheckResult(
        passed=not found.total,
        severity=AssetCheckSeverity.WARN,
        description=f"{found.total} rows of {table.name} have a {' or '.join(times)} that is "
        "missing, before 2010 or after tomorrow: ask the API's makers whether that is meant."
        if found.total
        else f"Each {' and '.join(times)} lies between 2010 and tomorrow.",
        metadata={"rows": found.total, "sample": found.as_metadata()},
    )


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
