"""The columns of a table are those the configuration declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dagster import AssetCheckResult, AssetCheckSeverity

from analytics_assets.checks.accepted import ACCEPT
from analytics_assets.checks.table import Table
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST, VARIANT
from analytics_assets.source.table_columns import declared_columns, stored_otherwise
from analytics_assets.source.withheld import withheld_columns


def check_columns(table: Table) -> AssetCheckResult:
    """Finds columns that are new, of another type than declared, or missing.

    Dagster's own `build_column_schema_change_checks` compares the last two materializations: it
    would tell of a new column once, and pass at the next load.
    """
    expected = _expected(table)
    beyond = _undeclared_columns(table)
    found = [column for column in beyond if column not in table.accepted.columns]
    variants = [column for column in found if column.partition(VARIANT)[0] in expected]
    faults = {
        "new": [column for column in found if column not in variants],
        "of another type": variants,
        "stored otherwise": [
            said
            for variant, said in _stored_otherwise(table).items()
            if variant not in table.accepted.columns
        ],
        "missing": sorted(expected.difference(table.columns())),
    }
    return AssetCheckResult(
        passed=not any(faults.values()),
        severity=AssetCheckSeverity.WARN,
        description=_description(table.name, faults),
        metadata={
            **{f"columns_{what.replace(' ', '_')}": len(cols) for what, cols in faults.items()},
            "columns_accepted": len(beyond) - len(found),
        },
    )


def columns_to_accept(table: Table) -> list[str]:
    """The columns that are new, or of another type than declared, also those still to come."""
    return [*dict.fromkeys([*_undeclared_columns(table), *_stored_otherwise(table)])]


def _undeclared_columns(table: Table) -> list[str]:
    known = _expected(table).union(table.resource.known_columns)
    # What stands empty for a secret is told by `secrets_are_decided`.
    empty = withheld_columns(table.resource, table.suspected_secrets(), table.columns())
    return [column for column in table.columns() if column not in known.union(empty)]


def _stored_otherwise(table: Table) -> dict[str, str]:
    """The columns stored with another type than declared, by where what they cannot hold goes."""
    declared = declared_columns(table.resource)
    found = {
        f"{column}{VARIANT}{declared[column]['data_type']}": (
            f"{column} ({stored}, declared {declared[column]['data_type']})"
        )
        for column, stored in stored_otherwise(declared, table.types).items()
    }
    known = table.resource.known_columns
    return {variant: said for variant, said in found.items() if variant not in known}


def _expected(table: Table) -> set[str]:
    return {*declared_columns(table.resource), LOAD_ID, ROW_DIGEST}


def _description(name: str, faults: Mapping[str, Sequence[str]]) -> str:
    said = [f"{what}: {', '.join(columns)}" for what, columns in faults.items() if columns]
    if not said:
        return "The columns are those declared, or accepted."
    sentences = [f"Columns of {name} are not those declared ({'; '.join(said)})."]
    if faults["stored otherwise"]:
        sentences.append(
            f"A stored column keeps its type, and what it cannot hold goes to `<column>{VARIANT}"
            "<declared type>`: declare the stored type, or load into a new warehouse."
        )
    if any(columns for what, columns in faults.items() if what != "missing"):
        sentences.append(f"If they are right, {ACCEPT}.")
    if faults["missing"]:
        sentences.append("The next load makes those that are missing.")
    return " ".join(sentences)
