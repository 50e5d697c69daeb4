"""A stretch of time that is loaded again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple


class Window(NamedTuple):
    """The records whose cursor lies in it are loaded again, whatever was loaded before.

    Attributes:
        start: The first moment, in epoch milliseconds.
        end: The first moment after it.
    """

    start: int
    end: int

    @property
    def months(self) -> list[str]:
        """The months it touches, like `2026_05`, in UTC, the oldest first."""
        month = _first_of_month(self.start)
        months = []
        while month.timestamp() * 1000 < self.end:
            months.append(f"{month:%Y_%m}")
            month = (month + timedelta(days=31)).replace(day=1)
        return months


def _first_of_month(milliseconds: int) -> datetime:
    moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
