"""Asks an endpoint for its newest record alone, to see whether there is a new one."""

from __future__ import annotations

from typing import NamedTuple

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.client import ApiClient
from analytics_assets.source.clock import epoch_milliseconds_now
from analytics_assets.source.columns import ColumnNames
from analytics_assets.source.lists import Lists
from analytics_assets.source.records import Page, neutralize
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


def ask_for_newest(resource: Resource, client: ApiClient) -> Newest | None:
    """Sends one request for the newest record of an incremental resource.

    Args:
        resource: The resource, which has `newest_params`.
        client: Asks the API.

    Returns:
        What identifies the record; None where there is none at all.

    Raises:
        Exception: What a load raises, and `explanation.explain` knows.
    """
    to_records = neutralize(resource, ColumnNames(resource.fields, str), Guard(resource))
    records = to_records(_first_page(resource, client))
    if not records:
        return None
    newest = records[0]
    now = epoch_milliseconds_now()
    # A record dated in the future would make all that come before that time look old.
    moment = min(newest.get(resource.cursor_field) or now, now)
    return Newest(moment, "/".join(str(newest[column]) for column in resource.key))


def _first_page(resource: Resource, client: ApiClient) -> Page:
    for _, pages in client.fetch([Lists(resource, client).whole(**resource.newest_params)]):
        return next(pages, [])
    return []
