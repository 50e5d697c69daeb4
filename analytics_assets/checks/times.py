"""Times that every record has are plausible ones."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Table
from analytics_assets.source.clock import epoch_milliseconds, epoch_milliseconds_now

EARLIEST = epoch_milliseconds("2010-01-01")
"""Older than any API of the kind: what is dated before it is an epoch in another unit."""
DAY = 86_400_000


def check_times(table: Table) -> AssetCheckResult:
    """Finds times that are missing, before 2010, or later than tomorrow."""
    latest = epoch_milliseconds_now() + DAY
    times = table.resource["times"]
    is_wrong = " OR ".join(
        f"{column} IS NULL OR {column} < {EARLIEST} OR {column} > {latest}"
        for column in map(table.sql_time, times)
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
        metadata=found.as_metadata(),
    )
