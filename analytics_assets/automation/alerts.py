"""Tells a webhook when something is wrong, once an incident, and when all is well again."""

import html
import time
from collections.abc import Callable
from typing import cast

from dagster import (
    RepositoryDefinition,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from analytics_assets.assets.keys import asset_key
from analytics_assets.automation.health import names_of, states_of
from analytics_assets.automation.incidents import (
    Change,
    Incident,
    Problem,
    as_cursor,
    follow,
    from_cursor,
)
from analytics_assets.automation.switch import sensor_status
from analytics_assets.configuration import Api
from analytics_assets.resources.alert_webhook import ALERT_WEBHOOK, AlertNotSentError, AlertWebhook

SECONDS_BETWEEN_TICKS = 30
MOST_LINES = 10
"""Problems that one message spells out."""


def build_alert_sensor(api: Api) -> SensorDefinition:
    """The sensor that alerts."""
    reloads = {job: [*map(asset_key, names)] for job, names in api.reload_jobs.items()}

    @sensor(
        name="alerts",
        description=f"Tells the webhook in {ALERT_WEBHOOK} what failed or is stale, and when it is "
        "well again.",
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=sensor_status(),
    )
    def alerts(
        context: SensorEvaluationContext, alert_webhook: AlertWebhook
    ) -> SensorResult | SkipReason:
        if not alert_webhook.is_set():
            return SkipReason(f"{ALERT_WEBHOOK} is not set: nobody is told.")
        graph = cast(RepositoryDefinition, context.repository_def).asset_graph
        assets, checks = graph.materializable_asset_keys, graph.asset_check_keys
        incidents = from_cursor(context.cursor)
        # What is no longer in the configuration is no longer wrong.
        gone = {name for incident in incidents for name in incident.problems}.difference(
            names_of(assets, checks)
        )
        states = {**dict.fromkeys(gone), **states_of(context.instance, assets, checks, reloads)}
        change = follow(incidents, states, time.time())
        message = _message(change, alert_webhook.link_to_run)
        try:
            if message:
                alert_webhook.send(message)
        except AlertNotSentError as error:
            # The cursor stays: the next tick tries again.
            return SkipReason(str(error))
        skip = SkipReason("Told." if message else "Nothing new to tell.")
        return SensorResult(skip_reason=skip, cursor=as_cursor(change.open))

    return alerts


def _message(change: Change, link_to_run: Callable[[str], str]) -> str:
    """What is to be told of a change; "" if nothing is."""
    paragraphs = [_recovery(incident) for incident in change.over]
    if change.begun:
        paragraphs.append(_alert(change.begun, link_to_run))
    return "\n\n".join(paragraphs)


def _alert(incident: Incident, link_to_run: Callable[[str], str]) -> str:
    problems = list(incident.problems.values())
    lines = [_line(problem, link_to_run) for problem in problems[:MOST_LINES]]
    if more := len(problems) - len(lines):
        lines.append(f"• and {more} more")
    return "\n".join(["*analytics_assets needs attention*", *lines])


def _line(problem: Problem, link_to_run: Callable[[str], str]) -> str:
    link = f" <{link_to_run(problem.run_id)}|Open the run>" if problem.run_id else ""
    # Slack's three control characters (Slack, "Formatting text: escaping").
    return f"• {html.escape(problem.text, quote=False)}{link}"


def _recovery(incident: Incident) -> str:
    minutes = max(round((time.time() - incident.since) / 60), 1)
    healed = html.escape(", ".join(incident.healed), quote=False)
    return f"*analytics_assets is well again* after {minutes} min: {healed}"
