"""Whether schedules and sensors run from the start, or wait for somebody to start them."""

from __future__ import annotations

import os

from dagster import DefaultScheduleStatus, DefaultSensorStatus

from analytics_assets.source.errors import SettingError

AUTOMATION = "ANALYTICS_AUTOMATION"


def schedule_status() -> DefaultScheduleStatus:
    """The status that schedules start with."""
    return DefaultScheduleStatus.RUNNING if _is_on() else DefaultScheduleStatus.STOPPED


def sensor_status() -> DefaultSensorStatus:
    """The status that sensors start with."""
    return DefaultSensorStatus.RUNNING if _is_on() else DefaultSensorStatus.STOPPED


def _is_on() -> bool:
    """Reads the one setting that Dagster needs to know when the definitions load.

    Raises:
        SettingError: If it is neither `on` nor `off`: a word that is taken for `off` would leave
            the warehouse to grow stale without a sign.
    """
    word = os.environ.get(AUTOMATION, "").strip().lower() or "off"
    if word not in ("on", "off"):
        raise SettingError(f"{AUTOMATION} is neither on nor off: {word!r}.")
    return word == "on"
