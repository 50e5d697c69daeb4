"""Follows the cursor that a list has in its bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dlt.common import jsonpath
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator
from jsonpath_ng import Child, Root
from requests import Request, Response

from analytics_assets.source.errors import request_line
from analytics_assets.source.moments import TimeFields, as_integer
from analytics_assets.source.records import Page
from analytics_assets.source.steps import Answer, Step, Steps

LIMIT = re.compile(
    r"\W*(?:.*limit|.*size|per_?page|(?:max_?)?results|count|first|top|take|rows)\W*",
    re.IGNORECASE,
)
"""A parameter for the rows of a page."""
HAS_NEXT = ("hasnext", "hasmore", "hasnextpage")
"""What bodies say beside a cursor on whether there is a next page, in small letters alone."""
SAID = {"true": True, "1": True, "false": False, "0": False}


class CursorPaginator(JSONResponseCursorPaginator):
    """dlt's paginator for a cursor in the body, which asks for the rows at each border, too.

    It follows a cursor of 0, and none where the body says beside it that there is no next page.
    """

    def __init__(self, times: TimeFields, since_param: str | None = None, **words: Any) -> None:
        """Begins before the first page.

        Args:
            times: Finds the moment of a page.
            since_param: The query parameter for the oldest row wanted, if the list has one.
            words: Those of dlt's paginator.
        """
        super().__init__(**words)
        self._times = times
        self._since_param = since_param
        path = self.cursor_path
        self._beside = path.left if isinstance(path, Child) else Root()
        self._first_params: dict[str, Any] = {}
        self._limit_param = ""
        self._steps = Steps(times, None, None)
        self._step: Step | None = None

    def init_request(self, request: Request) -> None:
        """Learns what the first page is asked for with."""
        self._begin(request.params or {}, as_integer((request.params or {}).get(self.cursor_param)))

    @property
    def may_be_refused(self) -> bool:
        """Whether a refusal of the page asked for only says that its limit is too large."""
        return self._step is not None and self._step.may_be_refused

    def update_state(self, response: Response, data: Page | None = None) -> None:
        """Decides on the next request; `data` is all that the page brought."""
        page = data if data is not None else []
        cursor, says_more = None, False
        if response.json() is not None:
            cursor = self._cursor(response, page)
            is_stop = self.stop_after_empty_page and not page
            says_more = not is_stop and self._has_next(response) is True
        self._decide(Answer(page, cursor, says_more, request_line(response.request)))

    def be_refused(self, response: Response) -> None:
        """Decides on the next request where a larger limit was refused."""
        self._decide(Answer([], None, says_more=False, request=request_line(response.request)))

    def _decide(self, answer: Answer) -> None:
        self._step = self._steps.next(answer)
        self._has_next_page = self._step is not None

    def update_request(self, request: Request) -> None:
        """Asks for what `update_state` decided."""
        if self._step is None:
            return
        params = dict(self._first_params)
        if self._limit_param:
            params[self._limit_param] = self._step.limit
        if self._step.since is not None:
            params[self._since_param or ""] = self._step.since
        request.params = params
        self._next_reference = self._step.cursor
        super().update_request(request)

    def _begin(self, params: Mapping[str, Any], position: int | None, **known: Any) -> None:
        self._first_params = dict(params)
        self._limit_param = next((name for name in params if LIMIT.fullmatch(name)), "")
        limit = as_integer(params.get(self._limit_param))
        if limit is None:
            self._limit_param = ""
        self._steps = Steps(
            self._times, limit, position, has_since=bool(self._since_param), **known
        )

    def _cursor(self, response: Response, page: Page) -> Any:
        """The cursor that the body names; only a missing, null, false or empty one is none."""
        super().update_state(response, page)
        if self._has_next(response) is False:
            return None
        if self._next_reference is not None:
            return self._next_reference if self._has_next_page else None
        found = jsonpath.find_values(self.cursor_path, response.json())
        return 0 if found and found[0] == 0 and found[0] is not False else None

    def _has_next(self, response: Response) -> bool | None:
        """What the body says beside the cursor on whether there is a next page, if it does."""
        said = [
            SAID.get(str(value).lower())
            for beside in jsonpath.find_values(self._beside, response.json())
            if isinstance(beside, Mapping)
            for name, value in beside.items()
            if re.sub(r"[\W_]", "", name).lower() in HAS_NEXT
        ]
        return True if True in said else False if False in said else None
