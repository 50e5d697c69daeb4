"""The columns of a table are those the configuration declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.table import Table
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST, VARIANT
from analytics_assets.source.redaction import withheld_columns
from analytics_assets.source.rest import declared_columns
from analytics_assets.source.table_columns import stored_otherwise


def check_columns(table: Table) -> AssetCheckResult:
    """Finds columns that are new, of another type than declared, or missing.

    Dagster's own `build_column_schema_change_checks` compares the last two materializations: it
    would tell of a new column once, and pass at the next load.
    """
    declared = declared_columns(table.config, table.resource)
    expected = {*declared, LOAD_ID, ROW_DIGEST}
    known = table.resource.get("known_columns", [])
    actual = table.columns()
    # What stands empty for a secret is told by `secrets_are_decided`.
    empty = withheld_columns(table.resource, table.suspected_secrets(), actual)
    beyond = [column for column in actual if column not in expected.union(known, empty)]
    variants = [column for column in beyond if column.partition(VARIANT)[0] in expected]
    new = [column for column in beyond if column not in variants]
    otherwise = [
        f"{column} ({stored}, declared {declared[column]['data_type']})"
        for column, stored in stored_otherwise(declared, table.types).items()
        if f"{column}{VARIANT}{declared[column]['data_type']}" not in known
    ]
    faults = {
        "new": new,
        "of another type": variants,
        "stored otherwise": otherwise,
        "missing": sorted(expected.difference(actual)),
    }
    return AssetCheckResult(
        passed=not any(faults.values()),
        severity=AssetCheckSeverity.WARN,
        description=_description(table.name, faults),
        metadata={f"columns_{what.replace(' ', '_')}": len(cols) for what, cols in faults.items()},
    )


def _description(name: str, faults: Mapping[str, Sequence[str]]) -> str:
    said = [f"{what}: {', '.join(columns)}" for what, columns in faults.items() if columns]
    if not said:
        return "The columns are those declared."
    sentences = [
        f"Columns of {name} are not those declared ({'; '.join(said)}). If they are right, name "
        "them in `fields` or `known_columns` of the configuration."
    ]
    if faults["stored otherwise"]:
        sentences.append(
            f"A stored column keeps its type, and what it cannot hold goes to `<column>{VARIANT}"
            "<declared type>`: declare the stored type, name that column in `known_columns`, or "
            "load into a new warehouse."
        )
    return " ".join(sentences)
