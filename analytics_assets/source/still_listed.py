"""Asks the API whether it still lists a parent that answers 404.

A 404 alone does not tell: it may pass, while the parent stays listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.rest_api.config_setup import create_auth
from dlt.sources.rest_api.typing import ClientConfig
from requests import RequestException

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    complete_endpoint,
    cursor_field,
    key_columns,
    parent_name,
    resource_named,
)
from analytics_assets.source.ahead import session_of
from analytics_assets.source.columns import ColumnNames
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.paginators import checked_paginator
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

    def __init__(
        self, config: ApiConfig, child: str, identity: Identity, client: ClientConfig, most: int
    ) -> None:
        """Begins without a request.

        Args:
            config: The API's configuration.
            child: The child.
            identity: How its parents are told apart.
            client: Address, authentication and session of the API.
            most: Moments that it may be asked for.
        """
        parent = str(parent_name(resource_named(config, child)))
        self._config = config
        self._resource = resource_named(config, parent)
        self._identity = identity
        self._client = client
        self.lists_left = most

    def gone(self, missing: Page) -> set[Key]:
        """The parents that are no longer listed, as far as a few requests tell.

        Args:
            missing: Rows of parents that answered 404.
        """
        if not missing or parent_name(self._resource):
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
        cursor = cursor_field(self._resource)
        if not cursor:
            yield missing, {}
            return
        for parent in missing:
            if isinstance(parent[cursor], int) and self.lists_left > 0:
                self.lists_left -= 1
                yield [parent], self._params_around(parent[cursor])

    def _params_around(self, moment: int) -> dict[str, Any]:
        incremental: Any = complete_endpoint(self._config, self._resource).get("incremental") or {}
        convert = incremental.get("convert") or (lambda cursor: cursor)
        bounds = {"start_param": moment - MARGIN, "end_param": moment + MARGIN}
        return {
            incremental[word]: convert(bound)
            for word, bound in bounds.items()
            if incremental.get(word)
        }

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
        endpoint = complete_endpoint(self._config, self._resource)
        rest = RESTClient(
            self._client["base_url"],
            auth=create_auth(self._client["auth"]),
            session=session_of(self._client),
        )
        key = key_columns(self._config, self._resource)
        columns = ColumnNames(self._resource["fields"], str)
        to_records = neutralize(self._resource, key, columns, Guard(self._resource))
        pages = rest.paginate(
            str(endpoint["path"]),
            method=endpoint.get("method") or "GET",
            params={**(endpoint.get("params") or {}), **params},
            json=endpoint.get("json"),
            headers=endpoint.get("headers"),
            paginator=checked_paginator(self._config, self._resource, lambda _: None),
            data_selector=endpoint.get("data_selector"),
        )
        return (to_records(list(page)) for page in pages)
