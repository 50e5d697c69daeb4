"""Reads a long list in several stretches of time at once.

The pages of a list follow each other by their cursor: thousand pages of an API that takes 50 ms to
answer take a minute, whatever the number of connections. A list that the API gives by time can be
asked for from several moments on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from copy import copy
from itertools import pairwise
from typing import Any

from jsonpath_ng import JSONPath
from requests import Request, Response

from analytics_assets.source.ahead import ListAhead
from analytics_assets.source.pages import CursorPaginator
from analytics_assets.source.records import Page

FEW_PAGES = 10
"""Pages that are read one after the other: most lists are no longer, and stretches without a row
cost a request each."""
GROWTH = 1.15
"""How much longer each stretch is than the one after it: nobody knows how far the list goes back,
nor whether it had as many rows in a year as it has now."""

Announce = Callable[[Iterable[ListAhead]], None]
"""Takes the lists that will be asked for."""


class Stretch(CursorPaginator):
    """The pages of a list within a stretch of time, the newest first."""

    def __init__(self, since_param: str, since: int | None, until: int, **words: Any) -> None:
        """Begins at its end.

        Args:
            since_param: The query parameter for the oldest row wanted.
            since: The first moment, in epoch milliseconds; None has no beginning.
            until: The first moment after it.
            words: Those of `CursorPaginator`.
        """
        super().__init__(**words)
        self._since_param = since_param
        self._since = since
        self._until = until

    def init_request(self, request: Request) -> None:
        """Asks for the first page."""
        self._ask(request, self._until)

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Reads the cursor; one before the stretch is its end, too."""
        super().update_state(response, data)
        cursor = self._next_reference
        if cursor is not None and self._since is not None and int(cursor) < self._since:
            self._next_reference = None

    def update_request(self, request: Request) -> None:
        """Asks for the next page."""
        self._ask(request, self._next_reference)

    def _ask(self, request: Request, until: Any) -> None:
        request.params[self.cursor_param] = until
        # One less, because servers disagree whether a row of that very time is included.
        request.params[self._since_param] = None if self._since is None else self._since - 1


class SplitPaginator(CursorPaginator):
    """Follows the cursor of a list, and splits what a few pages have left of it into stretches."""

    def __init__(
        self,
        since_param: str,
        beginning: int,
        selector: JSONPath,
        announce: Announce,
        **words: Any,
    ) -> None:
        """Begins before the first page.

        Args:
            since_param: The query parameter for the oldest row wanted.
            beginning: A moment before which there is little, in epoch milliseconds.
            selector: Where the rows are.
            announce: Takes the stretches before they are asked for.
            words: Those of `CursorPaginator`.
        """
        super().__init__(**words)
        self._since_param = since_param
        self._beginning = beginning
        self._selector = selector
        self._announce = announce
        self._words = words
        self._cursors: list[Any] = []
        # Those that go on, the one that is read first.
        self._stretches: deque[Stretch] = deque()
        self._unread: set[Stretch] = set()

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Reads the cursor, of the stretch if there are any, and turns to the next one."""
        if not self._stretches:
            super().update_state(response, data)
            self._cursors.append(self._next_reference)
            return
        stretch = self._stretches.popleft()
        stretch.update_state(response, data)
        if stretch.has_next_page:
            # A page of each in turn, as they come: none is waited for while others pile up.
            self._stretches.append(stretch)
        self._has_next_page = bool(self._stretches)

    def update_request(self, request: Request) -> None:
        """Asks for the next page of the list, or of the stretch whose turn it is."""
        if self._is_long():
            self._split(request)
        if not self._stretches:
            super().update_request(request)
        elif self._stretches[0] in self._unread:
            self._unread.remove(self._stretches[0])
            self._stretches[0].init_request(request)
        else:
            self._stretches[0].update_request(request)

    def _is_long(self) -> bool:
        # Any other cursor tells no time.
        return (
            not self._stretches
            and len(self._cursors) == FEW_PAGES
            and all(type(cursor) is int for cursor in self._cursors)
        )

    def _split(self, request: Request) -> None:
        since = request.params.get(self._since_param)
        bounds = split(self._cursors, since and int(since), self._beginning)
        self._stretches.extend(self._create(*bound) for bound in bounds)
        self._unread.update(self._stretches)
        self._cursors.clear()
        self._announce(
            ListAhead(_copy_of(request), self._create(*bound), self._selector) for bound in bounds
        )

    def _create(self, since: int | None, until: int) -> Stretch:
        return Stretch(self._since_param, since, until, **self._words)


def _copy_of(request: Request) -> Request:
    copied = copy(request)
    copied.params = dict(request.params)
    return copied


def split(cursors: list[int], since: int | None, beginning: int) -> list[tuple[int | None, int]]:
    """The stretches in which the rest of a list is read, the newest first.

    They become longer towards the past, so that there are never many.

    Args:
        cursors: The cursors of the pages read, in epoch milliseconds.
        since: The oldest moment wanted; None wants all.
        beginning: A moment before which there is little: what is before it is one stretch.
    """
    first = beginning if since is None else since + 1
    length = max(cursors[0] - cursors[-1], 1.0)
    bounds = [cursors[-1]]
    while bounds[-1] > first:
        bounds.append(max(int(bounds[-1] - length), first))
        length *= GROWTH
    stretches: list[tuple[int | None, int]] = [(older, newer) for newer, older in pairwise(bounds)]
    return stretches if since is not None else [*stretches, (None, bounds[-1])]
