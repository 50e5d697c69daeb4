"""Times that every record has are plausible ones."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.accepted import ACCEPT
from analytics_assets.checks.table import Finding, Table
from analytics_assets.source.clock import epoch_milliseconds, epoch_milliseconds_now
from analytics_assets.source.wording import counted

EARLIEST = epoch_milliseconds("2010-01-01")
"""Older than any API of the kind: what is dated before it is an epoch in another unit."""
DAY = 86_400_000


def check_times(table: Table) -> AssetCheckResult:
    """Finds more implausible times than are accepted."""
    found = find_implausible_times(table)
    times = table.resource.times
    accepted = table.accepted.implausible_times
    is_accepted = found.total <= accepted
    description = f"Each {' and '.join(times)} lies between 2010 and tomorrow."
    rows = f"{counted(found.total, 'row')} of {table.name}"
    if found.total:
        description = (
            f"{rows} with a {' or '.join(times)} that is missing, before 2010 or after tomorrow: "
            f"ask the API's makers whether that is meant. If it is, {ACCEPT}."
        )
    if found.total and is_accepted:
        description = f"{rows} with implausible times: accepted."
    return AssetCheckResult(
        passed=is_accepted,
        severity=AssetCheckSeverity.WARN,
        description=description,
        metadata={**found.as_metadata(), "rows_accepted": accepted},
    )


def find_implausible_times(table: Table) -> Finding:
    """Finds times that are missing, before 2010, or later than tomorrow."""
    latest = epoch_milliseconds_now() + DAY
    times = table.resource.times
    is_wrong = " OR ".join(
        f"{column} IS NULL OR {column} < {EARLIEST} OR {column} > {latest}"
        for column in map(table.sql_time, times)
    )
    shown = list(dict.fromkeys([*table.key, *times]))
    return table.find(
        shown,
        f"SELECT {table.sql_columns(shown)} FROM {table.sql_name(table.name)} WHERE {is_wrong}",  # noqa: S608 - our own SQL
    )
