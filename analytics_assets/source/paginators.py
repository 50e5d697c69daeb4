"""A paginator for lists that the API cuts without saying so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import Request, Response

from analytics_assets.configuration import BareList
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.records import Page, Record


class BareListPaginator(BasePaginator):
    """Completes a bare list of rows in ascending time, cut at its limit without saying so.

    1. `limit` rows are asked for. Fewer are the whole list.
    2. A full page may be cut: everything is asked for at once (the API's description: "Provide
       `-1` to return all available logs"). More than `limit` rows are the whole list.
    3. Where the server cuts that, too, pages follow each other by time. The rows of a full page's
       last millisecond are left to the next page, so that none is lost or comes twice.

    Each row reaches the caller once; a page that is asked for again is emptied.
    """

    def __init__(self, bare_list: BareList) -> None:
        super().__init__()
        self._words = bare_list
        self._limit = 0
        self._next_params: dict[str, Any] = {}
        self._read_page: Callable[[Response, Page], None] = self._read_first_page
        self._first_page: Page = []
        self._boundary = 0

    def init_request(self, request: Request) -> None:
        """Learns the limit from the request's own parameter."""
        self._limit = int(request.params[self._words["limit_param"]])

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Keeps the rows of a page that no later page brings, and decides on the next request."""
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
        if len(page) > self._limit:
            return
        page[:] = self._first_page
        self._read_time_page(response, page)

    def _read_time_page(self, response: Response, page: Page) -> None:
        is_full = len(page) >= self._limit
        times = [self._time(response, row) for row in page]
        if is_full:
            if times != sorted(times) or times[-1] <= self._boundary:
                raise AnalyticsApiError(
                    f"{response.request.method} {response.request.path_url} answered the same "
                    f"{len(page)} rows again: the list is longer than one page, and its time did "
                    "not advance, so its rest cannot be asked for."
                )
            last = times[-1]
        page[:] = [
            row
            for row, time in zip(page, times, strict=True)
            if time >= self._boundary and not (is_full and time == last)
        ]
        if is_full:
            self._boundary = last
            # One less, because servers disagree whether the row of that very time is included.
            self._go_on(
                self._read_time_page,
                {
                    self._words["limit_param"]: self._limit,
                    self._words["since_param"]: last - 1,
                },
            )

    def _go_on(self, read_page: Callable[[Response, Page], None], params: dict[str, Any]) -> None:
        self._has_next_page = True
        self._read_page = read_page
        self._next_params = params

    def _time(self, response: Response, row: Record) -> int:
        for field in self._words["time_fields"]:
            if isinstance(row.get(field), int):
                return int(row[field])
        raise AnalyticsApiError(
            f"{response.request.method} {response.request.path_url} answered a full page with a "
            f"row that has none of {self._words['time_fields']}: its rest cannot be asked for."
        )
