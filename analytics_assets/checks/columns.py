"""The columns of a table are those the configuration declares."""

from __future__ import annotations

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Table
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST, VARIANT
from analytics_assets.source.rest import declared_columns


def check_columns(table: Table) -> AssetCheckResult:
    """Finds columns that are new, of another type than declared, or missing.

    Dagster's own `build_column_schema_change_checks` compares the last two materializations: it
    would tell of a new column once, and pass at the next load.
    """
    declared = {*declared_columns(table.config, table.resource), LOAD_ID, ROW_DIGEST}
    actual = table.columns()
    beyond = [c for c in actual if c not in declared.union(table.resource.get("known_columns", []))]
    variants = [column for column in beyond if column.partition(VARIANT)[0] in declared]
    new = [column for column in beyond if column not in variants]
    missing = sorted(declared.difference(actual))
    faults = {"new": new, "of another type": variants, "missing": missing}
    said = [f"{what}: {', '.join(columns)}" for what, columns in faults.items() if columns]
    return AssetCheckResult(
        passed=not said,
        severity=AssetCheckSeverity.WARN,
        description=f"Columns of {table.name} are not those declared ({'; '.join(said)}). If they "
        "are right, name them in `fields` or `known_columns` of the configuration."
        if said
        else "The columns are those declared.",
        metadata={f"columns_{what.replace(' ', '_')}": len(cols) for what, cols in faults.items()},
    )
