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
from analytics_assets.configuration import Api, Resource
from analytics_assets.resources import Warehouse
from analytics_assets.source.errors import SettingError
from analytics_assets.source.retry import RetryPolicy

DESCRIPTION = """Accepts what the checks have found, as it is now, so that they pass again: rows
and parents that the API no longer lists, new columns, rows deleted in the warehouse,
implausible times. What is found later warns again. No row is changed. Launch it as it is, or leave
in the configuration only the assets whose findings are right."""


Results: TypeAlias = Mapping[AssetCheckKey, AssetCheckResult]


class Choice(Config):
    """Whose findings are accepted."""

    assets: list[str] = Field(
        default=[], description="Assets, like analytics/teams; all where none is named."
    )


def build_acceptance_job(api: Api) -> JobDefinition:
    """The job; launched without a configuration, it accepts the findings of all assets."""
    by_key = {asset_key(name).to_user_string(): each for name, each in api.resources.items()}

    @op(description=DESCRIPTION)
    def accept(context: OpExecutionContext, config: Choice, warehouse: Warehouse) -> None:
        with (
            failing_in_one_sentence(ACCEPTED, RetryPolicy()),
            dlt_logs_to(context.log),
            warehouse.opened_to_load(ACCEPTED, context.log) as turn,
        ):
            tables = _open_tables(_chosen(by_key, config.assets), warehouse, turn.client)
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
        config={"ops": {accept.name: {"config": {"assets": list(by_key)}}}},
    )
    def accept_findings() -> None:
        accept()

    return accept_findings


def acceptable(table: Table) -> Accepted:
    """All that may be accepted of a table's findings, as it is now."""
    parent = table.resource.parent
    return Accepted(
        at=time.time(),
        rows=table.rows,
        columns=tuple(columns_to_accept(table)),
        rows_without_parent=find_orphans(table, parent).total if parent else 0,
        implausible_times=find_implausible_times(table).total if table.resource.times else 0,
    )


def _chosen(by_key: Mapping[str, Resource], assets: Sequence[str]) -> list[Resource]:
    """The resources of the assets named, all where none is.

    Raises:
        SettingError: If there is no such asset.
    """
    unknown = [asset for asset in assets if asset not in by_key]
    if unknown:
        raise SettingError(
            f"There is no asset {', '.join(unknown)} to accept findings of: name some of "
            f"{', '.join(by_key)}."
        )
    return [resource for key, resource in by_key.items() if key in assets or not assets]


def _open_tables(
    resources: Sequence[Resource], warehouse: Warehouse, client: SqlClientBase[Any]
) -> list[Table]:
    """The tables of some resources, of those that were ever loaded."""
    # Nothing of them is loaded meanwhile: each schema is read once.
    open_dataset = cache(warehouse.open_dataset)
    return [
        Table(each, open_dataset, client, accepted_of(open_dataset(each.name), each.name))
        for each in resources
        if each.name in open_dataset(each.name).schema.tables
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
