"""Draws all pictures of one load."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from dagster import MarkdownMetadataValue, MetadataValue
from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.configuration import Resource
from analytics_assets.source.phases import Phase
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.traffic import Traffic

SHORTEST_TIMELINE = 1.0
"""Seconds of a load from which on there is something to see in its timeline."""


def draw_pictures(
    resource: Resource,
    time_column: str,
    client: SqlClientBase[Any],
    traffic: Traffic,
    rate_limit: RateLimit,
    phases: Sequence[Phase],
    has_changed: bool,
) -> dict[str, MarkdownMetadataValue]:
    """The pictures of a load, by name; none where matplotlib is not installed.

    Args:
        resource: The resource that was loaded.
        time_column: The column that tells when a record was created.
        client: An open connection to the warehouse.
        traffic: The requests of the load.
        rate_limit: What the load waited for.
        phases: The steps of the load.
        has_changed: Whether the table did: its pictures are those of the last load otherwise.
    """
    if find_spec("matplotlib") is None:
        return {}
    # Half a second that a load without pictures does not spend.
    from analytics_assets.pictures.daily_counts import draw_daily_counts
    from analytics_assets.pictures.durations import draw_durations
    from analytics_assets.pictures.timeline import draw_timeline

    drawn: dict[str, str | None] = {}
    for name, picture in resource.pictures.items() if has_changed else ():
        table = client.make_qualified_table_name(resource.name)
        title = name.replace("_", " ").capitalize()
        draw: Any = draw_daily_counts if "count_by" in picture else draw_durations
        drawn[name] = draw(picture, title, table, time_column, client)
    if phases and phases[-1].end - phases[0].start >= SHORTEST_TIMELINE:
        drawn["timeline"] = draw_timeline(traffic, rate_limit.waits, phases)
    return {name: MetadataValue.md(markdown) for name, markdown in drawn.items() if markdown}
