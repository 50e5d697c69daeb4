"""How old each asset may get, and the sensor that loads what is older, or was never loaded.

Dagster's daemon compares an asset's policy with its last materialization every 30 seconds, and
shows it as fresh, warning or stale (Dagster, "Freshness policies"). The sensor evaluates the
assets' automation conditions (Dagster, "Declarative automation").
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial

from dagster import (
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    AutomationCondition,
    AutomationConditionSensorDefinition,
    FreshnessPolicy,
    map_asset_specs,
)

from analytics_assets.automation.switch import sensor_status
from analytics_assets.configuration import Api, Cadence


def keep_fresh(api: Api, assets: Iterable[AssetsDefinition]) -> Sequence[AssetsDefinition]:
    """The assets, each with its freshness policy and the condition on which it is loaded."""
    return map_asset_specs(partial(_keep_fresh, api), assets)


def build_freshness_sensor() -> AutomationConditionSensorDefinition:
    """The sensor that loads what is stale or missing."""
    return AutomationConditionSensorDefinition(
        "stale_or_missing",
        description="Loads assets that are stale, or were never loaded, parents before children.",
        target=AssetSelection.all(),
        default_status=sensor_status(),
    )


def _keep_fresh(api: Api, spec: AssetSpec) -> AssetSpec:
    return spec.replace_attributes(
        freshness_policy=_policy(api.resources[spec.key.path[-1]].cadence),
        automation_condition=_stale_or_missing(api.retry_stale),
    )


def _policy(cadence: Cadence) -> FreshnessPolicy:
    return FreshnessPolicy.time_window(
        warn_window=timedelta(minutes=cadence["warn_after"]),
        fail_window=timedelta(minutes=cadence["fail_after"]),
    )


def _stale_or_missing(retry: str) -> AutomationCondition:  # type: ignore[type-arg]  # of assets
    """True when an asset has just become stale or missing, then at each tick of `retry`.

    An asset stays stale while the API is down: without the ticks it would be asked for every 30
    seconds. One without a load has no freshness, so that missing is asked for by itself. What is in
    progress, or waits for a parent that is, is not requested again.
    """
    needed = AutomationCondition.freshness_failed() | AutomationCondition.missing()
    due = needed.newly_true() | AutomationCondition.cron_tick_passed(retry)
    busy = AutomationCondition.in_progress() | AutomationCondition.any_deps_in_progress()
    return (needed & due & ~busy).with_label("stale_or_missing")
