"""What is wrong at this moment, read from Dagster's own records of runs, freshness and checks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta, timezone

from dagster import (
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
)

# What an instance answers of freshness and checks has no public name.
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.event_log.base import AssetEntry

from analytics_assets.automation.incidents import Problem, States
from analytics_assets.source.errors import sentence_of

TIME_TO_RECOVER = timedelta(minutes=3)
"""How long an asset may be stale before that is a problem: it is loaded by itself meanwhile."""


def states_of(
    instance: DagsterInstance, assets: Collection[AssetKey], checks: Collection[AssetCheckKey]
) -> States:
    """What is wrong with assets and checks.

    Args:
        instance: Where Dagster keeps its records.
        assets: The assets to look at.
        checks: The checks to look at.

    Returns:
        A state for each load, freshness and check that has one; of what is under way none.
    """
    return {
        **dict(_load_states(instance, assets)),
        **dict(_freshness_states(instance, assets)),
        **dict(_check_states(instance, checks)),
    }


def names_of(assets: Collection[AssetKey], checks: Collection[AssetCheckKey]) -> set[str]:
    """What `states_of` may say something about."""
    return {*map(_load_of, assets), *map(_freshness_of, assets), *map(_check_of, checks)}


def _load_of(asset: AssetKey) -> str:
    return f"the load of {asset.to_user_string()}"


def _freshness_of(asset: AssetKey) -> str:
    return f"the freshness of {asset.to_user_string()}"


def _check_of(check: AssetCheckKey) -> str:
    return f"the check {check.to_user_string()}"


def _load_states(
    instance: DagsterInstance, assets: Collection[AssetKey]
) -> Iterator[tuple[str, Problem | None]]:
    for record in instance.get_asset_records(list(assets)):
        entry = record.asset_entry
        name = _load_of(entry.asset_key)
        run = instance.get_run_by_id(entry.last_run_id or "")
        if run is None or run.is_success or _has_loaded(entry):
            yield name, None
        elif run.status is DagsterRunStatus.FAILURE:
            yield name, Problem(_reason(instance, entry), run.run_id)


def _has_loaded(entry: AssetEntry) -> bool:
    """Whether the last run that was to load an asset did, whatever became of other assets."""
    loaded = entry.last_materialization
    return loaded is not None and loaded.run_id == entry.last_run_id


def _reason(instance: DagsterInstance, entry: AssetEntry) -> str:
    """The asset's own sentence. The words of an error that has none may hold anything."""
    asset = entry.asset_key.to_user_string()
    failures = instance.all_logs(str(entry.last_run_id), of_type=DagsterEventType.STEP_FAILURE)
    events = [event.dagster_event for event in failures if event.dagster_event]
    for event in events:
        if event.step_key == entry.asset_key.path[-1]:
            stated = event.step_failure_data.user_failure_data
            said = (stated.description if stated else None) or "its run says why."
            return f"{asset} was not loaded: {sentence_of(said)}"
    begun = instance.all_logs(str(entry.last_run_id), of_type=DagsterEventType.STEP_START)
    if events and not any(event.step_key == entry.asset_key.path[-1] for event in begun):
        return f"{asset} was not loaded: what it is made from was not."
    return f"{asset} was not loaded: its run ended before it was done."


def _freshness_states(
    instance: DagsterInstance, assets: Collection[AssetKey]
) -> Iterator[tuple[str, Problem | None]]:
    records = instance.get_freshness_state_records(list(assets))
    for asset, record in records.items():
        name = _freshness_of(asset)
        if record.freshness_state is not FreshnessState.FAIL:
            yield name, None
        elif datetime.now(timezone.utc) - record.updated_at > TIME_TO_RECOVER:
            yield name, Problem(_age(instance, asset))


def _age(instance: DagsterInstance, asset: AssetKey) -> str:
    event = instance.get_latest_materialization_event(asset)
    moment = datetime.fromtimestamp(event.timestamp if event else 0, timezone.utc)
    return f"{asset.to_user_string()} is stale: it was last loaded at {moment:%Y-%m-%d %H:%M} UTC."


def _check_states(
    instance: DagsterInstance, checks: Iterable[AssetCheckKey]
) -> Iterator[tuple[str, Problem | None]]:
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    for check, record in latest.items():
        name = _check_of(check)
        if record.status is AssetCheckExecutionRecordStatus.SUCCEEDED:
            yield name, None
        elif record.status is AssetCheckExecutionRecordStatus.FAILED:
            yield name, _failed(check, record)
        elif _has_crashed(instance, check, record):
            yield name, Problem(f"{check.to_user_string()} could not be checked.", record.run_id)


def _failed(check: AssetCheckKey, record: AssetCheckExecutionRecord) -> Problem | None:
    """The problem a check found; one of a mere warning is none."""
    evaluation = record.evaluation
    if evaluation is None or evaluation.severity is not AssetCheckSeverity.ERROR:
        return None
    text = f"{check.to_user_string()} failed: {evaluation.description}"
    return Problem(text, record.run_id, stands_alone=True)


def _has_crashed(
    instance: DagsterInstance, check: AssetCheckKey, record: AssetCheckExecutionRecord
) -> bool:
    """Whether a check failed to run, though its asset was loaded: else the load is the problem."""
    run = instance.get_run_by_id(record.run_id)
    if run is None or run.status is not DagsterRunStatus.FAILURE:
        return False
    entries = [record.asset_entry for record in instance.get_asset_records([check.asset_key])]
    return all(entry.last_run_id != run.run_id or _has_loaded(entry) for entry in entries)
