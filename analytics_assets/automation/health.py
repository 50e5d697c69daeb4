"""What is wrong at this moment, read from Dagster's own records of runs, freshness and checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

from dagster import (
    AssetCheckKey,
    AssetCheckSeverity,
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    EventLogEntry,
    RunsFilter,
)

# What an instance answers of freshness and checks has no public name.
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from analytics_assets.automation.incidents import Problem, States
from analytics_assets.source.errors import sentence_of

if TYPE_CHECKING:
    # It brings SQLAlchemy and alembic along, which the definitions have no use for.
    from dagster._core.storage.event_log.base import AssetEntry

TIME_TO_RECOVER = timedelta(minutes=3)
"""How long an asset may be stale before that is a problem: it is loaded by itself meanwhile."""
ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
FindRun: TypeAlias = Callable[[str], DagsterRun | None]
"""Looks a run up by its id."""
RUNS_TO_LOOK_BACK = 25
"""How many runs of an asset may be under way at once, as those of a backfill, before its state is
not to be told."""


def states_of(
    instance: DagsterInstance,
    assets: Collection[AssetKey],
    checks: Collection[AssetCheckKey],
    reloads: Mapping[str, Collection[AssetKey]],
) -> States:
    """What is wrong with assets and checks.

    Args:
        instance: Where Dagster keeps its records.
        assets: The assets to look at.
        checks: The checks to look at.
        reloads: The jobs that load assets without being jobs of assets, and those assets.

    Returns:
        A state for each load, freshness and check that has one: what is under way for the first
        time has none, and later the state of the time before.
    """
    # Most are of the same few runs.
    find_run = cache(instance.get_run_by_id)
    return {
        **dict(_load_states(instance, find_run, assets)),
        **dict(_reload_problems(instance, reloads)),
        **dict(_freshness_states(instance, assets)),
        **dict(_check_states(instance, find_run, checks)),
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
    instance: DagsterInstance, find_run: FindRun, assets: Collection[AssetKey]
) -> Iterator[tuple[str, Problem | None]]:
    for record in instance.get_asset_records(list(assets)):
        entry = record.asset_entry
        name = _load_of(entry.asset_key)
        run = _last_run_to_load(instance, find_run, entry)
        if run is None or run.is_success or _has_loaded(entry, run):
            yield name, None
        elif run.status is DagsterRunStatus.FAILURE:
            yield name, Problem(_reason(instance, entry.asset_key, run.run_id), run.run_id)


def _reload_problems(
    instance: DagsterInstance, reloads: Mapping[str, Collection[AssetKey]]
) -> Iterator[tuple[str, Problem]]:
    """The assets that the last run of a job was to load and did not, and no run has since.

    The records of an asset know nothing of such a run: it is no run of assets.
    """
    for job, assets in reloads.items():
        ended = RunsFilter(job_name=job, statuses=ENDED)
        for record in instance.get_run_records(ended, limit=1):
            run = record.dagster_run
            if run.status is not DagsterRunStatus.FAILURE:
                continue
            for asset in instance.get_asset_records(list(assets)):
                loaded = asset.asset_entry.last_materialization
                if not _has_loaded(asset.asset_entry, run) and (
                    loaded is None or loaded.timestamp < (record.end_time or 0)
                ):
                    key = asset.asset_entry.asset_key
                    yield _load_of(key), Problem(_reason(instance, key, run.run_id), run.run_id)


def _last_run_to_load(
    instance: DagsterInstance, find_run: FindRun, entry: AssetEntry
) -> DagsterRun | None:
    """The last run that was to load an asset, of those that have loaded it or ended.

    The next one may always be under way when somebody looks.
    """
    run = find_run(entry.last_run_id or "")
    if run is None or run.is_finished or _has_loaded(entry, run):
        return run
    planned = instance.fetch_planned_materializations(entry.asset_key, limit=RUNS_TO_LOOK_BACK)
    runs = (find_run(record.run_id) for record in planned.records)
    return next((earlier for earlier in runs if earlier and earlier.is_finished), run)


def _has_loaded(entry: AssetEntry, run: DagsterRun) -> bool:
    """Whether a run loaded an asset, and none has since, whatever became of other assets."""
    loaded = entry.last_materialization
    return loaded is not None and loaded.run_id == run.run_id


def _reason(instance: DagsterInstance, key: AssetKey, run_id: str) -> str:
    """The asset's own sentence. The words of an error that has none may hold anything."""
    asset = key.to_user_string()
    failures = instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
    events = [event.dagster_event for event in failures if event.dagster_event]
    for event in events:
        if _asset_of(event) == key.path[-1]:
            stated = event.step_failure_data.user_failure_data
            said = (stated.description if stated else None) or "its run says why."
            return f"{asset} was not loaded: {sentence_of(said)}"
    begun = instance.all_logs(run_id, of_type=DagsterEventType.STEP_START)
    if events and not any(_asset_of(event) == key.path[-1] for event in begun):
        return f"{asset} was not loaded: what it is made from was not."
    return f"{asset} was not loaded: its run ended before it was done."


def _asset_of(event: DagsterEvent | EventLogEntry) -> str:
    """The asset of a step; in a job that loads a window again it is a part of a larger step."""
    return str(event.step_key).rpartition(".")[2]


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
    instance: DagsterInstance, find_run: FindRun, checks: Iterable[AssetCheckKey]
) -> Iterator[tuple[str, Problem | None]]:
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    for check, newest in latest.items():
        record = _last_ended(instance, find_run, newest)
        name = _check_of(check)
        if record.status is AssetCheckExecutionRecordStatus.SUCCEEDED:
            yield name, None
        elif record.status is AssetCheckExecutionRecordStatus.FAILED:
            yield name, _failed(check, record)
        elif _has_crashed(instance, find_run, check, record):
            yield name, Problem(f"{check.to_user_string()} could not be checked.", record.run_id)


def _last_ended(
    instance: DagsterInstance, find_run: FindRun, newest: AssetCheckExecutionRecord
) -> AssetCheckExecutionRecord:
    """The last execution of a check that found something, or whose run ended before it could."""
    if _has_ended(find_run, newest):
        return newest
    history = instance.event_log_storage.get_asset_check_execution_history(
        newest.key, limit=RUNS_TO_LOOK_BACK
    )
    return next((record for record in history if _has_ended(find_run, record)), newest)


def _has_ended(find_run: FindRun, record: AssetCheckExecutionRecord) -> bool:
    if record.status is not AssetCheckExecutionRecordStatus.PLANNED:
        return True
    run = find_run(record.run_id)
    return run is None or run.is_finished


def _failed(check: AssetCheckKey, record: AssetCheckExecutionRecord) -> Problem | None:
    """The problem a check found; one of a mere warning is none."""
    evaluation = record.evaluation
    if evaluation is None or evaluation.severity is not AssetCheckSeverity.ERROR:
        return None
    text = f"{check.to_user_string()} failed: {evaluation.description}"
    return Problem(text, record.run_id, stands_alone=True)


def _has_crashed(
    instance: DagsterInstance,
    find_run: FindRun,
    check: AssetCheckKey,
    record: AssetCheckExecutionRecord,
) -> bool:
    """Whether a check failed to run, though its asset was loaded: else the load is the problem."""
    run = find_run(record.run_id)
    if run is None or run.status is not DagsterRunStatus.FAILURE:
        return False
    entries = [record.asset_entry for record in instance.get_asset_records([check.asset_key])]
    return all(entry.last_run_id != run.run_id or _has_loaded(entry, run) for entry in entries)
