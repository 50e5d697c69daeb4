"""No parent of a child has been asked in vain for long."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import LARGEST_SAMPLE, Finding, Table
from analytics_assets.configuration import Parent
from analytics_assets.source.clock import epoch_milliseconds_now, iso_time
from analytics_assets.source.wording import counted

DAY = 86_400_000


def check_that_parents_answered(table: Table, parent: Parent) -> AssetCheckResult:
    """Finds parents that were first asked more than a day ago, and not answered since."""
    latest = epoch_milliseconds_now() - DAY
    waiting = [each for each in table.pending if each.since <= latest]
    rows = [("/".join(each.key), each.why, iso_time(each.since)) for each in waiting]
    found = Finding(len(rows), ["parent", "why", "since"], rows[:LARGEST_SAMPLE])
    return AssetCheckResult(
        passed=not waiting,
        severity=AssetCheckSeverity.WARN,
        description=_describe(table.name, parent.resource.name, rows),
        metadata={
            "parents_pending": len(table.pending),
            **found.as_metadata("parents_pending_for_a_day"),
        },
    )


def _describe(name: str, parent: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return "Each parent was answered, or has been asked for again for less than a day."
    named = ", ".join(f"{key} ({why}, since {since})" for key, why, since in rows[:3])
    more = f", and {len(rows) - 3} more" if len(rows) > 3 else ""
    return (
        f"{counted(len(rows), 'row')} of {parent} asked for {name} in vain for more than a "
        f"day: {named}{more}. Each run asks again. See what the API says of them, and whether the "
        f"token may read them; those that it no longer lists are left out once {parent} and "
        f"{name} are materialized."
    )
