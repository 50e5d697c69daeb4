"""Reads a long list in several stretches of time at once.

The pages of a list follow each other by their cursor: thousand pages of an API that takes 50 ms to
answer take a minute, whatever the number of connections. A list that the API gives by time can be
asked for from several moments on.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from itertools import pairwise
from typing import Any

from requests import Request, Response

from analytics_assets.source.cursor_pages import CursorPaginator
from analytics_assets.source.moments import as_integer
from analytics_assets.source.records import Page

FEW_PAGES = 10
"""Pages that are read one after the other: most lists are no longer, and stretches without a row
cost a request each."""
GROWTH = 1.15
"""How much longer each stretch is than the one after it: nobody knows how far the list goes back,
nor whether it had as many rows in a year as it has now."""


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

    def first_request(self, request: Request) -> Request:
        """The request for its first page.

        Args:
            request: One for the list.
        """
        first = copy(request)
        first.params = dict(self._first_params)
        return first


class SplitPaginator(CursorPaginator):
    """Follows the cursor of a list, and splits what a few pages have left of it into stretches."""

    def __init__(self, beginning: int, **words: Any) -> None:
        """Begins before the first page.

        Args:
            beginning: A moment before which there is little, in epoch milliseconds.
            words: Those of `CursorPaginator`, `since_param` among them.
        """
        super().__init__(**words)
        self._beginning = beginning
        self._words = words
        self._moments: list[int] = []

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Reads the cursor, and notes the moment of each border."""
        super().update_state(response, data)
        moment = self._steps.moment
        if self._steps.is_at_a_border and moment and isinstance(moment.value, int):
            self._moments.append(moment.value)

    def split(self, request: Request) -> list[tuple[Request, Stretch]]:
        """The stretches in which the rest of a long list is read, each with its first request.

        Args:
            request: The request that has brought the last page.

        Returns:
            None of a list that is not known to be long.
        """
        if not self._is_long():
            return []
        params = dict(self._first_params)
        if self._limit_param:
            params[self._limit_param] = self._steps.limit
        since = as_integer(params.get(str(self._since_param)))
        bounds = split(self._moments, since, self._beginning)
        self._moments.clear()
        if not bounds:
            return []
        newest, *older = bounds
        # Rows of the moment that the list has come to may not all have been read. Of the moments
        # between stretches the newer one reads them all.
        bounds = [(newest[0], newest[1] + 1), *older]
        page_size = self._steps.page_size
        stretches = [Stretch(params, *bound, page_size, **self._words) for bound in bounds]
        return [(stretch.first_request(request), stretch) for stretch in stretches]

    def _is_long(self) -> bool:
        return (
            len(self._moments) >= FEW_PAGES
            and self._steps.is_at_a_border
            and self._moments[0] >= self._moments[-1]
        )


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
