"""Rate limits in fixed windows, one for each operation, and the headers that tell of them."""

import re
from dataclasses import dataclass
from math import ceil

from analytics_assets.demo_api.operations import OPERATIONS
from analytics_assets.demo_api.pages import Header


@dataclass(slots=True)
class _Window:
    count: int
    seconds: float
    enforced: bool
    used: int = 0
    ends: float = 0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of an operation's window after a request."""

    headers: list[Header]
    exceeded: bool
    retry_after: int


class RateLimits:
    """The limits of all operations; by default the live API's, told but not enforced."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}
        self.change("all", None)

    def change(self, operation: str, rate: str | None) -> None:
        """Answer 429 beyond a rate like `100/60`; without a rate, only tell the live API's."""
        names = tuple(OPERATIONS) if operation == "all" else (operation,)
        for name in names:
            if name not in OPERATIONS:
                raise ValueError(f"There is no operation {name} to limit.")
            if rate is None:
                self._windows[name] = _Window(
                    OPERATIONS[name].requests_per_minute, 60, enforced=False
                )
            else:
                self._windows[name] = _Window(*_parse_rate(rate), enforced=True)

    def take(self, operation: str, now: float) -> Allowance:
        """Count one request at that time, in epoch seconds."""
        window = self._windows[operation]
        # A limit that is only told is never used up: a client that heeds it need not wait.
        is_renewed = not window.enforced and window.used == window.count - 1
        if now >= window.ends or is_renewed:
            window.used, window.ends = 0, now + window.seconds
        exceeded = window.used >= window.count
        window.used = min(window.used + 1, window.count)
        headers = [
            (b"x-ratelimit-limit", b"%d" % window.count),
            (b"x-ratelimit-remaining", b"%d" % (window.count - window.used)),
            # Rounded up: who waits until then finds a new window.
            (b"x-ratelimit-reset", b"%d" % ceil(window.ends)),
        ]
        return Allowance(headers, window.enforced and exceeded, ceil(window.ends - now))


def _parse_rate(rate: str) -> tuple[int, float]:
    match = re.fullmatch(r"(\d+)/(\d+(?:\.\d+)?)", rate)
    if match is None or float(match[2]) == 0:
        raise ValueError(f"A rate limit is COUNT/SECONDS, like 100/60, not {rate}.")
    return int(match[1]), float(match[2])
