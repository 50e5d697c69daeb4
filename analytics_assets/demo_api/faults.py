"""Faults on order: which request is answered wrongly, and how.

A fault is a JSON object: `operation` (a name or "all"), `kind`, `after` (requests let through
first), `times` (how often, null for ever), `parent` (of a child operation), and what its kind
needs. Of several faults the first that is not used up strikes; the others do not count that
request.

In transit: `reset` (a TCP reset instead of an answer), `cut` (half of the announced body),
`truncated` (half of the JSON, announced as such), `hang` (`seconds` before the answer).

Another answer: `status` (`status`, `headers`, `body`), `redirect` (to `location`), `html`,
`envelope` (200 with an error inside), `null_body`.

Another page: `renamed` (the list's key), `null_list`, `no_pagination`, `empty_pagination`,
`no_next`, `empty_page` (whose `next` leads to the page left out), `same_cursor` (page
after page the same `next`), `cycle` (A, B, A), `zero_cursor` (the first page's `next` is 0, and
`until=0` serves the second). These last three strike for ever unless `times` says otherwise.

Another moment: `touch` (changes `row` right before the answer, so that it is the one that was
changed last).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import orjson

from analytics_assets.demo_api.operations import OPERATIONS
from analytics_assets.demo_api.pages import Answer, Page, Query, refuse

_HTML = b"<!doctype html><html><body><h1>We will be back soon</h1></body></html>"
_IN_TRANSIT = ("reset", "cut", "truncated", "hang")
_BEFORE_ALL_ROWS = 1
_AT_THE_SERVER = ("touch",)
_LASTING = ("same_cursor", "cycle", "zero_cursor")


@dataclass(slots=True, kw_only=True)
class Fault:
    """One order, and how far it has been carried out."""

    operation: str
    kind: str
    after: int = 0
    times: int | None = 1
    parent: str | None = None
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    seconds: float = 3600
    location: str = "/"
    row: str = ""
    cursors: dict[str, int] = field(default_factory=dict, init=False)
    """The cursor to come back to, by parent: A of a cycle, the real cursor behind a 0."""

    def __post_init__(self) -> None:
        """Refuse a fault that would break the server instead of the answer."""
        numbers = (self.after, self.times or 0, self.status, self.seconds)
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise TypeError("A fault's after, times, status and seconds are numbers.")

    def strikes(self, operation: str, parent: str) -> bool:
        """Whether this request is to fail; counts it."""
        if self.operation not in ("all", operation) or self.parent not in (None, parent):
            return False
        if self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def answer(self) -> Answer | None:
        """Make the answer that takes the real one's place, if this kind has one."""
        replacement = _ANSWERS.get(self.kind)
        return None if replacement is None else replacement(self)

    def prepare(self, query: Query) -> None:
        """Change the query to the page that is meant."""
        if self.kind == "zero_cursor" and query.until == 0:
            query.until = self.cursors.get(query.parent, 0)

    def distort(self, page: Page, query: Query) -> None:
        """Change the page, if this kind does."""
        distortion = _DISTORTIONS.get(self.kind)
        if distortion is not None:
            distortion(self, page, query)


class Faults:
    """All orders, in the order in which they came."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, order: Mapping[str, object]) -> None:
        """Take an order in."""
        known = {item.name for item in fields(Fault) if item.init}
        unknown = order.keys() - known
        if unknown:
            raise ValueError(f"A fault has no {', '.join(sorted(unknown))}.")
        kind, operation = order.get("kind"), order.get("operation")
        if kind not in (*_IN_TRANSIT, *_AT_THE_SERVER, *_ANSWERS, *_DISTORTIONS):
            raise ValueError(f"There is no fault of kind {kind}.")
        if operation != "all" and operation not in OPERATIONS:
            raise ValueError(f"There is no operation {operation} to fail.")
        times = {"times": None} if kind in _LASTING else {}
        self._faults.append(Fault(**{**times, **order}))  # type: ignore[arg-type]

    def clear(self) -> None:
        """Drop all orders."""
        self._faults.clear()

    def pick(self, operation: str, parent: str) -> Fault | None:
        """Find the fault that strikes this request."""
        return next((fault for fault in self._faults if fault.strikes(operation, parent)), None)


def _answer_status(fault: Fault) -> Answer:
    headers = [(name.encode(), value.encode()) for name, value in fault.headers.items()]
    if fault.body is None:
        return refuse(fault.status, headers)
    body = fault.body.encode() if isinstance(fault.body, str) else orjson.dumps(fault.body)
    return Answer(fault.status, body, headers=headers)


def _rename(_: Fault, page: Page, __: Query) -> None:
    page.key = f"{page.key or 'events'}_renamed"


def _null_list(_: Fault, page: Page, __: Query) -> None:
    page.rows = None


def _drop_pagination(_: Fault, page: Page, __: Query) -> None:
    page.pagination = None


def _empty_pagination(_: Fault, page: Page, __: Query) -> None:
    if page.pagination:
        page.pagination = {}


def _drop_next(_: Fault, page: Page, __: Query) -> None:
    if page.pagination:
        del page.pagination["next"]


def _empty_page(_: Fault, page: Page, query: Query) -> None:
    newest = page.pagination and page.pagination["prev"]
    page.rows = []
    if page.pagination and newest:
        # Another cursor than the one that led here.
        following = newest + 1 + (query.until == newest + 1)
        page.pagination |= {"count": 0, "next": following, "prev": None}


def _repeat_cursor(_: Fault, page: Page, query: Query) -> None:
    if page.pagination:
        page.pagination["next"] = query.until or page.pagination["next"] or _BEFORE_ALL_ROWS


def _cycle_cursors(fault: Fault, page: Page, query: Query) -> None:
    if not page.pagination:
        return
    if query.until is None:
        fault.cursors.pop(query.parent, None)
        page.pagination["next"] = page.pagination["next"] or _BEFORE_ALL_ROWS
        return
    first = fault.cursors.setdefault(query.parent, query.until)
    if query.until != first:
        page.pagination["next"] = first
    else:
        page.pagination["next"] = page.pagination["next"] or first + 1


def _zero_cursor(fault: Fault, page: Page, query: Query) -> None:
    following = page.pagination and page.pagination["next"]
    if page.pagination and following and query.until is None:
        fault.cursors[query.parent] = following
        page.pagination["next"] = 0


_ANSWERS: dict[str, Callable[[Fault], Answer]] = {
    "status": _answer_status,
    "redirect": lambda fault: Answer(302, b"", headers=[(b"location", fault.location.encode())]),
    "html": lambda _: Answer(200, _HTML, content_type=b"text/html; charset=utf-8"),
    "envelope": lambda _: Answer(200, refuse(500).body),
    "null_body": lambda _: Answer(200, b"null"),
}
_DISTORTIONS: dict[str, Callable[[Fault, Page, Query], None]] = {
    "renamed": _rename,
    "null_list": _null_list,
    "no_pagination": _drop_pagination,
    "empty_pagination": _empty_pagination,
    "no_next": _drop_next,
    "empty_page": _empty_page,
    "same_cursor": _repeat_cursor,
    "cycle": _cycle_cursors,
    "zero_cursor": _zero_cursor,
}
