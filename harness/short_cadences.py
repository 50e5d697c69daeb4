"""The project with cadences of minutes, for `dagster dev` in the test of the automation."""

from copy import deepcopy

from analytics_assets.configuration import ANALYTICS, Cadence
from analytics_assets.definitions import build_definitions

MINUTELY: Cadence = {
    "name": "minutely",
    "cron": "* * * * *",
    "timezone": "UTC",
    # On a busy machine a run takes its minute.
    "warn_after": 4,
    "fail_after": 6,
}
# Never within a test: what has it is left to the sensor that loads what is stale.
LEFT_ALONE: Cadence = {
    "name": "yearly",
    "cron": "0 0 1 1 *",
    "timezone": "UTC",
    "warn_after": 2,
    "fail_after": 3,
}
# Left to the sensor that asks for new ones.
WATCHED: Cadence = {**LEFT_ALONE, "name": "watched", "warn_after": 30, "fail_after": 60}
CADENCES = {"user": LEFT_ALONE, "deployments": WATCHED, "deployment_events": WATCHED}

_config = deepcopy(ANALYTICS)
_config["retry_stale"] = "* * * * *"
for _resource in _config["resources"]:
    _resource["cadence"] = CADENCES.get(str(_resource["name"]), MINUTELY)

defs = build_definitions(_config)
