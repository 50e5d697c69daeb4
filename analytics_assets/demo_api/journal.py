"""The requests the server has seen, for tests that count them."""

from collections import Counter, deque
from dataclasses import dataclass
from urllib.parse import parse_qsl

from analytics_assets.demo_api.operations import JsonObject

MOST_ENTRIES = 100_000


@dataclass(slots=True)
class Entry:
    """One request; the status is None while it is open and when it was reset."""

    operation: str
    method: str
    path: str
    query: bytes
    at: float
    connection: int
    status: int | None = None

    def as_json(self) -> JsonObject:
        """Show the entry as the control route does."""
        return {
            "operation": self.operation,
            "method": self.method,
            "path": self.path,
            "query": dict(parse_qsl(self.query.decode(errors="replace"), keep_blank_values=True)),
            "status": self.status,
            "at": self.at,
            "connection": self.connection,
        }


class Journal:
    """Counts of all requests, and the last of them one by one."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.entries: deque[Entry] = deque(maxlen=MOST_ENTRIES)

    def record(self, entry: Entry) -> None:
        """Count and keep a request."""
        self.counts[entry.operation] += 1
        self.entries.append(entry)

    def reset(self) -> None:
        """Forget all requests."""
        self.counts.clear()
        self.entries.clear()
