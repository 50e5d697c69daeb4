"""Tells whether the cursor of a list is a time: that of the last row of its page.

Such a list can be asked for from another moment than the one the cursor names. Any other cursor is
opaque, whatever it looks like, and goes back as it came.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from analytics_assets.source.clock import iso_moment
from analytics_assets.source.numerals import epoch
from analytics_assets.source.records import Page

SOUNDS_LIKE_A_TIME = re.compile(
    r"(?i:time|date|stamp|created|modified|changed|published|joined|moment|epoch)"
    r"|(?:^|_)(?:at|ts)$|[a-z](?:At|Ts)$"
)
_WORD = r"(?:^|[\W_]|(?<=[a-z])(?=[A-Z]))(?i:{})(?:$|[\W_]|(?=[A-Z]))"
TOWARDS_THE_PAST = re.compile(_WORD.format("until|before|end|max|lte?"))
TOWARDS_THE_FUTURE = re.compile(_WORD.format("since|after|from|start|begin|min|gte?"))

PAST, FUTURE = -1, 1

SMALLEST_EPOCH = 100_000_000
"""Seconds until 1973: a smaller number may be that of a page or a row, and equal by chance."""
UNITS = tuple(map(Decimal, ("1", "1000", "0.001", "1000000", "0.000001")))
"""How many units of the cursor one of the rows may be: seconds, milliseconds and so on."""
FINEST = -3
"""The last decimal that a time in fractions of a second has at least."""
MOST_BESIDE = 2
"""How far a cursor is from the row's time at most: what is further need not be looked at."""

Time = int | Decimal
"""A time in the unit of the cursor: a fraction where the rows have fractions of it."""


class Moment(NamedTuple):
    """The time of the last row of a page.

    Attributes:
        value: The time, in the unit of the cursor.
        field: The field that holds it; "" where only the cursor tells it.
        direction: `PAST` where the list goes on with earlier rows, `FUTURE` where with later ones.
        unit: How many units of the cursor one of the field is.
        step: What lies between two moments.
        is_guessed: Whether the rows of the page did not tell the direction.
    """

    value: Time
    field: str
    direction: int
    unit: Decimal = UNITS[0]
    step: Time = 1
    is_guessed: bool = False

    @property
    def border(self) -> Time:
        """What to ask for to be given the rows of this moment, too, by a server that excludes it.

        One that includes it gives those of the moment beside it once more.
        """
        return self.value - self.direction * self.step

    @property
    def beyond(self) -> Time:
        """What is next to this moment, where the list goes on."""
        return self.value + self.direction * self.step

    def times(self, rows: Page) -> list[Time]:
        """The times of the rows that tell one."""
        numbers = _numbers(rows, self.field)
        return [_in_unit(number, self.unit, self.step) for number in numbers]

    def __str__(self) -> str:
        """The moment as a person reads it."""
        moment = iso_moment(int(self.value))
        return f"{moment} (`{self.field}`)" if self.field else moment


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
        self._guess = _direction_of_parameter(cursor_param) or PAST

    def moment(self, page: Page, cursor: Any, direction: int | None) -> Moment | None:
        """The moment of a page's last row, if its cursor is that, or the moment beside it.

        Args:
            page: The rows.
            cursor: What the API names for the next page.
            direction: That of the list, if it is known.
        """
        position = as_time(cursor)
        if position is None or not page:
            return None
        last = page[-1]
        if any(as_integer(last.get(field)) == position for field in self._key):
            return None
        fields = [field for field in last if field not in self._key]
        found = [
            moment
            for unit in UNITS
            for field in fields
            if (moment := self._moment(page, field, unit, position, direction))
        ]
        # An API that knows its `until` to be inclusive names the moment before.
        exact = [moment for moment in found if moment.value == position]
        if found:
            return min(exact or found, key=lambda moment: self._rank(page, moment))
        return Moment(position, "", direction or self._guess) if self._is_time else None

    def _moment(
        self, page: Page, field: str, unit: Decimal, position: Time, direction: int | None
    ) -> Moment | None:
        """The moment that a field holds, if the cursor is it, or the moment beside it."""
        last = _number(page[-1].get(field))
        is_an_epoch = position >= SMALLEST_EPOCH
        if last is None or abs(last * unit - position) > MOST_BESIDE:
            return None
        if not is_an_epoch and (unit != 1 or not self._is_named_a_time(field)):
            return None
        told = _direction_of(page, field)
        # Two fields may hold the cursor's value, and only one of them be in order.
        if told and direction and told != direction:
            return None
        way = told or direction
        if not self._is_named_a_time(field) and not (told and _is_in_order(page, field, told)):
            return None
        step = _step(page, field) if unit == 1 else 1
        value = _in_unit(last, unit, step)
        moment = Moment(value, field, way or self._guess, unit, step, is_guessed=way is None)
        return moment if position in (moment.value, moment.beyond) else None

    def _is_named_a_time(self, field: str) -> bool:
        return field in self._times or SOUNDS_LIKE_A_TIME.search(field) is not None

    def _rank(self, page: Page, moment: Moment) -> tuple[bool, bool]:
        """Puts a field first whose rows are in order, then one that bears the name of a time."""
        is_in_order = _is_in_order(page, moment.field, moment.direction)
        return (not is_in_order, not self._is_named_a_time(moment.field))


def as_integer(value: Any) -> int | None:
    """The whole number that a value is, also one written as a fraction or as digits."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdecimal() else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if type(value) is int else None


def as_time(cursor: Any) -> Time | None:
    """The number that a cursor is, which may be the fraction of a second."""
    whole = as_integer(cursor)
    if whole is None and isinstance(cursor, float) and math.isfinite(cursor):
        return Decimal(repr(cursor))
    return whole


def spelled_like(time: Time, cursor: Any) -> str | int | float:
    """A time as the API spells its cursor."""
    number = int(time) if time == int(time) else float(time)
    return str(number) if isinstance(cursor, str) else number


def _number(value: Any) -> Decimal | None:
    """A time as a number: an epoch, also one with a fraction, or an ISO time in milliseconds."""
    if isinstance(value, float) and math.isfinite(value):
        return Decimal(repr(value))
    number = epoch(value)
    return None if number is None else Decimal(number)


def _numbers(rows: Page, field: str) -> Iterator[Decimal]:
    return (number for row in rows if (number := _number(row.get(field))) is not None)


def _in_unit(number: Decimal, unit: Decimal, step: Time) -> Time:
    """A number of a row in the unit of the cursor, which a coarser one cuts."""
    return number if step != 1 else math.floor(number * unit)


def _step(page: Page, field: str) -> Time:
    """What lies between two moments: the last decimal of the rows, where they have any."""
    exponents = [int(number.as_tuple().exponent) for number in _numbers(page, field)]
    has_fractions = any(number != math.floor(number) for number in _numbers(page, field))
    return Decimal(1).scaleb(min(FINEST, *exponents)) if has_fractions else 1


def _direction_of(page: Page, field: str) -> int | None:
    first, last = _number(page[0].get(field)), _number(page[-1].get(field))
    if first is None or last is None or first == last:
        return None
    return FUTURE if last > first else PAST


def _is_in_order(page: Page, field: str, direction: int) -> bool:
    return all((b - a) * direction >= 0 for a, b in pairwise(_numbers(page, field)))


def _direction_of_parameter(name: str) -> int | None:
    if TOWARDS_THE_PAST.search(name):
        return PAST
    return FUTURE if TOWARDS_THE_FUTURE.search(name) else None
