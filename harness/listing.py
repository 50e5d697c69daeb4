"""A list that a scripted server serves: newest first, cut into pages, as a test says.

And the way a load reads it, without the load, which takes a hundred times as long.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dlt.sources.helpers.rest_client.client import RESTClient

from analytics_assets.configuration import ANALYTICS, ApiConfig
from analytics_assets.configuration.lineage import complete_endpoint, resource_named
from analytics_assets.resources import AnalyticsApi
from analytics_assets.source.ahead import session_of
from analytics_assets.source.paginators import checked_paginator
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.telling import silent
from analytics_assets.source.traffic import Traffic
from harness.scripted import Answer, Asked, Script

Row = dict[str, Any]

REFUSAL = Answer({"error": {"code": "bad_request", "message": "limit is too large"}}, status=400)


@dataclass
class Listing:
    """A list, sorted by one field of its rows.

    Attributes:
        rows: All rows, in any order.
        key: The key of the body that holds a page.
        field: The field that the list is sorted by, and that its cursor is the value of.
        most: The rows of a page at most.
        most_unasked: The rows of a page of which the request does not say how many it is to have.
        refuses_more: Whether a larger limit is refused, rather than cut.
        until_includes: Whether `until` includes its moment.
        since_includes: The same of `since`; None where it is not heeded.
        names_next: Names a cursor after a page, given whether rows follow.
    """

    rows: list[Row]
    key: str
    field: str = "createdAt"
    most: int = 100
    most_unasked: int = 100
    refuses_more: bool = False
    until_includes: bool = False
    since_includes: bool | None = False
    names_next: Callable[[bool], bool] = bool

    def answer(self, asked: Asked) -> Answer:
        """The page that is asked for."""
        limit = asked.integer("limit")
        if self.refuses_more and (limit or 0) > self.most:
            return REFUSAL
        found = [row for row in self.rows if self._is_asked_for(row[self.field], asked)]
        found.sort(key=lambda row: row[self.field], reverse=True)
        page = found[: min(limit or self.most_unasked, self.most)]
        following = (
            page[-1][self.field] if page and self.names_next(len(found) > len(page)) else None
        )
        pagination = {"count": len(page), "next": following}
        return Answer({self.key: page, "pagination": pagination})

    def _is_asked_for(self, time: int, asked: Asked) -> bool:
        since, until = asked.integer("since"), asked.integer("until")
        is_late = until is not None and time >= until + self.until_includes
        is_early = False
        if since is not None and self.since_includes is not None:
            is_early = time <= since - self.since_includes
        return not is_late and not is_early


def serving(lists: Mapping[str, Callable[[Asked], Answer]]) -> Script:
    """A script that answers each path by the list whose pattern it matches; others by 404."""

    def script(asked: Asked) -> Answer:
        answers = (answer for path, answer in lists.items() if re.fullmatch(path, asked.path))
        answer = next(answers, lambda _: Answer({"error": {"code": "not_found"}}, status=404))
        return answer(asked)

    return script


def read_list(url: str, name: str, parent: str = "", config: ApiConfig = ANALYTICS) -> list[Row]:
    """The rows that a load of a resource reads, of one parent if it has parents."""
    resource = resource_named(config, name)
    endpoint = complete_endpoint(config, resource)
    api = AnalyticsApi(base_url=url, access_token="test", backoff_factor=0.01)  # noqa: S106
    client = api.client(api.retry_policy(), Traffic(silent), RateLimit(silent, math.inf))
    rest = RESTClient(client["base_url"], session=session_of(client))
    pages = rest.paginate(
        re.sub(r"{resources.*}", parent, str(endpoint["path"])),
        params=dict(endpoint["params"] or {}),
        paginator=checked_paginator(config, resource, session_of(client).announce),
        data_selector=endpoint["data_selector"],
    )
    with session_of(client):
        return [row for page in pages for row in page]
