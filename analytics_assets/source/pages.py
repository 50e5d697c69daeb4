"""Holds every page against what was asked for, so that no list ends early or never.

dlt's paginators trust the server: an error with status 200 is a page without rows to them, a cursor
of 0 is the end, and a cursor that comes back is followed for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import lru_cache
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.client import PageData
from dlt.sources.helpers.rest_client.paginators import BasePaginator, RangePaginator
from jsonpath_ng import JSONPath
from requests import Request, Response, codes

from analytics_assets.source.api_words import words_of
from analytics_assets.source.bare_list import BareListPaginator
from analytics_assets.source.bodies import is_one_line
from analytics_assets.source.brought import BroughtRows
from analytics_assets.source.cursor_pages import LIMIT, CursorPaginator
from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.hooks import (
    add_hook,
    refuse_empty_body,
    refuse_empty_body_but_no_content,
    remove_hook,
)
from analytics_assets.source.looks import Looks, Way
from analytics_assets.source.records import Page

PARTS = ("url", "params", "json", "data")
"""What paginators change of a request."""

BARE = "$"
"""Selects a body that is the list itself."""

compiled = lru_cache(jsonpath.compile_path)


class CheckedPaginator(BasePaginator):
    """Another paginator, whose pages and steps are checked.

    - A body without the declared list is an error. A single record in its place is a page of one.
    - A request that was sent before in the same list is an error: the cursor did not advance.
    - So is a numbered page with the rows of the one before: the API does not heed the number.
    - Rows that the list has brought already are taken out of a page.
    - A list of several pages that may move while it is read is looked at again from its beginning.
    """

    def __init__(
        self,
        create: Callable[[], BasePaginator],
        selector: str | None,
        id_fields: list[str],
        create_looks: Callable[[], Looks] | None,
    ) -> None:
        """Wraps a paginator.

        Args:
            create: Makes what finds the way on.
            selector: Where the list is; None leaves it to dlt to find it, and its body unchecked.
            id_fields: Fields of which a record has one at least.
            create_looks: Makes what decides on looks at the beginning; None where it stands still.
        """
        super().__init__()
        self._create = create
        self._paginator = create()
        self._selector = selector
        # Of an empty list `[*]` selects nothing, as of a missing one.
        self._list = compiled(selector.removesuffix("[*]")) if selector else None
        self._id_fields = id_fields
        self._create_looks = create_looks
        self._looks = create_looks() if create_looks else None
        self._brought = BroughtRows()
        self._first_request: dict[str, Any] = {}
        self._asked: set[str] = set()
        self._last_page = ""
        self._pages = 0
        self._way = Way.NEXT_PAGE

    def __deepcopy__(self, _: object) -> CheckedPaginator:
        """One for another list: dlt asks for a copy for each parent of a child."""
        return CheckedPaginator(self._create, self._selector, self._id_fields, self._create_looks)

    @property
    def has_next_page(self) -> bool:
        """Whether the list goes on, or is looked at again."""
        return self._way is Way.BEGINNING or (
            self._way is Way.NEXT_PAGE and self._paginator.has_next_page
        )

    def init_request(self, request: Request) -> None:
        """Prepares the first request."""
        self._first_request = {part: deepcopy(getattr(request, part)) for part in PARTS}
        self._begin(request)

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Checks the body, then lets the paginator read it."""
        page = data if data is not None else []
        paginator = self._paginator
        is_refused = isinstance(paginator, CursorPaginator) and paginator.may_be_refused
        if response.status_code == codes.no_content and not is_refused:
            self._way = self._way_from_the_end(response, page)
            return
        if self._list is not None and not is_refused:
            self._check_body(response, page, self._list)
        if isinstance(paginator, RangePaginator):
            self._check_numbered_page(paginator, response, page)
        else:
            paginator.update_state(response, page)
        if self._selector == BARE:
            page[:] = [row for row in page if row is not None]
        self._way = self._way_on(response, page)

    def update_request(self, request: Request) -> None:
        """Lets the paginator make the next request, then checks that it is another one."""
        if self._way is Way.NOTHING:
            return
        if self._way is Way.BEGINNING:
            for part, value in self._first_request.items():
                setattr(request, part, deepcopy(value))
            self._paginator = self._create()
            self._begin(request)
            return
        self._paginator.update_request(request)
        if not self.has_next_page:
            return
        if self._may_end_without_a_body():
            remove_hook(request, refuse_empty_body)
            add_hook(request, refuse_empty_body_but_no_content)
        identity = _identity(request)
        if identity in self._asked:
            raise AnalyticsApiError(
                f"{request_line(request)} would be asked a second time with "
                f"{self._position_in(request)}: the API's cursor did not advance, so the rest of "
                "the list cannot be asked for."
            )
        self._asked.add(identity)

    def _position_in(self, request: Request) -> dict[str, Any]:
        """The cursor and the limit of a request: other parameters may be secrets."""
        first = self._first_request["params"] or {}
        return {
            name: value
            for name, value in dict(request.params or {}).items()
            if LIMIT.fullmatch(name) or value != first.get(name)
        }

    def _begin(self, request: Request) -> None:
        if self._selector != BARE:
            remove_hook(request, refuse_empty_body_but_no_content)
            add_hook(request, refuse_empty_body)
        self._paginator.init_request(request)
        self._asked = {_identity(request)}
        self._last_page = ""

    def _may_end_without_a_body(self) -> bool:
        """Whether 204 tells that the numbered page before it was the last one."""
        is_numbered = isinstance(self._paginator, RangePaginator)
        return self._selector != BARE and is_numbered and self._pages > 0

    def _way_from_the_end(self, response: Response, page: Page) -> Way:
        if self._looks is None or self._pages <= 1:
            return Way.NOTHING
        return self._looks.way_on(page, request_line(response.request), is_last=True)

    def _way_on(self, response: Response, page: Page) -> Way:
        """Takes out of a page what the list has brought, and decides what it is asked for next."""
        is_last = not self._paginator.has_next_page
        # A numbered page without a row only tells that the one before was the last.
        self._pages += bool(page) or not isinstance(self._paginator, RangePaginator)
        if is_last and self._pages <= 1:
            return Way.NOTHING
        if isinstance(self._paginator, BareListPaginator):
            return Way.NEXT_PAGE
        if self._looks is None:
            page[:] = self._brought.new_rows(page)
            return Way.NEXT_PAGE
        return self._looks.way_on(page, request_line(response.request), is_last=is_last)

    def _check_body(self, response: Response, page: Page, declared: JSONPath) -> None:
        body = response.json()
        selected = jsonpath.find_values(declared, body)
        if not selected and self._is_record(body):
            page.append(dict(body))
            return
        if not selected or not (
            isinstance(selected[0], list | None) or self._is_one_row(response, selected[0])
        ):
            found = f"the keys {sorted(body)}" if isinstance(body, Mapping) else "something else"
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered {response.status_code} without the "
                f"declared list `{self._selector}`: it has {found}. If the API has renamed it, "
                "change `data_selector` in the configuration."
            )
        if isinstance(body, Mapping) and body.get("error"):
            said = words_of(response)
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered {response.status_code} with an error "
                f"beside the list `{self._selector}`{f' ({said})' if said else ''}: nobody can "
                "tell whether the list is whole."
            )
        rows = [row for row in page if row is not None or self._selector != BARE]
        if not all(isinstance(row, Mapping) for row in rows):
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

    def _is_one_row(self, response: Response, value: Any) -> bool:
        """Whether a value that stands in place of a list is its only row."""
        if self._selector == BARE and is_one_line(response):
            return True
        is_told_apart = self._selector != BARE or isinstance(self._paginator, BareListPaginator)
        return is_told_apart and self._is_record(value)

    def _is_record(self, value: Any) -> bool:
        is_error = isinstance(value, Mapping) and bool(value.get("error"))
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
