"""Makes one step for each asset, with all its checks, from the configuration.

A step of its own for each asset: one over all of them would be skipped when one asset fails.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSpec,
    AssetKey,
    DagsterInstance,
    IntMetadataValue,
    OpExecutionContext,
    multi_asset_check,
)

from analytics_assets.assets.failures import failing_in_one_sentence
from analytics_assets.assets.keys import asset_key
from analytics_assets.checks.accepted import Accepted, accepted_of
from analytics_assets.checks.answers import check_that_parents_answered
from analytics_assets.checks.columns import check_columns
from analytics_assets.checks.keys import check_key
from analytics_assets.checks.merged import check_merged
from analytics_assets.checks.parents import check_parents
from analytics_assets.checks.rows import check_no_longer_listed, check_row_count
from analytics_assets.checks.secrets import check_secrets
from analytics_assets.checks.table import Table
from analytics_assets.checks.times import check_times
from analytics_assets.configuration import Api, Resource
from analytics_assets.resources import Warehouse
from analytics_assets.source.errors import WarehouseError
from analytics_assets.source.retry import RetryPolicy
from analytics_assets.source.stored import OpenDataset

Context: TypeAlias = AssetCheckExecutionContext | OpExecutionContext
CheckRun: TypeAlias = Callable[..., Iterator[AssetCheckResult]]
Check: TypeAlias = Callable[[Table, DagsterInstance], AssetCheckResult]

DESCRIPTIONS = {
    "key_is_unique": "Each row has its key, and no other row has it.",
    "keys_are_distinct": "No row of the last load had the key of another row of its page.",
    "parents_exist": "Each row has its parent's row; a warning where it was deleted upstream.",
    "parents_answered": "No parent has been asked in vain for more than a day.",
    "columns_are_declared": "The columns are those declared, none is new or of another type.",
    "secrets_are_decided": "No field that looks like a secret waits for a word of the "
    "configuration; such fields are not stored.",
    "times_are_plausible": "Times that each record has lie between 2010 and tomorrow.",
    "rows_did_not_fall": "No row vanished from the warehouse.",
    "rows_no_longer_listed": "Counts the rows that the API no longer lists; they are kept.",
}


def build_checks(api: Api) -> list[AssetChecksDefinition]:
    """The checks of all resources, in the order of the configuration."""
    return [_build_step(resource) for resource in api.resources.values()]


def build_check_run(resource: Resource) -> CheckRun:
    """What runs checks of a resource in a step of any kind: those named, all without names."""
    name, key, checks = resource.name, asset_key(resource.name), _checks_of(resource)

    def run_checks(
        context: Context, warehouse: Warehouse, selected: Collection[str] = tuple(checks)
    ) -> Iterator[AssetCheckResult]:
        with (
            failing_in_one_sentence(name, RetryPolicy()),
            warehouse.opened(context.log) as client,
        ):
            # Nothing is loaded meanwhile: each schema is read once.
            open_dataset = cache(warehouse.open_dataset)
            _require_table(open_dataset, name)
            accepted = accepted_of(open_dataset(name), name)
            table = Table(resource, open_dataset, client, accepted)
            for check in [check for check in checks if check in selected]:
                yield checks[check](table, context.instance)._replace(
                    asset_key=key, check_name=check
                )

    return run_checks


def _build_step(resource: Resource) -> AssetChecksDefinition:
    name, run_checks = resource.name, build_check_run(resource)

    @multi_asset_check(
        name=f"{name}_checks",
        specs=[
            AssetCheckSpec(check, asset=asset_key(name), description=DESCRIPTIONS[check])
            for check in _checks_of(resource)
        ],
        can_subset=True,
    )
    def run_selected_checks(
        context: AssetCheckExecutionContext, warehouse: Warehouse
    ) -> Iterator[AssetCheckResult]:
        selected = {selected.name for selected in context.selected_asset_check_keys}
        yield from run_checks(context, warehouse, selected)

    return run_selected_checks


def evaluate(table: Table, instance: DagsterInstance) -> dict[AssetCheckKey, AssetCheckResult]:
    """What all checks of a table find."""
    return {
        AssetCheckKey(asset_key(table.name), name): check(table, instance)
        for name, check in _checks_of(table.resource).items()
    }


def _checks_of(resource: Resource) -> Mapping[str, Check]:
    """The checks that apply to a resource, by their names."""
    key = asset_key(resource.name)
    checks: dict[str, Check] = {
        "key_is_unique": lambda table, _: check_key(table),
        "keys_are_distinct": lambda table, instance: check_merged(
            table, *_reported_as_merged(instance, key)
        ),
        "columns_are_declared": lambda table, _: check_columns(table),
        "secrets_are_decided": lambda table, _: check_secrets(table),
        "rows_did_not_fall": lambda table, instance: check_row_count(
            table, _reported_counts(instance, key, table.accepted)
        ),
    }
    if parent := resource.parent:
        checks["parents_exist"] = lambda table, _: check_parents(table, parent)
        checks["parents_answered"] = lambda table, _: check_that_parents_answered(table, parent)
    if resource.times:
        checks["times_are_plausible"] = lambda table, _: check_times(table)
    if resource.is_listed_in_full:
        checks["rows_no_longer_listed"] = lambda table, _: check_no_longer_listed(table)
    return checks


def _reported_counts(instance: DagsterInstance, key: AssetKey, accepted: Accepted) -> list[int]:
    """The rows that the last two materializations counted: this load's, and the one before.

    Of one before something was accepted, no more than there were then.
    """
    counts = []
    for record in instance.fetch_materializations(key, limit=2).records:
        event = record.asset_materialization
        count = event and event.metadata.get("dagster/row_count")
        if isinstance(count, IntMetadataValue) and count.value:
            is_before = record.timestamp <= accepted.at
            counts.append(min(count.value, accepted.rows) if is_before else count.value)
    return counts


def _reported_as_merged(instance: DagsterInstance, key: AssetKey) -> tuple[int, str]:
    """The rows that the last materialization reported as merged, and some of their keys."""
    event = instance.get_latest_materialization_event(key)
    materialization = event.asset_materialization if event else None
    found: dict[str, Any] = (
        {name: value.value for name, value in materialization.metadata.items()}
        if materialization
        else {}
    )
    return found.get("rows_merged", 0), found.get("keys_merged", "")


def _require_table(open_dataset: OpenDataset, name: str) -> None:
    if name not in open_dataset(name).schema.tables:
        raise WarehouseError(
            f"There is nothing to check: {name} was never loaded. Materialize analytics/{name} "
            "first."
        )
