"""Asks the API once a minute whether there is something new, and loads it if there is."""

import json
import math
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from dagster import (
    AssetSelection,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from analytics_assets.assets.keys import asset_key
from analytics_assets.automation.runs import has_unfinished_run
from analytics_assets.automation.switch import sensor_status
from analytics_assets.configuration import Api, Resource
from analytics_assets.resources import AnalyticsApi
from analytics_assets.source.explanation import explain
from analytics_assets.source.newest import Newest, ask_for_newest
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.telling import silent
from analytics_assets.source.traffic import Traffic

SECONDS_BETWEEN_TICKS = 60
LONGEST_SILENCE = 20.0
"""Seconds to wait for the API: Dagster gives a sensor a minute in all."""
LONGEST_PAUSE = 3600.0
"""Seconds after which the API is asked again, whatever it has said: one wrong header must not end
the asking for good."""


@dataclass(frozen=True)
class Place:
    """Where a sensor has come to, kept in its cursor.

    Attributes:
        newest: The newest record that a run was requested for.
        resume_at: Epoch seconds before which the API asked not to be asked.
    """

    newest: Newest | None = None
    resume_at: float = 0.0

    @classmethod
    def from_cursor(cls, cursor: str | None) -> "Place":
        """Reads what `as_cursor` wrote; a sensor begins without."""
        if not cursor:
            return cls()
        stored = json.loads(cursor)
        return cls(stored["newest"] and Newest(*stored["newest"]), stored["resume_at"])

    def as_cursor(self) -> str:
        """The place as text."""
        return json.dumps({"newest": self.newest, "resume_at": self.resume_at})


def build_new_record_sensors(api: Api) -> list[SensorDefinition]:
    """A sensor for each resource that can be asked for its newest record alone."""
    return [_build_sensor(each) for each in api.resources.values() if each.newest_params]


def _build_sensor(resource: Resource) -> SensorDefinition:
    name = resource.name

    @sensor(
        name=f"new_{name}",
        description=f"Asks for the newest of {name}, and loads them and what depends on them.",
        asset_selection=AssetSelection.assets(asset_key(name)).downstream(),
        minimum_interval_seconds=SECONDS_BETWEEN_TICKS,
        default_status=sensor_status(),
    )
    def new_records(context: SensorEvaluationContext, api: AnalyticsApi) -> SensorResult:
        place = Place.from_cursor(context.cursor)
        if has_unfinished_run(context.instance, {"dagster/sensor_name": context.sensor_name}):
            return _skip(place, "The run for the last new record has not finished.")
        if place.resume_at > time.time():
            return _skip(place, f"The API asked to wait until {_clock(place.resume_at)}.")
        return _look(resource, api, place)

    return new_records


def _look(resource: Resource, api: AnalyticsApi, place: Place) -> SensorResult:
    retry = replace(api.retry_policy(), max_retries=0, timeout=min(api.timeout, LONGEST_SILENCE))
    rate_limit = RateLimit(silent, longest_wait=math.inf)
    try:
        newest = ask_for_newest(resource, api.client(retry, Traffic(silent), rate_limit))
    except Exception as error:
        explanation = explain(error, resource.name, retry)
        if explanation is None:
            raise
        return _skip(_resumed(place, rate_limit), explanation.sentence)
    place = _resumed(place, rate_limit)
    if newest is None or not newest.is_newer_than(place.newest):
        return _skip(place, f"No new record of {resource.name}.")
    return SensorResult(
        # The key keeps a tick that is repeated after a crash from requesting a second run.
        run_requests=[RunRequest(run_key=f"{newest.moment}/{newest.key}")],
        cursor=replace(place, newest=newest).as_cursor(),
    )


def _resumed(place: Place, rate_limit: RateLimit) -> Place:
    pause = min(rate_limit.seconds_left, LONGEST_PAUSE)
    return replace(place, resume_at=time.time() + pause if pause else 0.0)


def _skip(place: Place, reason: str) -> SensorResult:
    return SensorResult(skip_reason=SkipReason(reason), cursor=place.as_cursor())


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")
