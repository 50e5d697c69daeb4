"""One schedule for each cadence: its resources, parents and children, are loaded in one run."""

from functools import partial

from dagster import (
    AssetSelection,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    define_asset_job,
)

from analytics_assets.assets.keys import asset_key
from analytics_assets.automation.runs import has_unfinished_run
from analytics_assets.automation.switch import schedule_status
from analytics_assets.configuration import Api, Cadence
from analytics_assets.source.wording import listed


def build_schedules(api: Api) -> list[ScheduleDefinition]:
    """The schedules of all cadences, in the order in which the configuration uses them."""
    by_name = {each.cadence["name"]: each.cadence for each in api.resources.values()}
    return [_build_schedule(api, cadence) for cadence in by_name.values()]


def _build_schedule(api: Api, cadence: Cadence) -> ScheduleDefinition:
    names = [name for name, each in api.resources.items() if each.cadence == cadence]
    return ScheduleDefinition(
        name=cadence["name"],
        description=f"Loads what is new of {listed(names)}.",
        job=define_asset_job(
            f"load_{cadence['name']}",
            AssetSelection.assets(*map(asset_key, names)),
            description=f"Loads what is new of {listed(names)}, parents before children: what the "
            f"schedule {cadence['name']} runs.",
        ),
        cron_schedule=cadence["cron"],
        execution_timezone=cadence["timezone"],
        execution_fn=partial(_load_unless_loading, cadence["name"]),
        default_status=schedule_status(),
    )


def _load_unless_loading(name: str, context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """A run, unless the schedule's last one is not done: others would queue up behind it."""
    if has_unfinished_run(context.instance, {"dagster/schedule_name": name}):
        return SkipReason("The last run of this schedule has not finished.")
    return RunRequest()
