"""Completes a bare list of rows, which an API cuts without saying so."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from analytics_assets.configuration import BareList
from analytics_assets.source.brought import BroughtRows
from analytics_assets.source.clock import iso_moment
from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.numerals import epoch
from analytics_assets.source.records import Page
from analytics_assets.source.steps import LARGER
from analytics_assets.source.values import Record


class BareListPaginator(BasePaginator):
    """Completes a bare list of rows in ascending time, cut at its limit without saying so.

    1. `limit` rows are asked for. Fewer are the whole list.
    2. A full page may be cut: everything is asked for at once (the API's description: "Provide
       `-1` to return all available logs"). Where more than `limit` rows come, what is later than
       them is asked for, too: there may be a larger limit.
    3. Where the server cuts that, too, pages follow each other by time. Each begins in the middle
       of the one before: the rows of one time may stand on both sides of a cut, and times that
       differ little may stand in any order.
    4. Where such a page has no new row, it begins too early, or one time has more rows than a page
       holds: what is later is asked for, then a larger page. Then it is an error.

    Each row reaches the caller once: what earlier pages brought is taken out of a later one. A null
    in place of a row, which the API's description allows, counts as one where a page is full.
    """

    def __init__(self, bare_list: BareList) -> None:
        super().__init__()
        self._words = bare_list
        self._limit = 0
        # What is asked for next, and the rows from which on its page may have been cut.
        self._asked: _Asked = _Asked(0)
        self._full = 0
        self._is_cut = False
        self._is_inclusive = False
        self._stuck_at = _Asked(0)
        self._read_page: Callable[[Response, Page], None] = self._read_first_page
        self._first_page: Page = []
        self._brought = BroughtRows()

    def init_request(self, request: Request) -> None:
        """Learns the limit from the request's own parameter."""
        self._limit = self._full = int(request.params[self._words["limit_param"]])
        self._asked = _Asked(self._limit)

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Keeps the rows of a page that no other page brings, and decides on the next request."""
        self._has_next_page = False
        self._read_page(response, data if data is not None else [])

    def update_request(self, request: Request) -> None:
        """Asks for what `update_state` decided."""
        request.params = {**request.params, self._words["limit_param"]: self._asked.limit}
        if self._asked.since is not None:
            request.params[self._words["since_param"]] = self._asked.since

    def _read_first_page(self, _: Response, page: Page) -> None:
        if len(page) < self._limit:
            return
        self._first_page = list(page)
        page.clear()
        self._go_on(self._read_everything, limit=self._words["everything"])

    def _read_everything(self, response: Response, page: Page) -> None:
        if len(page) <= self._limit:
            page[:] = self._first_page
            self._asked = _Asked(self._limit)
            self._read_time_page(response, page)
            return
        self._full = len(page)
        self._is_cut = self._is_round(page)
        times = self._times(page)
        page[:] = self._brought.new_rows(page)
        if times:
            self._middle = times[len(times) // 2]
            self._go_on(self._read_what_is_later, since=times[-1] - 1)

    def _read_what_is_later(self, response: Response, page: Page) -> None:
        is_full, times = len(page) >= self._full, self._times(page)
        page[:] = self._brought.new_rows(page)
        if page:
            self._is_cut = True
            self._go_on(self._read_time_page, since=self._middle - 1)
        elif is_full and times:
            self._find_a_way_on(times[-1])

    def _read_time_page(self, response: Response, page: Page) -> None:
        is_full = len(page) >= self._full
        times = self._times_of_all(response, page) if is_full else []
        page[:] = self._brought.new_rows(page)
        if not is_full:
            return
        self._is_cut = True
        self._is_inclusive |= times[0] == self._asked.since
        if page:
            self._go_on(self._read_time_page, since=self._since(times[len(times) // 2]))
        else:
            self._find_a_way_on(times[-1])

    def _find_a_way_on(self, latest: int) -> None:
        """Decides what to ask for after a full page without a new row."""
        if self._asked.since is None or self._asked.since < self._since(latest):
            self._go_on(self._read_time_page, since=self._since(latest))
            return
        self._stuck_at = _Asked(self._asked.limit, latest)
        self._go_on(self._read_larger_page, limit=LARGER * self._full)

    def _read_larger_page(self, response: Response, page: Page) -> None:
        if len(page) > self._full:
            self._full = len(page) if self._is_round(page) else self._asked.limit
            self._read_time_page(response, page)
            return
        page[:] = self._brought.new_rows(page)
        self._asked = self._stuck_at
        self._go_on(self._read_from_the_latest)

    def _read_from_the_latest(self, response: Response, page: Page) -> None:
        """Reads what a server answers that includes the time asked for, or what is later."""
        is_full, times = len(page) >= self._full, self._times(page)
        self._is_inclusive |= self._stuck_at.since in times
        page[:] = self._brought.new_rows(page)
        if self._is_inclusive and not is_full:
            return
        if self._is_inclusive and page:
            self._go_on(self._read_time_page, since=self._since(times[len(times) // 2]))
        elif self._is_cut or page:
            moment = iso_moment(self._stuck_at.since or 0)
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered the same {self._full} rows again, the "
                f"last of them of {moment}: more rows have one time than a page holds, or the time "
                "asked for is not heeded; it did not advance, so the rest of the list cannot be "
                "asked for."
            )

    def _since(self, time: int) -> int:
        """What to ask for to be given the rows of a time, too: servers disagree on it."""
        return time if self._is_inclusive else time - 1

    def _is_round(self, page: Page) -> bool:
        """Whether a page has as many rows as a server cuts one at."""
        return len(page) % self._limit == 0

    def _go_on(
        self,
        read_page: Callable[[Response, Page], None],
        limit: int | None = None,
        since: int | None = None,
    ) -> None:
        self._has_next_page = True
        self._read_page = read_page
        self._asked = _Asked(
            self._asked.limit if limit is None else limit,
            self._asked.since if since is None else since,
        )

    def _times(self, page: Page) -> list[int]:
        """The times of the rows that tell one, in ascending order."""
        return sorted(time for row in page if (time := self._time_of(row)) is not None)

    def _times_of_all(self, response: Response, page: Page) -> list[int]:
        times = self._times(page)
        if len(times) == sum(row is not None for row in page) and times:
            return times
        raise AnalyticsApiError(
            f"{request_line(response.request)} answered a full page with a "
            f"row that has none of {self._words['time_fields']}: its rest cannot be asked for."
        )

    def _time_of(self, row: Record | None) -> int | None:
        values = ((row or {}).get(field) for field in self._words["time_fields"])
        times = (int(value) if isinstance(value, float) else epoch(value) for value in values)
        return next((time for time in times if time is not None), None)


class _Asked(NamedTuple):
    """What a request asks for."""

    limit: int
    since: int | None = None
