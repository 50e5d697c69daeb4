"""This machine's clock, which dlt makes load ids from and the API's times are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.source.errors import WarehouseError

LONGEST_CLOCK_SKEW = 60.0
"""Seconds that the clocks of machines that load in turn may differ."""


def epoch_milliseconds_now() -> int:
    """This moment, in the unit of the API's times."""
    return time.time_ns() // 1_000_000


def epoch_milliseconds(text: str) -> int:
    """The moment of an ISO date or time, in UTC where it names no zone.

    Raises:
        ValueError: If the text is none.
    """
    # Python 3.10 does not read the `Z`.
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp() * 1000)


def iso_time(milliseconds: float) -> str:
    """An epoch in milliseconds as a person reads it, in UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def iso_moment(milliseconds: int) -> str:
    """An epoch in milliseconds to the millisecond, in UTC; a number that is none stays one."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)
    return f"{moment.strftime('%Y-%m-%d %H:%M:%S')}.{milliseconds % 1000:03d} UTC"


def await_the_newest_load(client: SqlClientBase[Any], tell: Callable[[str], None]) -> None:
    """Waits until this machine's clock is past the newest load.

    Load ids come from the clock, and both dlt's state and the place a child keeps in its parent's
    rows go by their order: what a clock behind writes would be overlooked.

    Args:
        client: An open connection to the warehouse.
        tell: Receives a sentence on the wait.

    Raises:
        WarehouseError: If the clock is further behind than clocks differ.
    """
    loads = client.make_qualified_table_name("_dlt_loads")
    try:
        found = client.execute_sql(f"SELECT MAX(load_id) FROM {loads}")  # noqa: S608 - dlt's own name
    except DestinationUndefinedEntity:
        return
    newest = float(found[0][0] or 0) if found else 0.0
    seconds = newest - time.time()
    if seconds > LONGEST_CLOCK_SKEW:
        moment = datetime.fromtimestamp(newest, timezone.utc).isoformat(timespec="seconds")
        raise WarehouseError(
            f"The warehouse holds a load of {moment}, which is in the future: set this machine's "
            "clock, or wait until then, else rows would be overlooked."
        )
    if seconds > 0:
        tell(f"This machine's clock is behind the newest load: waiting {seconds:.0f} s.")
        time.sleep(seconds)
