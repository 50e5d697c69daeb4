"""Jobs that load past months again, from the UI's backfill page or the command line.

Their assets stay unpartitioned: a month is run configuration (Dagster, `PartitionedConfig`), so
that what the schedules load is not bound to it, nor moved by it.
"""

from collections.abc import Sequence
from typing import Any

from dagster import (
    AssetSelection,
    MonthlyPartitionsDefinition,
    PartitionedConfig,
    define_asset_job,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from analytics_assets.assets.keys import asset_key
from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    parent_name,
    reloadable_resources,
    resource_named,
)


def build_history_jobs(config: ApiConfig) -> list[UnresolvedAssetJobDefinition]:
    """The jobs that load months again; none where no resource has a history.

    `reload_history` loads all resources that have one, and one for each of their children loads
    that alone: its months may be loaded at once where the destination takes that, the first time,
    too.
    """
    names = reloadable_resources(config)
    children = [name for name in names if parent_name(resource_named(config, name))]
    jobs = {"reload_history": names} if names else {}
    jobs |= {f"reload_{child}": [child] for child in children}
    return [_build_history_job(job, config, loaded) for job, loaded in jobs.items()]


def _build_history_job(
    job: str, config: ApiConfig, names: Sequence[str]
) -> UnresolvedAssetJobDefinition:
    # The current month is one of them, too.
    months = MonthlyPartitionsDefinition(config["history_start"], end_offset=1)

    def window_of(month: str) -> dict[str, Any]:
        start, end = months.time_window_for_partition_key(month)
        window = {"start": start.isoformat(), "end": end.isoformat()}
        return {"ops": {name: {"config": window} for name in names}}

    return define_asset_job(
        job,
        AssetSelection.assets(*map(asset_key, names)),
        description=f"Loads past months of {' and '.join(names)} again.",
        config=PartitionedConfig(partitions_def=months, run_config_for_partition_key_fn=window_of),
        # A backfill of years lets the runs of the schedules go first.
        tags={"dagster/priority": "-1"},
    )
