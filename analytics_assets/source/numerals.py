"""Reads the numbers and times that an API writes as text.

A text of digits is the number it spells, in the unit it has: never a date without its dashes.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from analytics_assets.source.clock import epoch_milliseconds

SMALLEST_BIGINT, LARGEST_BIGINT = -(2**63), 2**63 - 1

# As JSON and other programs spell a number. Python would take `1_000`, `nan` and other digits, too.
_NUMERAL = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d|\d{8}T", re.ASCII)


def whole_number(text: str) -> int | None:
    """The whole number that a text spells, like `"1761010112345"` or `" -5.0 "`.

    None of any other text, and of a number that has no room in 64 bits.
    """
    if not _NUMERAL.fullmatch(text):
        return None
    number = Decimal(text.strip())
    if number.adjusted() > len(str(LARGEST_BIGINT)) or number != number.to_integral_value():
        return None
    return int(number) if SMALLEST_BIGINT <= number <= LARGEST_BIGINT else None


def real_number(text: str) -> float | None:
    """The number that a text spells; None of any other, and where a double would round it."""
    if not _NUMERAL.fullmatch(text):
        return None
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text.strip()) else None


def epoch(value: Any) -> int | None:
    """A time as a whole number: an epoch, also as a fraction or as text; or an ISO date or time.

    An epoch keeps its unit; an ISO time becomes milliseconds.
    """
    if isinstance(value, str):
        number = whole_number(value)
        return _milliseconds(value) if number is None else number
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _milliseconds(text: str) -> int | None:
    if not _DATE.match(text.strip()):
        return None
    try:
        return epoch_milliseconds(text.strip())
    except ValueError:
        return None
