"""The job by which a person accepts what the checks have found, so that they pass again.

What is deleted upstream stays in the warehouse, and new columns stay, too: without a word of
somebody who knows that it is right, a check would tell of it for ever.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    Config,
    DagsterInstance,
    DagsterLogManager,
    JobDefinition,
    OpExecutionContext,
    job,
    op,
)
from dlt.destinations.sql_client import SqlClientBase
from pydantic import Field

from analytics_assets.assets.dlt_log import dlt_logs_to
from analytics_assets.assets.failures import failing_in_one_sentence
from analytics_assets.assets.keys import asset_key
from analytics_assets.checks.accepted import (
    ACCEPT,
    ACCEPTED,
    JOB,
    Accepted,
    accepted_of,
    keep_accepted,
)
from analytics_assets.checks.columns import columns_to_accept
from analytics_assets.checks.factory import evaluate
from analytics_assets.checks.parents import find_orphans
from analytics_assets.checks.table import Table
from analytics_assets.checks.times import find_implausible_times
from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import is_listed_in_full, parent_name
from analytics_assets.resources import Warehouse
from analytics_assets.source.errors import SettingError
from analytics_assets.source.http import RetryPolicy

DESCRIPTION = """Accepts what the checks have found, as it is now, so that they pass again: rows
and parents that the API no longer lists, an empty list, new columns, rows deleted in the warehouse,
implausible times. What is found later warns again. No row is changed. Launch it as it is, or leave
in the configuration only the assets whose findings are right."""


Results: TypeAlias = Mapping[AssetCheckKey, AssetCheckResult]


class Choice(Config):
    """Whose findings are accepted."""

    assets: list[str] = Field(
        default=[], description="Assets, like analytics/teams; all where none is named."
    )


def build_acceptance_job(api_config: ApiConfig) -> JobDefinition:
    """The job; launched without a configuration, it accepts the findings of all assets."""
    names = [str(resource["name"]) for resource in api_config["resources"]]
    keys = {asset_key(name).to_user_string(): name for name in names}

    @op(description=DESCRIPTION)
    def accept(context: OpExecutionContext, config: Choice, warehouse: Warehouse) -> None:
        with (
            failing_in_one_sentence(ACCEPTED, RetryPolicy()),
            dlt_logs_to(context.log),
            warehouse.opened_to_load(ACCEPTED, context.log) as turn,
        ):
            tables = _open_tables(api_config, _chosen(keys, config.assets), warehouse, turn.client)
            accepted = {table.name: acceptable(table) for table in tables}
            before = _evaluate(tables, context.instance)
            with warehouse.pipeline(ACCEPTED) as pipeline:
                keep_accepted(
                    pipeline, {name: entry.as_entry() for name, entry in accepted.items()}
                )
            for table in tables:
                table.accepted = accepted[table.name]
            after = _evaluate(tables, context.instance)
        _tell(context.log, before, after)
        _report(context.instance, after)

    # All are named, so that a person sees in the launchpad what may be left out.
    @job(
        name=JOB,
        description=DESCRIPTION,
        config={"ops": {accept.name: {"config": {"assets": list(keys)}}}},
    )
    def accept_findings() -> None:
        accept()

    return accept_findings


def acceptable(table: Table) -> Accepted:
    """All that may be accepted of a table's findings, as it is now."""
    parent = parent_name(table.resource)
    full = {name for name in (table.name, parent) if name and is_listed_in_full(table.config, name)}
    return Accepted(
        at=time.time(),
        rows=table.rows,
        listing=table.listing if table.name in full else "",
        parents_listing=table.listing_of(parent) if parent in full else "",
        columns=tuple(columns_to_accept(table)),
        rows_without_parent=find_orphans(table).total if parent else 0,
        implausible_times=find_implausible_times(table).total if "times" in table.resource else 0,
    )


def _chosen(keys: Mapping[str, str], assets: Sequence[str]) -> list[str]:
    """The resources of the assets named, all where none is.

    Raises:
        SettingError: If there is no such asset.
    """
    unknown = [asset for asset in assets if asset not in keys]
    if unknown:
        raise SettingError(
            f"There is no asset {', '.join(unknown)} to accept findings of: name some of "
            f"{', '.join(keys)}."
        )
    return [name for key, name in keys.items() if key in assets or not assets]


def _open_tables(
    config: ApiConfig, names: Sequence[str], warehouse: Warehouse, client: SqlClientBase[Any]
) -> list[Table]:
    """The tables of some resources, of those that were ever loaded."""
    # Nothing of them is loaded meanwhile: each schema is read once.
    open_dataset = cache(warehouse.open_dataset)
    return [
        Table(config, name, open_dataset, client, accepted_of(open_dataset(name), name))
        for name in names
        if name in open_dataset(name).schema.tables
    ]


def _evaluate(tables: Iterable[Table], instance: DagsterInstance) -> Results:
    return {
        check: result for table in tables for check, result in evaluate(table, instance).items()
    }


def _tell(log: DagsterLogManager, before: Results, after: Results) -> None:
    """Tells what is accepted, and what cannot be."""
    found = {check: result for check, result in before.items() if not result.passed}
    for check, result in found.items():
        what = f"{check.asset_key.to_user_string()}, {check.name}"
        if after[check].passed:
            log.info(f"{what}, is accepted: {_finding(str(result.description))}")
        else:
            log.warning(f"{what}, cannot be accepted: {after[check].description}")
    if not found:
        log.info("There is nothing to accept: all checks pass.")


def _finding(description: str) -> str:
    """What a check has found, without what it says to do."""
    return " ".join(part for part in re.split(r"(?<=[.;]) ", description) if ACCEPT not in part)


def _report(instance: DagsterInstance, results: Results) -> None:
    """Lets the UI show at once what the checks find now, not only after the next load."""
    for check, result in results.items():
        instance.report_runless_asset_event(
            AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=result.passed,
                metadata=result.metadata,
                severity=result.severity,
                description=result.description,
            )
        )
