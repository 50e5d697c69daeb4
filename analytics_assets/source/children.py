"""Names the lists of a child before dlt asks for them, one for each row of its parent."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

from dlt.common.jsonpath import compile_path
from dlt.sources.helpers.rest_client.utils import join_url
from dlt.sources.rest_api.config_setup import create_auth, expand_placeholders
from dlt.sources.rest_api.typing import ClientConfig
from requests import Request

from analytics_assets.configuration import ApiConfig, ResourceConfig
from analytics_assets.configuration.lineage import complete_endpoint, parent_fields
from analytics_assets.source.ahead import ListAhead, session_of
from analytics_assets.source.paginators import checked_paginator
from analytics_assets.source.parent_values import placeholder_values, quoted_path
from analytics_assets.source.records import Page
from analytics_assets.source.values import Record


def announce_children(
    config: ApiConfig, resource: ResourceConfig, client: ClientConfig
) -> Callable[[Page], None]:
    """What names the list of each parent of a child.

    Args:
        config: The API's configuration.
        resource: The child.
        client: Address, authentication and session of the API.
    """
    session, base_url = session_of(client), client["base_url"]
    auth = create_auth(client["auth"])
    endpoint = complete_endpoint(config, resource)
    # dlt looks for the list itself where none is declared.
    selector = compile_path(endpoint.get("data_selector") or "$")
    paginator = checked_paginator(config, resource, session.announce)
    fields = parent_fields(resource)

    path = quoted_path(str(endpoint["path"]))

    def list_of(parent: Record) -> ListAhead:
        values = placeholder_values(parent, fields)
        request = Request(
            endpoint.get("method", "GET"),
            join_url(base_url, expand_placeholders(path, values)),
            headers=expand_placeholders(endpoint.get("headers"), values) or {},
            params=expand_placeholders(endpoint["params"], values),
            json=expand_placeholders(endpoint.get("json"), values, preserve_value_type=True),
            data=expand_placeholders(endpoint.get("data"), values),
            auth=auth,
        )
        return ListAhead(request, deepcopy(paginator), selector)

    def announce(parents: Page) -> None:
        session.announce(map(list_of, parents))

    return announce
