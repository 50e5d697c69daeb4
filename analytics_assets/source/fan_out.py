"""Keeps count of a fan-out: the parents of a child that are asked for, one request or more each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from dlt.sources.helpers.rest_client.client import PageData
from requests import Response, codes

from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.records import Page
from analytics_assets.source.telling import Sparsely, Tell
from analytics_assets.source.traffic import Traffic

PARENTS_PER_LOAD = 1000
"""Parents whose rows are committed together: what a killed load has to ask for again at most."""
PARENTS_AT_FIRST = 500
"""The same while nobody knows how many rows a parent has."""
FEWEST_PARENTS = 20
"""Fewer could all be gone without anything being wrong with their endpoint."""
ROWS_PER_LOAD = 50_000
"""Rows from which on the next load has fewer parents: what is loaded at once is in memory."""


class FanOut:
    """The progress of a child over its parents.

    Attributes:
        gone: Parents that the API no longer knows.
        is_complete: Whether the load just made was the last one of this fan-out.
        place: The last parent of this load; None of a list that is asked for in full.
        parents_load: The parent's newest load when a window began; "" without a window.
        parents: The parents of this load, with the fields that their children keep.
    """

    def __init__(
        self, name: str, traffic: Traffic, tell: Tell, show: Callable[[int, int], None]
    ) -> None:
        """Begins with no parent.

        Args:
            name: The child.
            traffic: The requests of the load.
            tell: Receives a sentence on the progress now and then, after the first ten seconds.
            show: Receives the parents asked so far, and all, each time that one was.
        """
        self.gone = 0
        self.is_complete = True
        self.place: Sequence[str] | None = None
        self.parents_load = ""
        self.parents: Page = []
        self._name = name
        self._traffic = traffic
        self._show = show
        self._total = 0
        self._done = 0
        self._rows = 0
        self._was_served = False
        self._in_this_load = 0
        self._gone_in_this_load = 0
        self._done_in_this_load = 0
        self._started = time.monotonic()
        self._tell = Sparsely.after_a_pause(tell)

    def begin(self, parents: Page, pending: int, *, was_served: bool) -> None:
        """Notes what a load is about to ask for.

        Args:
            parents: The parents this load asks for.
            pending: The parents that were not asked for yet, these included.
            was_served: Whether the API ever answered rows to such a request.
        """
        self.parents = parents
        self.is_complete = len(parents) == pending
        self._was_served = was_served
        self._total = self._done + pending
        self._in_this_load = len(parents)
        self._gone_in_this_load = 0
        self._done_in_this_load = 0

    @property
    def parents_per_load(self) -> int:
        """The parents to ask for in the next load, by the rows that those before it had."""
        if not self._done:
            return min(PARENTS_AT_FIRST, PARENTS_PER_LOAD)
        expected = ROWS_PER_LOAD * self._done // max(self._rows, 1)
        return min(max(expected, FEWEST_PARENTS), PARENTS_PER_LOAD)

    @property
    def is_answered(self) -> bool:
        """Whether a parent of this load was answered, be it without rows."""
        return self._done_in_this_load > self._gone_in_this_load

    @property
    def was_answered(self) -> bool:
        """Whether a parent of any load of this fan-out was answered, be it without rows."""
        return self._done > self.gone

    @property
    def is_through(self) -> bool:
        """Whether each parent of this load was asked for."""
        return self._done_in_this_load >= self._in_this_load

    def count(self, page: PageData[Any]) -> PageData[Any]:
        """A step that notes that a parent's rows have come, with the last page of them."""
        self._rows += len(page)
        if page.paginator.has_next_page:
            return page
        self._done += 1
        self._done_in_this_load += 1
        self._show(self._done, self._total)
        if self._tell.is_due:
            elapsed = time.monotonic() - self._started
            left = elapsed / self._done * (self._total - self._done)
            self._tell(
                f"{self._name}: {self._done} of {self._total} parents asked, "
                f"{self._traffic.requests / elapsed:.0f} requests a second, {left:.0f} s left."
            )
        return page

    def skip_parent_that_is_gone(self, response: Response) -> None:
        """A response hook for a 404: the parent was deleted since it was listed, and has no rows.

        Raises:
            AnalyticsApiError: If each of several parents is gone, and never one had rows, or a
                whole batch is: then it is the endpoint that the API does not serve.
        """
        self.gone += 1
        self._gone_in_this_load += 1
        gone = self._gone_in_this_load
        is_endpoint_gone = not self._was_served or not self.is_complete
        if is_endpoint_gone and gone == self._in_this_load > 1:
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered 404, as for each of its {gone} "
                "parents: the API at ANALYTICS_BASE_URL does not serve this request."
            )
        response.status_code = codes.no_content
        response.json = lambda **_: None  # type: ignore[method-assign]  # it has no place for a body
