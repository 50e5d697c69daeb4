"""No field that looks like a secret waits for a decision, and none is left from earlier loads."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Table
from analytics_assets.source.withheld import undecided, withheld_columns
from analytics_assets.source.wording import counted

MOST_NAMED = 20
"""Fields that the description names."""
LONGEST_PATH = 100
"""Characters of a field's path that it shows: the names are the API's."""


def check_secrets(table: Table) -> AssetCheckResult:
    """Finds what loads have emptied without a word of the configuration, and values stored before.

    It names fields, and shows no value.
    """
    fields = undecided(table.resource, table.suspected_secrets())
    columns = withheld_columns(table.resource, fields, table.columns())
    left = _count_left(table, columns)
    said = []
    if fields:
        said.append(
            f"{table.name} has fields that look like secrets and were not stored: "
            f"{', '.join(map(_shortened, fields[:MOST_NAMED]))}"
            f"{' and others' if fields[MOST_NAMED:] else ''}. Name "
            "each in `withheld` of the configuration, or in `store` if it is none."
        )
    if left:
        said.append(
            f"Secrets of earlier loads stand in {counted(left, 'row')} of {table.name} "
            f"({', '.join(columns)}): set them to null in the warehouse."
        )
    return AssetCheckResult(
        passed=not said,
        severity=AssetCheckSeverity.WARN,
        description=" ".join(said) or "No field looks like a secret but those decided on.",
        metadata={"fields_withheld": len(fields), "rows_with_secrets": left},
    )


def _shortened(path: str) -> str:
    return path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}..."


def _count_left(table: Table, columns: list[str]) -> int:
    if not columns:
        return 0
    holds = " OR ".join(f"{table.sql_column(column)} IS NOT NULL" for column in columns)
    return table.count(f"SELECT 1 AS one FROM {table.sql_name(table.name)} WHERE {holds}")  # noqa: S608 - our own names
