"""Reads a list page by page, and holds each page against what was asked for.

No list is to end early, or never: dlt's paginators trust the server. An error with status 200 is a
page without rows to them, a cursor of 0 is the end, and a cursor that comes back is followed for
ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.detector import find_response_page_data
from dlt.sources.helpers.rest_client.paginators import BasePaginator, RangePaginator
from jsonpath_ng import JSONPath
from requests import Request, Response, codes, exceptions

from analytics_assets.source.api_words import words_of
from analytics_assets.source.bare_list import BareListPaginator
from analytics_assets.source.bodies import is_one_line
from analytics_assets.source.brought import BroughtRows
from analytics_assets.source.cursor_pages import LIMIT, CursorPaginator
from analytics_assets.source.errors import AnalyticsApiError, request_line
from analytics_assets.source.looks import Looks, Way
from analytics_assets.source.records import Page
from analytics_assets.source.stretches import SplitPaginator
from analytics_assets.source.values import Record

PARTS = ("url", "params", "json", "data")
"""What paginators change of a request."""

BARE = "$"
"""Selects a body that is the list itself."""

TOO_LARGE: Collection[int] = (
    codes.bad_request,
    codes.request_entity_too_large,
    codes.unprocessable_entity,
)
"""Answers to a limit that a server does not take."""


@dataclass(frozen=True)
class ListPlan:
    """How the lists of a resource are read.

    Attributes:
        create_paginator: Makes what finds the way on.
        selector: Where the rows are; "" leaves it to dlt to find them, and bodies unchecked.
        rows_at: The same, compiled.
        list_at: Where the list is.
        id_fields: Fields of which a record has one at least.
        may_move: Whether rows may change their places while a list is read.
        may_be_one_record: Whether a record that stands in place of a list is its only row.
        change: Makes the rows of the resource of those of a page.
    """

    create_paginator: Callable[[], BasePaginator]
    selector: str
    rows_at: JSONPath | None
    list_at: JSONPath | None
    id_fields: Sequence[str]
    may_move: bool
    may_be_one_record: bool
    change: Callable[[Page], Page]

    def create_looks(self) -> Looks | None:
        """What decides on looks at the beginning of a list; None where it stands still."""
        return Looks(self.id_fields) if self.may_move else None


class PagedList:
    """A list, read page by page.

    - A body without the declared list is an error. A single record in its place is a page of one.
    - A request that was sent before in the same list is an error: the cursor did not advance.
    - So is a numbered page with the rows of the one before: the API does not heed the number.
    - Rows that the list has brought already are taken out of a page.
    - A list of several pages that may move while it is read is looked at again from its beginning.
    - A long list that the API gives by time is read in several stretches of it at once.

    Attributes:
        parent: The row of the parent whose list it is, if it has one.
    """

    def __init__(
        self,
        plan: ListPlan,
        request: Request,
        parent: Record | None = None,
        inherited: Record | None = None,
    ) -> None:
        """Begins before the first page.

        Args:
            plan: How it is read.
            request: The request for the list, before a paginator has seen it.
            parent: The row of the parent whose list it is.
            inherited: What each of its rows gets of that.
        """
        self.parent = parent
        self._plan = plan
        self._inherited = inherited or {}
        self._request = request
        self._first_request = {part: deepcopy(getattr(request, part)) for part in PARTS}
        self._paginators: dict[Request, BasePaginator] = {}
        self._looks = plan.create_looks()
        self._brought = BroughtRows()
        self._asked: set[str] = set()
        self._last_page = ""
        self._pages = 0

    def begin(self) -> Sequence[Request]:
        """The request for the first page."""
        paginator = self._plan.create_paginator()
        paginator.init_request(self._request)
        self._paginators[self._request] = paginator
        self._asked = {_identity(self._request)}
        self._last_page = ""
        return [self._request]

    def takes(self, request: Request, response: Response) -> bool:
        """Whether an error only says that a larger limit, which is only tried, is too large."""
        paginator = self._paginators[request]
        is_tried = isinstance(paginator, CursorPaginator) and paginator.may_be_refused
        return is_tried and any(response.status_code == status for status in TOO_LARGE)

    def read(self, request: Request, response: Response) -> tuple[Page, Sequence[Request]]:
        """The rows of an answer that none has brought before, and the requests that follow.

        Raises:
            InvalidJSONError: If the body is empty where an object is declared: that may pass.
            AnalyticsApiError: If it is no page of the list, or the rest cannot be asked for.
        """
        try:
            page, way = self._read_page(self._paginators[request], response)
            following = self._requests(way, request)
        except (AnalyticsApiError, exceptions.RequestException):
            raise
        except Exception as error:
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered a page that its list cannot go on from "
                # Without its text, which may repeat the page.
                f"({type(error).__name__})."
            ) from None
        for row in page:
            row.update(self._inherited)
        return self._plan.change(page), following

    def _read_page(self, paginator: BasePaginator, response: Response) -> tuple[Page, Way]:
        if not response.ok:
            if isinstance(paginator, CursorPaginator):
                paginator.be_refused(response)
            return [], self._way_on(paginator, response, [])
        if self._is_without_body(paginator, response):
            return [], self._way_from_the_end(response)
        page = self._rows(response)
        if isinstance(paginator, RangePaginator):
            self._check_numbered_page(paginator, response, page)
        else:
            paginator.update_state(response, page)
        if self._plan.selector == BARE:
            page[:] = [row for row in page if row is not None]
        return page, self._way_on(paginator, response, page)

    def _is_without_body(self, paginator: BasePaginator, response: Response) -> bool:
        """Whether 204 stands for no rows: of a bare list, or behind the last numbered page.

        Raises:
            InvalidJSONError: If the body of any other answer is empty.
        """
        if self._plan.selector == BARE or response.content.strip():
            return bool(response.status_code == codes.no_content)
        is_numbered = isinstance(paginator, RangePaginator) and self._pages > 0
        if response.status_code == codes.no_content and is_numbered:
            return True
        raise exceptions.InvalidJSONError("The body is empty.", response=response)

    def _rows(self, response: Response) -> Page:
        body, plan = response.json(), self._plan
        if plan.list_at is None or plan.rows_at is None:
            return _as_page(find_response_page_data(body)[1])
        selected = jsonpath.find_values(plan.list_at, body)
        if not selected and self._is_record(body):
            return [dict(body)]
        is_list = plan.rows_at is plan.list_at
        found = selected if is_list else jsonpath.find_values(plan.rows_at, body)
        page = _as_page(found[0] if len(found) == 1 else found)
        self._check_body(response, body, selected, page)
        return page

    def _requests(self, way: Way, request: Request) -> Sequence[Request]:
        if way is Way.NOTHING:
            return []
        if way is Way.BEGINNING:
            for part, value in self._first_request.items():
                setattr(request, part, deepcopy(value))
            return self.begin()
        paginator = self._paginators[request]
        if isinstance(paginator, SplitPaginator) and (stretches := paginator.split(request)):
            self._paginators = dict(stretches)
            requests = [each for each, _ in stretches]
        else:
            paginator.update_request(request)
            requests = [request] if paginator.has_next_page else []
        for each in requests:
            self._check_that_it_is_new(each)
        return requests

    def _check_that_it_is_new(self, request: Request) -> None:
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

    def _way_from_the_end(self, response: Response) -> Way:
        if self._looks is None or self._pages <= 1:
            return Way.NOTHING
        return self._looks.way_on([], request_line(response.request), is_last=True)

    def _way_on(self, paginator: BasePaginator, response: Response, page: Page) -> Way:
        """Takes out of a page what the list has brought, and decides what it is asked for next."""
        is_last = not paginator.has_next_page
        # A numbered page without a row only tells that the one before was the last.
        self._pages += bool(page) or not isinstance(paginator, RangePaginator)
        if is_last and self._pages <= 1:
            return Way.NOTHING
        if isinstance(paginator, BareListPaginator):
            return Way.NEXT_PAGE
        if self._looks is None:
            page[:] = self._brought.new_rows(page)
            return Way.NEXT_PAGE
        return self._looks.way_on(page, request_line(response.request), is_last=is_last)

    def _check_body(
        self, response: Response, body: Any, selected: Sequence[Any], page: Page
    ) -> None:
        selector = self._plan.selector
        if not selected or not (
            isinstance(selected[0], list | None) or self._is_one_row(response, selected[0])
        ):
            found = f"the keys {sorted(body)}" if isinstance(body, Mapping) else "something else"
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered {response.status_code} without the "
                f"declared list `{selector}`: it has {found}. If the API has renamed it, "
                "change `data_selector` in the configuration."
            )
        if isinstance(body, Mapping) and body.get("error"):
            said = words_of(response)
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered {response.status_code} with an error "
                f"beside the list `{selector}`{f' ({said})' if said else ''}: nobody can "
                "tell whether the list is whole."
            )
        rows = [row for row in page if row is not None or selector != BARE]
        if not all(isinstance(row, Mapping) for row in rows):
            raise AnalyticsApiError(
                f"{request_line(response.request)} answered rows that are no objects in "
                f"`{selector}`: choose another `data_selector` in the configuration."
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
        if self._plan.selector == BARE and is_one_line(response):
            return True
        return self._plan.may_be_one_record and self._is_record(value)

    def _is_record(self, value: Any) -> bool:
        if not isinstance(value, Mapping) or value.get("error"):
            return False
        return any(value.get(field) not in (None, "") for field in self._plan.id_fields)


def _as_page(found: Any) -> Page:
    """What a selector has found, as rows: dlt takes a single value for one."""
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _identity(request: Request) -> str:
    return str((request.url, request.params, request.json, request.data))
