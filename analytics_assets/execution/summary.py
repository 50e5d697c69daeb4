"""What a run has done, in a table and a sentence for each trouble: read from its events."""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetMaterialization,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
)
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analytics_assets.execution.troubles import all_of, failures_by_cause, untried

NUMBERS = {
    "rows": "dagster/row_count",
    "new": "rows_new",
    "changed": "rows_changed",
    "requests": "requests",
    "waited": "seconds_waited",
    "seconds": "seconds",
}
"""The columns of the table, and the metadata of a materialization that fill them."""

EVENTS = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.STEP_FAILURE,
}


def summarize(
    instance: DagsterInstance, run: DagsterRun, told: int | None = None
) -> Iterator[RenderableType]:
    """The end of a run as a person reads it: what was loaded, and what was not and why.

    Args:
        instance: Where the run's events are.
        run: The run, whose steps have ended.
        told: The signal that has stopped it, if one has.

    Yields:
        A table with a line for each asset, then a line for each cause of a failure, for the assets
        that were not tried, and for each check that failed.
    """
    logs = instance.all_logs(run.run_id, of_type=EVENTS)
    events = [entry.dagster_event for entry in logs if entry.dagster_event]
    materializations = [
        event.step_materialization_data.materialization
        for event in events
        if event.is_step_materialization
    ]
    checks = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    if materializations:
        yield _table(materializations, checks)
    failures = [event for event in events if event.is_step_failure]
    loaded = {materialization.asset_key.path[-1] for materialization in materializations}
    selected = {key.path[-1] for key in run.asset_selection or ()}
    yield from _troubles(failures, loaded, selected, told)
    yield from (_finding(check) for check in checks if not check.passed)


def _troubles(
    failures: Sequence[DagsterEvent], loaded: set[str], selected: set[str], told: int | None
) -> Iterator[Text]:
    for said in failures_by_cause(failures, is_stopped=told is not None):
        yield Text(said, style="bold red")
    if told is not None:
        yield Text(_stopped(told, loaded, selected), style="bold yellow")
        return
    tried = loaded | {str(event.step_key) for event in failures}
    for said in untried(failures, selected - tried):
        yield Text(said, style="yellow")


def _stopped(number: int, loaded: set[str], selected: set[str]) -> str:
    by = "you" if number == signal.SIGINT else signal.Signals(number).name
    said = f"Stopped by {by}. Loaded: {all_of(sorted(loaded)) or 'nothing'}."
    if missing := sorted(selected - loaded):
        said += f" Not loaded: {all_of(missing)}. What was committed stays; the next run goes on."
    return said


def _table(
    materializations: Sequence[AssetMaterialization], checks: Sequence[AssetCheckEvaluation]
) -> Table:
    table = Table("asset", box=None, pad_edge=False, header_style="bold")
    for heading in NUMBERS:
        table.add_column(heading, justify="right")
    table.add_column("checks")
    outcomes: defaultdict[str, list[bool]] = defaultdict(list)
    for check in checks:
        outcomes[check.asset_key.path[-1]].append(check.passed)
    for materialization in materializations:
        name = materialization.asset_key.path[-1]
        values = (materialization.metadata.get(key) for key in NUMBERS.values())
        passed = outcomes[name]
        table.add_row(
            name,
            *(str(value.value) if value else "" for value in values),
            f"{sum(passed)} of {len(passed)} passed" if passed else "",
        )
    return table


def _finding(check: AssetCheckEvaluation) -> Text:
    is_warning = check.severity is AssetCheckSeverity.WARN
    return Text(
        f"{check.asset_key.path[-1]}: {'warning' if is_warning else 'failed check'} of "
        f"{check.check_name}: {check.description or 'see the UI'}",
        style="yellow" if is_warning else "bold red",
    )
