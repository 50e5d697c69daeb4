"""Makes the lists of a resource: its one list, or the list of each row of its parent."""

from __future__ import annotations

from typing import Any

from dlt.sources.rest_api.config_setup import expand_placeholders
from requests import Request

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.client import ApiClient
from analytics_assets.source.paged_list import PagedList
from analytics_assets.source.paginators import plan_lists
from analytics_assets.source.parent_values import placeholder_values, quoted_path
from analytics_assets.source.values import Record


class Lists:
    """The lists of one resource."""

    def __init__(self, resource: Resource, client: ApiClient) -> None:
        """Plans them; asks for nothing.

        Args:
            resource: The resource.
            client: Asks the API, by requests that are made here.
        """
        self._resource = resource
        self._outgoing = client.outgoing
        self._plan = plan_lists(resource)
        self._path = quoted_path(resource.path)

    def whole(self, **params: Any) -> PagedList:
        """The list of a resource without parent.

        Args:
            params: Query parameters beside, or instead of, those of the configuration.
        """
        return PagedList(self._plan, self._request({}, **params))

    def of(self, parent: Record) -> PagedList:
        """The list of one row of the resource's parent."""
        above = self._resource.parent
        if above is None:
            raise ValueError(f"{self._resource.name} has no parent.")
        request = self._request(placeholder_values(parent, above))
        inherited = {column: parent[field] for column, field in above.inherited.items()}
        return PagedList(self._plan, request, parent, inherited)

    def _request(self, values: Record, **params: Any) -> Request:
        """The first request of a list; its parts are copies, for paginators change them.

        Args:
            values: What stands for the placeholders; doubled braces are single ones, as dlt has it.
            params: Query parameters beside, or instead of, those of the configuration.
        """
        endpoint = self._resource.endpoint
        return self._outgoing.request(
            expand_placeholders(self._path, values),
            endpoint.get("method") or "GET",
            params={**expand_placeholders(endpoint.get("params") or {}, values), **params},
            headers=expand_placeholders(endpoint.get("headers"), values),
            json=expand_placeholders(endpoint.get("json"), values, preserve_value_type=True),
            data=expand_placeholders(endpoint.get("data"), values),
        )
