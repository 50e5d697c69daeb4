"""One list of the API: rows in the order of their creation, cut into pages newest first.

A row is kept as the bytes it is served as. That makes a page a join, and lets a test store a
row that Python's JSON could not write back the same.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from operator import attrgetter

MOST_ROWS = 100_000
"""No list ever holds more, however long the server grows."""

_created = attrgetter("created")


@dataclass(slots=True, eq=False)
class Row:
    """One stored row and what the server must know about it without reading its bytes."""

    created: int
    """The time in epoch milliseconds that the list is sorted by, and its cursor counts in."""
    names: tuple[str, ...]
    """What a path or an `id` parameter may call the row: its id first."""
    account: str | None
    """The team or user the row belongs to."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Slice:
    """The rows of one page, and whether older ones follow."""

    rows: list[Row]
    more: bool


class Table:
    """A list of rows, ordered by creation time.

    With an exclusive `until` two rows of one millisecond would lose one at a page boundary, so
    the later of them is filed one millisecond further on. With an inclusive `until` they stay, and
    with an exclusive one that is to keep the times.
    """

    def __init__(self, *, inclusive_until: bool = False, keep_times: bool = False) -> None:
        self._inclusive_until = inclusive_until
        self._keep_times = keep_times or inclusive_until
        self._rows: list[Row] = []
        self._by_name: dict[str, Row] = {}

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def add(self, row: Row) -> None:
        """File a row; of two rows with one name, the one added last answers to it."""
        if len(self._rows) >= MOST_ROWS:
            raise ValueError(f"A list holds at most {MOST_ROWS} rows.")
        position = bisect_right(self._rows, row.created, key=_created)
        if not self._keep_times:
            while position and self._rows[position - 1].created == row.created:
                row.created += 1
                position = bisect_right(self._rows, row.created, key=_created)
        self._rows.insert(position, row)
        for name in row.names:
            self._by_name[name] = row

    def find(self, name: str) -> Row | None:
        """The row that is called so."""
        return self._by_name.get(name)

    def remove(self, row: Row) -> None:
        """Forget a row."""
        self._rows.remove(row)
        for name in row.names:
            if self._by_name.get(name) is row:
                del self._by_name[name]

    def newest(self) -> Row | None:
        """The row created last."""
        return self._rows[-1] if self._rows else None

    def page(
        self,
        *,
        limit: int | None = None,
        since: int | None = None,
        until: int | None = None,
        account: str | None = None,
    ) -> Slice:
        """The newest rows created after `since` and before `until`, newest first."""
        bisect_until = bisect_right if self._inclusive_until else bisect_left
        start = 0 if since is None else bisect_right(self._rows, since, key=_created)
        stop = len(self) if until is None else bisect_until(self._rows, until, key=_created)
        rows: list[Row] = []
        for index in range(stop - 1, start - 1, -1):
            row = self._rows[index]
            if account is not None and row.account != account:
                continue
            if len(rows) == limit:
                return Slice(rows, more=True)
            rows.append(row)
        return Slice(rows, more=False)
