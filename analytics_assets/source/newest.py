"""Asks an endpoint for its newest record alone, to see whether there is a new one."""

from __future__ import annotations

from typing import NamedTuple

from dlt.sources.helpers.rest_client.client import RESTClient
from dlt.sources.rest_api.config_setup import create_auth
from dlt.sources.rest_api.typing import ClientConfig

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    complete_endpoint,
    cursor_field,
    key_columns,
    resource_named,
)
from analytics_assets.source.ahead import session_of
from analytics_assets.source.clock import epoch_milliseconds_now
from analytics_assets.source.columns import ColumnNames
from analytics_assets.source.paginators import checked_paginator
from analytics_assets.source.records import neutralize
from analytics_assets.source.redaction import Guard


class Newest(NamedTuple):
    """What tells the newest record from those before it.

    Attributes:
        moment: The value of the resource's cursor, in epoch milliseconds, and now at most; now,
            too, where it has none.
        key: The record's key.
    """

    moment: int
    key: str

    def is_newer_than(self, other: Newest | None) -> bool:
        """Whether it is another record and no older one: the newest may have been deleted."""
        return other is None or (self.key != other.key and self.moment >= other.moment)


def ask_for_newest(config: ApiConfig, name: str, client: ClientConfig) -> Newest | None:
    """Sends one request for the newest record of an incremental resource.

    Args:
        config: The API's configuration.
        name: The resource, which has `newest_params`.
        client: Address, authentication and session of the API.

    Returns:
        What identifies the record; None where there is none at all.

    Raises:
        Exception: What a load raises, and `explanation.explain` knows.
    """
    resource = resource_named(config, name)
    endpoint = complete_endpoint(config, resource)
    session = session_of(client)
    rest = RESTClient(client["base_url"], auth=create_auth(client["auth"]), session=session)
    pages = rest.paginate(
        str(endpoint["path"]),
        params={**(endpoint.get("params") or {}), **resource["newest_params"]},
        headers=endpoint.get("headers"),
        paginator=checked_paginator(config, resource, session.announce),
        data_selector=endpoint.get("data_selector"),
    )
    key = key_columns(config, resource)
    to_records = neutralize(resource, key, ColumnNames(resource["fields"], str), Guard(resource))
    with session:
        records = to_records(list(next(pages, [])))
    if not records:
        return None
    newest = records[0]
    now = epoch_milliseconds_now()
    # A record dated in the future would make all that come before that time look old.
    moment = min(newest.get(cursor_field(resource)) or now, now)
    return Newest(moment, "/".join(str(newest[column]) for column in key))
