"""Reads a long list in several stretches of time at once.

The pages of a list follow each other by their cursor: thousand pages of an API that takes 50 ms to
answer take a minute, whatever the number of connections. A list that the API gives by time can be
asked for from several moments on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from itertools import pairwise
from typing import Any

from jsonpath_ng import JSONPath
from requests import Request, Response

from analytics_assets.source.ahead import ListAhead
from analytics_assets.source.cursor_pages import CursorPaginator
from analytics_assets.source.moments import as_integer
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

    def __init__(
        self, params: Mapping[str, Any], since: int | None, until: int, page_size: int, **words: Any
    ) -> None:
        """Begins at its end.

        Args:
            params: What the list is asked for with.
            since: The first moment, in epoch milliseconds; None has no beginning.
            until: The moment that its newest page is asked from.
            page_size: The rows of a page that is known to have been cut.
            words: Those of `CursorPaginator`.
        """
        super().__init__(**words)
        # One less, because servers disagree whether a row of that very time is included.
        first = None if since is None else since - 1
        bounds = {str(self._since_param): first, str(self.cursor_param): until}
        self._begin({**params, **bounds}, until, beginning=since, page_size=page_size)

    def init_request(self, request: Request) -> None:
        """Asks for the first page."""
        request.params = dict(self._first_params)
        self._try_larger_limit(request)


class SplitPaginator(CursorPaginator):
    """Follows the cursor of a list, and splits what a few pages have left of it into stretches."""

    def __init__(
        self, beginning: int, selector: JSONPath, announce: Announce, **words: Any
    ) -> None:
        """Begins before the first page.

        Args:
            beginning: A moment before which there is little, in epoch milliseconds.
            selector: Where the rows are.
            announce: Takes the stretches before they are asked for.
            words: Those of `CursorPaginator`, `since_param` among them.
        """
        super().__init__(**words)
        self._beginning = beginning
        self._selector = selector
        self._announce = announce
        self._words = words
        self._moments: list[int] = []
        # Those that go on, the one that is read first.
        self._stretches: deque[Stretch] = deque()
        self._unread: set[Stretch] = set()

    @property
    def may_be_refused(self) -> bool:
        """Whether a refusal of the page asked for only says that its limit is too large."""
        return self._stretches[0].may_be_refused if self._stretches else super().may_be_refused

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Reads the cursor, of the stretch if there are any, and turns to the next one."""
        if not self._stretches:
            super().update_state(response, data)
            moment = self._steps.moment
            if self._steps.is_at_a_border and moment and isinstance(moment.value, int):
                self._moments.append(moment.value)
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
        return (
            not self._stretches
            and len(self._moments) >= FEW_PAGES
            and self._steps.is_at_a_border
            and self._moments[0] >= self._moments[-1]
        )

    def _split(self, request: Request) -> None:
        params = dict(self._first_params)
        if self._limit_param:
            params[self._limit_param] = self._steps.limit
        since = as_integer(params.get(str(self._since_param)))
        stretches = split(self._moments, since, self._beginning)
        self._moments.clear()
        if not stretches:
            return
        newest, *older = stretches
        # Rows of the moment that the list has come to may not all have been read. Of the moments
        # between stretches the newer one reads them all.
        bounds = [(newest[0], newest[1] + 1), *older]
        page_size = self._steps.page_size

        def create(bound: tuple[int | None, int]) -> Stretch:
            return Stretch(params, *bound, page_size, **self._words)

        # From here on each stretch decides for itself.
        self._step = None
        self._stretches.extend(map(create, bounds))
        self._unread.update(self._stretches)
        self._announce(
            ListAhead(_copy_of(request), create(bound), self._selector) for bound in bounds
        )


def _copy_of(request: Request) -> Request:
    copied = copy(request)
    copied.params = dict(request.params)
    return copied


def split(moments: list[int], since: int | None, beginning: int) -> list[tuple[int | None, int]]:
    """The stretches in which the rest of a list is read, the newest first.

    They become longer towards the past, so that there are never many.

    Args:
        moments: The moments of the last rows of the pages read, in epoch milliseconds.
        since: The oldest moment wanted; None wants all.
        beginning: A moment before which there is little: what is before it is one stretch.
    """
    first = beginning if since is None else since + 1
    length = max(moments[0] - moments[-1], 1.0)
    bounds = [moments[-1]]
    while bounds[-1] > first:
        bounds.append(max(int(bounds[-1] - length), first))
        length *= GROWTH
    stretches: list[tuple[int | None, int]] = [(older, newer) for newer, older in pairwise(bounds)]
    return stretches if since is not None else [*stretches, (None, bounds[-1])]
