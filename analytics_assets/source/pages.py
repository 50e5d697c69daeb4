"""Holds every page against what was asked for, so that no list ends early or never.

dlt's paginators trust the server: an error with status 200 is a page without rows to them, a cursor
of 0 is the end, and a cursor that comes back is followed for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.client import PageData
from dlt.sources.helpers.rest_client.paginators import (
    BasePaginator,
    JSONResponseCursorPaginator,
    RangePaginator,
)
from jsonpath_ng import JSONPath
from requests import Request, Response, codes

from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.records import Page

compiled = lru_cache(jsonpath.compile_path)


class CursorPaginator(JSONResponseCursorPaginator):
    """dlt's paginator for a cursor in the body, which follows a cursor of 0, too."""

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Reads the cursor; only a missing, null, false or empty one is the end."""
        super().update_state(response, data)
        if self._next_reference is None:
            cursors = jsonpath.find_values(self.cursor_path, response.json())
            if cursors and cursors[0] == 0 and cursors[0] is not False:
                self._next_reference = cursors[0]


class CheckedPaginator(BasePaginator):
    """Another paginator, whose pages and steps are checked.

    - A body without the declared list is an error. A single record in its place is a page of one.
    - A request that was sent before in the same list is an error: the cursor did not advance.
    - So is a numbered page with the rows of the one before: the API does not heed the number.
    """

    def __init__(
        self, create: Callable[[], BasePaginator], selector: str | None, id_fields: list[str]
    ) -> None:
        """Wraps a paginator.

        Args:
            create: Makes what finds the way on.
            selector: Where the list is; None leaves it to dlt to find it, and its body unchecked.
            id_fields: Fields of which a record has one at least.
        """
        super().__init__()
        self._create = create
        self._paginator = create()
        self._selector = selector
        # Of an empty list `[*]` selects nothing, as of a missing one.
        self._list = compiled(selector.removesuffix("[*]")) if selector else None
        self._id_fields = id_fields
        self._asked: set[str] = set()
        self._last_page = ""

    def __deepcopy__(self, _: object) -> CheckedPaginator:
        """One for another list: dlt asks for a copy for each parent of a child."""
        return CheckedPaginator(self._create, self._selector, self._id_fields)

    @property
    def has_next_page(self) -> bool:
        """Whether the paginator goes on."""
        return self._paginator.has_next_page

    def init_request(self, request: Request) -> None:
        """Prepares the first request."""
        self._paginator.init_request(request)
        self._asked.add(_identity(request))

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Checks the body, then lets the paginator read it."""
        page = data if data is not None else []
        if response.status_code == codes.no_content:
            self._paginator._has_next_page = False
            return
        if self._list is not None:
            self._check_body(response, page, self._list)
        if isinstance(self._paginator, RangePaginator):
            self._check_numbered_page(self._paginator, response, page)
        else:
            self._paginator.update_state(response, page)

    def update_request(self, request: Request) -> None:
        """Lets the paginator make the next request, then checks that it is another one."""
        self._paginator.update_request(request)
        if not self._paginator.has_next_page:
            return
        identity = _identity(request)
        if identity in self._asked:
            raise AnalyticsApiError(
                f"{request_line(request)} would be asked a second time with {request.params}: the "
                "API's cursor did not advance, so the rest of the list cannot be asked for."
            )
        self._asked.add(identity)

    def _check_body(self, response: Response, page: Page, declared: JSONPath) -> None:
        body = response.json()
        selected = jsonpath.find_values(declared, body)
        if not selected and self._is_record(body):
            page.append(dict(body))
            return
        if not selected or not (
            isinstance(selected[0], list | None)
            or (self._selector != "$" and self._is_record(selected[0]))
        ):
            found = f"the keys {sorted(body)}" if isinstance(body, Mapping) else "something else"
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered {response.status_code} without the "
                f"declared list `{self._selector}`: it has {found}. If the API has renamed it, "
                "change `data_selector` in the configuration."
            )
        if not all(isinstance(row, Mapping) for row in page):
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered rows that are no objects in "
                f"`{self._selector}`: choose another `data_selector` in the configuration."
            )

    def _check_numbered_page(
        self, paginator: RangePaginator, response: Response, page: Page
    ) -> None:
        request = request_line(response.request)
        # As text, for the steps of the load change the rows in place.
        before, self._last_page = self._last_page, json.dumps(page)
        if page and self._last_page == before:
            raise AnalyticsApiError(
                f"{request} answered the same {len(page)} rows again: the API does not heed the "
                f"parameter `{paginator.param_name or paginator.param_body_path}`, so the rest of "
                "the list cannot be asked for. Correct `paginator` in the configuration."
            )
        try:
            paginator.update_state(response, page)
        except ValueError:
            paths = [str(p) for p in (paginator.total_path, paginator.has_more_path) if p]
            # Without dlt's error, which repeats the whole body.
            raise AnalyticsApiError(
                f"{request} answered {response.status_code} without `{'` or `'.join(paths)}`, by "
                "which its list is to end. Correct `paginator` in the configuration."
            ) from None

    def _is_record(self, value: Any) -> bool:
        is_error = isinstance(value, Mapping) and "error" in value
        return isinstance(value, Mapping) and not is_error and any(map(value.get, self._id_fields))


class LastPage:
    """Tells whether a list has come to its end.

    Attributes:
        is_reached: Whether the page seen last is the last one.
    """

    def __init__(self) -> None:
        """Begins before the first page."""
        self.is_reached = False

    def note(self, page: PageData[Any]) -> PageData[Any]:
        """A step that lets dlt's pages pass, which know the paginator that read them."""
        self.is_reached = not page.paginator.has_next_page
        return page


def _identity(request: Request) -> str:
    return str((request.url, request.params, request.json, request.data))
