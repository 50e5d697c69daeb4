"""Tells whether the cursor of a list is a time: that of the last row of its page.

Such a list can be asked for from another moment than the one the cursor names. Any other cursor is
opaque, whatever it looks like, and goes back as it came.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

from analytics_assets.source.clock import iso_moment
from analytics_assets.source.records import Page
from analytics_assets.source.values import Record

SOUNDS_LIKE_A_TIME = re.compile(
    r"(?i:time|date|stamp|created|modified|changed|published|joined|moment|epoch)"
    r"|(?:^|_)(?:at|ts)$|[a-z](?:At|Ts)$"
)
TOWARDS_THE_PAST = re.compile(r"until|before|end|max|lt", re.IGNORECASE)
TOWARDS_THE_FUTURE = re.compile(r"since|after|from|start|begin|min|gt", re.IGNORECASE)

PAST, FUTURE = -1, 1


class Moment(NamedTuple):
    """The time of the last row of a page.

    Attributes:
        value: The time, in the API's own unit.
        field: The field that holds it; "" where only the cursor tells it.
        direction: `PAST` where the list goes on with earlier rows, `FUTURE` where with later ones.
    """

    value: int
    field: str
    direction: int

    @property
    def border(self) -> int:
        """What to ask for to be given the rows of this moment, too, by a server that excludes it.

        One that includes it gives those of the moment beside it once more.
        """
        return self.value - self.direction

    @property
    def beyond(self) -> int:
        """What is next to this moment, where the list goes on."""
        return self.value + self.direction

    def __str__(self) -> str:
        """The moment as a person reads it."""
        return (
            f"{iso_moment(self.value)} (`{self.field}`)" if self.field else iso_moment(self.value)
        )


class TimeFields:
    """Finds the moment of a page by its cursor."""

    def __init__(
        self, key: Collection[str], times: Collection[str], cursor_param: str, *, is_time: bool
    ) -> None:
        """Takes what is known of the list.

        Args:
            key: Fields that identify a row: a cursor that is one of them is no time.
            times: Fields that hold a time.
            cursor_param: The parameter that the cursor goes back in.
            is_time: Whether the configuration says that the cursor is a time.
        """
        self._key = key
        self._times = times
        self._is_time = is_time
        self.direction = _direction_of_parameter(cursor_param)
        """The direction of a list, where its parameter tells it."""

    def moment(self, page: Page, cursor: Any, direction: int | None) -> Moment | None:
        """The moment of a page's last row, if its cursor is that, or the moment beside it.

        Args:
            page: The rows.
            cursor: What the API names for the next page.
            direction: That of the list, if it is known.
        """
        position = as_integer(cursor)
        if position is None or not page:
            return None
        last = page[-1]
        if any(as_integer(last.get(field)) == position for field in self._key):
            return None
        times = {field: time for field in last if (time := self.time_of(last, field)) is not None}
        found = [
            Moment(time, field, field_direction)
            for field, time in times.items()
            # Two fields may hold the cursor's value, and only one of them be in order.
            if (field_direction := self._direction_of(page, field) or direction or PAST)
            == (direction or field_direction)
        ]
        exact = [moment for moment in found if moment.value == position]
        # An API that knows its `until` to be inclusive names the moment before.
        beside = [moment for moment in found if moment.beyond == position]
        if exact or beside:
            return (exact or beside)[0]
        return Moment(position, "", direction or PAST) if self._is_time else None

    def time_of(self, row: Record, field: str) -> int | None:
        """The time that a field holds, if it holds one."""
        is_time = field in self._times or SOUNDS_LIKE_A_TIME.search(field)
        return as_integer(row.get(field)) if is_time and field not in self._key else None

    def _direction_of(self, page: Page, field: str) -> int | None:
        first, last = self.time_of(page[0], field), self.time_of(page[-1], field)
        if first is None or last is None or first == last:
            return None
        return FUTURE if last > first else PAST


def _direction_of_parameter(name: str) -> int | None:
    if TOWARDS_THE_PAST.search(name):
        return PAST
    return FUTURE if TOWARDS_THE_FUTURE.search(name) else None


def as_integer(value: Any) -> int | None:
    """The whole number that a value is, also one written as a fraction or as digits."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if type(value) is int else None
