"""How far a resource that is loaded bit by bit has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dlt

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    cursor_field,
    endpoint_of,
    is_listed_in_full,
    resource_named,
)
from analytics_assets.source.clock import iso_time
from analytics_assets.source.progress import WATERMARK
from analytics_assets.source.records import Page
from analytics_assets.source.telling import Tell


class Watermark:
    """The moment up to which a resource was loaded, before this load.

    Of a resource with a cursor it is the newest value of that; of its children it is the load of
    their parent that they have come to. A list that is loaded in full has none.

    Attributes:
        before: Epoch in milliseconds; None where nothing was loaded, or no page came.
        is_noted: Whether a page came.
    """

    def __init__(self, config: ApiConfig, name: str, tell: Tell) -> None:
        """Begins with nothing known.

        Args:
            config: The API's configuration.
            name: The resource.
            tell: Receives a sentence on what is asked for.
        """
        self.before: int | None = None
        self.is_noted = False
        self._resource = resource_named(config, name)
        self._exists = not is_listed_in_full(config, name)
        self._tell = tell

    def note(self, page: Page) -> Page:
        """A step that notes, at the first page, what dlt's state holds: later steps move it."""
        if self._exists and not self.is_noted:
            self.is_noted = True
            self.before = self.read(dlt.current.resource_state(str(self._resource["name"])))
            if self.before and (incremental := endpoint_of(self._resource).get("incremental")):
                since = self.before - int(incremental.get("lag") or 0)
                self._tell(f"Asked for what is newer than {iso_time(since)}.")
        return page

    def read(self, state: Mapping[str, Any]) -> int | None:
        """The watermark in dlt's state of the resource, in epoch milliseconds."""
        if cursor := cursor_field(self._resource):
            last: int | None = state.get("incremental", {}).get(cursor, {}).get("last_value")
            return last
        place = state.get(WATERMARK)
        return int(float(place[0]) * 1000) if place else None
