"""A list that a scripted server serves: newest first, cut into pages, as a test says.

And the way a load reads it, without the load, which takes a hundred times as long.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analytics_assets.configuration import Api
from analytics_assets.resources import AnalyticsApi
from analytics_assets.source.lists import Lists
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.telling import silent
from analytics_assets.source.traffic import Traffic
from harness.configurations import ANALYTICS_API
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


def read_list(url: str, name: str, parent: str = "", api: Api = ANALYTICS_API) -> list[Row]:
    """The rows that a load of a resource reads, of one parent if it has parents."""
    resource = api.resources[name]
    server = AnalyticsApi(base_url=url, access_token="test", backoff_factor=0.01)  # noqa: S106
    client = server.client(server.retry_policy(), Traffic(silent), RateLimit(silent, math.inf))
    lists = Lists(resource, client)
    one = lists.of({"id": parent}) if resource.parent else lists.whole()
    with client:
        rows = [row for _, pages in client.fetch([one]) for page in pages for row in page]
    return [{f: v for f, v in row.items() if f not in resource.inherited} for row in rows]
