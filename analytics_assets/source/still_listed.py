"""Asks the API whether it still lists a parent that answers 404.

A 404 alone does not tell: it may pass, while the parent stays listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from requests import RequestException

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.client import ApiClient
from analytics_assets.source.columns import ColumnNames
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.lists import Lists
from analytics_assets.source.pending import Identity, Key
from analytics_assets.source.records import Page, neutralize
from analytics_assets.source.redaction import Guard

LONGEST_LIST = 5
"""Pages of a list that are read to find a parent; whether a longer one holds it is not known."""
MARGIN = 1_000
"""Milliseconds around such a moment: some APIs count in seconds, and some exclude its ends."""


class ParentList:
    """The API's own list of the parents of a child.

    Attributes:
        lists_left: Moments that it may still be asked for.
    """

    def __init__(self, parent: Resource, identity: Identity, client: ApiClient, most: int) -> None:
        """Begins without a request.

        Args:
            parent: The parent.
            identity: How its rows are told apart.
            client: Asks the API.
            most: Moments that it may be asked for.
        """
        self._parent = parent
        self._identity = identity
        self._client = client
        self.lists_left = most

    def gone(self, missing: Page) -> set[Key]:
        """The parents that are no longer listed, as far as a few requests tell.

        Args:
            missing: Rows of parents that answered 404.
        """
        if not missing or self._parent.parent:
            # A list of its own for each of its parents: its next load will tell.
            return set()
        gone: set[Key] = set()
        # What the lists that come first have told is told, whatever becomes of the others: who is
        # not known to be gone is asked for again by the next run.
        with suppress(RequestException, AnalyticsApiError):
            for parents, params in self._questions(missing):
                gone |= self._unlisted(parents, params)
        return gone

    def _questions(self, missing: Page) -> Iterator[tuple[Page, dict[str, Any]]]:
        """The lists to read, by their parameters, and the parents to look for in each."""
        cursor = self._parent.cursor
        if not cursor:
            yield missing, {}
            return
        for parent in missing:
            moment = parent[cursor.field]
            if isinstance(moment, int) and self.lists_left > 0:
                self.lists_left -= 1
                yield [parent], cursor.bounds(moment - MARGIN, moment + MARGIN)

    def _unlisted(self, parents: Page, params: dict[str, Any]) -> set[Key]:
        """Those that a list does not hold; none where it is too long to be read."""
        sought = {self._identity.key_of(parent) for parent in parents}
        pages = self._pages(params)
        for page in islice(pages, LONGEST_LIST):
            sought -= {self._identity.key_of(row) for row in page}
            if not sought:
                return set()
        return set() if next(pages, None) is not None else sought

    def _pages(self, params: dict[str, Any]) -> Iterator[Page]:
        columns = ColumnNames(self._parent.fields, str)
        to_records = neutralize(self._parent, columns, Guard(self._parent))
        whole = Lists(self._parent, self._client).whole(**params)
        for _, pages in self._client.fetch([whole]):
            yield from map(to_records, pages)
