"""Ends the list of one parent where its pages are wrong, so that other parents are asked."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from requests import PreparedRequest, Request, Response

from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.records import Page


class ParentPaginator(BasePaginator):
    """The paginator of the list of each parent in turn, whose errors a fan-out may take."""

    def __init__(self, paginator: BasePaginator, fan_out: FanOut) -> None:
        """Wraps a paginator.

        Args:
            paginator: Reads the list, and checks its pages.
            fan_out: Takes what is wrong with them.
        """
        super().__init__()
        self._paginator = paginator
        self._fan_out = fan_out

    def __deepcopy__(self, memo: dict[int, object]) -> ParentPaginator:
        """One for another parent: dlt asks for a copy for each."""
        return ParentPaginator(deepcopy(self._paginator, memo), self._fan_out)

    @property
    def has_next_page(self) -> bool:
        """Whether the list goes on."""
        return not self._fan_out.is_current_unanswered and self._paginator.has_next_page

    def init_request(self, request: Request) -> None:
        """Prepares the first request."""
        self._paginator.init_request(request)

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Lets the paginator read a page; of one that is wrong no row is kept."""
        page = data if data is not None else []
        if not self._fan_out.is_current_unanswered:
            self._try(lambda: self._paginator.update_state(response, page), response.request)
        if self._fan_out.is_current_unanswered:
            page.clear()

    def update_request(self, request: Request) -> None:
        """Lets the paginator make the next request."""
        if not self._fan_out.is_current_unanswered:
            self._try(lambda: self._paginator.update_request(request), request)

    def _try(self, step: Callable[[], None], request: Request | PreparedRequest) -> None:
        try:
            step()
        except Exception as error:
            fault: Exception = error
            if not isinstance(error, AnalyticsApiError):
                fault = AnalyticsApiError(
                    f"{request_line(request)} answered a page that its list cannot go on from "
                    # Without its text, which may repeat the page.
                    f"({type(error).__name__})."
                )
            if not self._fan_out.take(fault):
                raise
