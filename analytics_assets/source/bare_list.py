"""Completes a bare list of rows, which an API cuts without saying so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from analytics_assets.configuration import BareList
from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.numerals import epoch
from analytics_assets.source.records import Page
from analytics_assets.source.values import Record


class BareListPaginator(BasePaginator):
    """Completes a bare list of rows in ascending time, cut at its limit without saying so.

    1. `limit` rows are asked for. Fewer are the whole list.
    2. A full page may be cut: everything is asked for at once (the API's description: "Provide
       `-1` to return all available logs"). Where more than `limit` rows come, everything since the
       last one's time is asked for until nothing more comes: there may be a larger limit.
    3. Where the server cuts that, too, pages follow each other by time. Each begins in the middle
       of the one before: the rows of one time may stand on both sides of a cut, and times that
       differ little may stand in any order.

    Each row reaches the caller once: what earlier pages brought is taken out of a later one.
    """

    def __init__(self, bare_list: BareList) -> None:
        super().__init__()
        self._words = bare_list
        self._limit = 0
        self._next_params: dict[str, Any] = {}
        self._read_page: Callable[[Response, Page], None] = self._read_first_page
        self._first_page: Page = []
        self._known: Counter[str] = Counter()

    def init_request(self, request: Request) -> None:
        """Learns the limit from the request's own parameter."""
        self._limit = int(request.params[self._words["limit_param"]])

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Keeps the rows of a page that no other page brings, and decides on the next request."""
        self._has_next_page = False
        self._read_page(response, data if data is not None else [])

    def update_request(self, request: Request) -> None:
        """Asks for what `update_state` decided."""
        request.params = {**request.params, **self._next_params}

    def _read_first_page(self, _: Response, page: Page) -> None:
        if len(page) < self._limit:
            return
        self._first_page = list(page)
        page.clear()
        self._go_on(self._read_everything, {self._words["limit_param"]: self._words["everything"]})

    def _read_everything(self, response: Response, page: Page) -> None:
        if len(page) <= self._limit:
            page[:] = self._first_page
            self._read_time_page(response, page)
            return
        self._next_params = {self._words["limit_param"]: self._words["everything"]}
        self._read_rest(response, page)

    def _read_rest(self, _: Response, page: Page) -> None:
        times = [time for row in page if (time := self._time_of(row)) is not None]
        page[:] = self._unknown(page)
        if page and times:
            since = {self._words["since_param"]: max(times) - 1}
            self._go_on(self._read_rest, {**self._next_params, **since})

    def _read_time_page(self, response: Response, page: Page) -> None:
        is_full = len(page) >= self._limit
        times = sorted(self._time(response, row) for row in page) if is_full else []
        page[:] = self._unknown(page)
        if not is_full:
            return
        if not page:
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered the same {len(times)} rows again: the "
                "list is longer than one page, and its time did not advance, so its rest cannot be "
                "asked for."
            )
        self._go_on(
            self._read_time_page,
            {
                self._words["limit_param"]: self._limit,
                # One less, because servers disagree whether a row of that very time is included.
                self._words["since_param"]: times[len(times) // 2] - 1,
            },
        )

    def _unknown(self, page: Page) -> Page:
        """The rows that no earlier page brought; equal rows count as often as one page has them."""
        on_page: Counter[str] = Counter()
        unknown: Page = []
        for row in page:
            content = json.dumps(row, sort_keys=True)
            on_page[content] += 1
            if on_page[content] > self._known[content]:
                unknown.append(row)
        self._known |= on_page
        return unknown

    def _go_on(self, read_page: Callable[[Response, Page], None], params: dict[str, Any]) -> None:
        self._has_next_page = True
        self._read_page = read_page
        self._next_params = params

    def _time_of(self, row: Record) -> int | None:
        values = (row.get(field) for field in self._words["time_fields"])
        times = (int(value) if isinstance(value, float) else epoch(value) for value in values)
        return next((time for time in times if time is not None), None)

    def _time(self, response: Response, row: Record) -> int:
        time = self._time_of(row)
        if time is not None:
            return time
        raise AnalyticsApiError(
            f"{request_line(response.request)} answered a full page with a "
            f"row that has none of {self._words['time_fields']}: its rest cannot be asked for."
        )
