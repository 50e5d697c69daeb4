"""Draws from a random generator: the same seed and part always give the same ids and times."""

from datetime import datetime, timezone
from math import ceil
from random import Random
from string import ascii_letters, digits

SECOND = 1_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
_ALPHABET = ascii_letters + digits


def open_generator(seed: int, part: object) -> Random:
    """A generator for one part of the world, so that no part's size moves another's values."""
    return Random(f"{seed}/{part}")  # noqa: S311 - the rows are to be foreseeable


def draw_id(rng: Random, prefix: str = "", length: int = 24) -> str:
    """An id of letters and digits, like `prj_` and 24 of them."""
    return prefix + "".join(rng.choices(_ALPHABET, k=length))


def draw_times(rng: Random, count: int, start: int, end: int) -> list[int]:
    """Distinct times in milliseconds, newest first."""
    end = max(end, start + 2 * count)
    return sorted(rng.sample(range(start, end), count), reverse=True)


def draw_working_times(rng: Random, count: int, start: int, end: int) -> list[int]:
    """Distinct times, newest first, most of them in working hours."""
    times: set[int] = set()
    while len(times) < count:
        time = rng.randrange(start, end)
        if rng.random() < _activity_at(time):
            times.add(time)
    return sorted(times, reverse=True)


def draw_around(rng: Random, mean: int) -> int:
    """A whole number from half the mean to one and a half."""
    return rng.randint(ceil(mean / 2), mean * 3 // 2)


def iso_time(milliseconds: int) -> str:
    """2025-01-31T09:30:00.250Z."""
    moment = datetime.fromtimestamp(milliseconds / SECOND, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _activity_at(time: int) -> float:
    weekday = (time // DAY + 3) % 7  # The epoch began on a Thursday.
    if weekday >= 5:
        return 0.1
    return 1.0 if 8 <= time % DAY // HOUR < 19 else 0.15
