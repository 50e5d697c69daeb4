"""Jobs that load the past again: chosen months, or any window.

They are jobs of operations, not of assets: of a job of assets that have no partitions the UI offers
neither months nor a window, and its button loads what is new. The assets stay unpartitioned: a
month is run configuration (Dagster, `PartitionedConfig`), so that what the schedules load is not
bound to it, nor moved by it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetKey,
    AssetMaterialization,
    ConfigMapping,
    DagsterInstance,
    DependencyDefinition,
    GraphDefinition,
    In,
    JobDefinition,
    MonthlyPartitionsDefinition,
    NodeInvocation,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    Output,
    PartitionedConfig,
    op,
)

# What a check was run on has no public name.
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster_dlt import DagsterDltResource

from analytics_assets.assets import POOL, build_load
from analytics_assets.assets.keys import asset_key
from analytics_assets.assets.window_config import ReloadConfig
from analytics_assets.checks import build_check_run
from analytics_assets.configuration import Api, Resource
from analytics_assets.resources import AnalyticsApi, Console, Warehouse
from analytics_assets.source.wording import listed

Reported: TypeAlias = AssetMaterialization | AssetCheckEvaluation | Output[None]

WINDOW = "window"
"""What the window is called in the run configuration."""
AFTER = "after"
"""The input by which a child waits for its parent."""


class _Reload(NamedTuple):
    """A resource, and the operation that loads a window of it."""

    resource: Resource
    load: OpDefinition


def build_history_jobs(api: Api) -> list[JobDefinition]:
    """The jobs that load the past again; none where no resource has a history."""
    reloads = {
        name: _Reload(resource, _build_reload(resource))
        for name, resource in api.resources.items()
        if resource.is_reloadable
    }
    return [
        _build_history_job(job, api.history_start, [reloads[name] for name in names])
        for job, names in api.reload_jobs.items()
    ]


def _build_history_job(job: str, history_start: str, reloads: Sequence[_Reload]) -> JobDefinition:
    # The current month is one of them, too.
    months = MonthlyPartitionsDefinition(history_start, end_offset=1)

    def window_of(month: str) -> dict[str, Any]:
        start, end = months.time_window_for_partition_key(month)
        window = {"start": start.isoformat(), "end": end.isoformat()}
        return {"ops": {WINDOW: {"config": window}}}

    names = [resource.name for resource, _ in reloads]
    description = (
        f"Loads a past window of {listed(names)} again. Whole months: under *Partitions*, "
        "press *Launch backfill*. Any window: in the *Launchpad*, write its start and end."
    )
    return GraphDefinition(
        name=job,
        description=description,
        node_defs=[_build_window(f"{job}_{WINDOW}", reloads)],
        dependencies={NodeInvocation(f"{job}_{WINDOW}", alias=WINDOW): {}},
    ).to_job(
        config=PartitionedConfig(partitions_def=months, run_config_for_partition_key_fn=window_of),
        # A backfill of years lets the runs of the schedules go first.
        tags={"dagster/priority": "-1"},
    )


def _build_window(name: str, reloads: Sequence[_Reload]) -> GraphDefinition:
    """What loads one window, written once, of several resources: parents before children."""
    names = [resource.name for resource, _ in reloads]

    def to_each(window: dict[str, Any]) -> dict[str, Any]:
        return {resource: {"config": window} for resource in names}

    return GraphDefinition(
        name=name,
        description=f"Loads {listed(names)} of a window again.",
        node_defs=[load for _, load in reloads],
        dependencies={
            NodeInvocation(load.name, alias=resource.name): (
                {AFTER: DependencyDefinition(resource.parent.resource.name)}
                if resource.parent and resource.parent.resource.name in names
                else {}
            )
            for resource, load in reloads
        },
        config=ConfigMapping(to_each, config_schema=ReloadConfig.to_config_schema().as_field()),
    )


def _build_reload(resource: Resource) -> OpDefinition:
    name, load, run_checks = resource.name, build_load(resource), build_check_run(resource)

    @op(
        name=f"window_of_{name}",
        description=f"Loads a window of {name} again, and checks the table.",
        ins={AFTER: In(Nothing)},
        out=Out(Nothing),
        pool=POOL,
    )
    def reload(
        context: OpExecutionContext,
        config: ReloadConfig,
        dlt: DagsterDltResource,
        api: AnalyticsApi,
        warehouse: Warehouse,
        console: Console,
    ) -> Iterator[Reported]:
        loaded = load(context, dlt, api, warehouse, console, config)
        yield AssetMaterialization(asset_key(name), metadata=loaded)
        for result in run_checks(context, warehouse):
            yield _evaluation(asset_key(name), result, context.instance)
        yield Output(None)

    return reload


def _evaluation(
    key: AssetKey, result: AssetCheckResult, instance: DagsterInstance
) -> AssetCheckEvaluation:
    """What a check has found, as an operation reports it, that is no step of the check."""
    (loaded,) = instance.fetch_materializations(key, limit=1).records
    return AssetCheckEvaluation(
        asset_key=key,
        check_name=str(result.check_name),
        passed=result.passed,
        metadata=result.metadata,
        target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
            storage_id=loaded.storage_id, run_id=loaded.run_id, timestamp=loaded.timestamp
        ),
        severity=result.severity,
        description=result.description,
    )
