"""How far a resource that is loaded bit by bit has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.clock import iso_time
from analytics_assets.source.position import last_moment
from analytics_assets.source.progress import WATERMARK
from analytics_assets.source.telling import Tell


class Watermark:
    """The moment up to which a resource was loaded, before this load.

    Of a resource with a cursor it is the newest value of that; of its children it is the load of
    their parent that they have come to. A list that is loaded in full has none.

    Attributes:
        before: Epoch in milliseconds; None where nothing was loaded.
        is_noted: Whether a load has told it.
    """

    def __init__(self, resource: Resource, tell: Tell) -> None:
        """Begins with nothing known.

        Args:
            resource: The resource.
            tell: Receives a sentence on what is asked for.
        """
        self.before: int | None = None
        self.is_noted = False
        self._resource = resource
        self._tell = tell

    def note(self, before: int | None) -> None:
        """Notes, of the first load, what the loads before it had come to."""
        if self.is_noted:
            return
        self.is_noted = True
        self.before = before
        if before and self._resource.cursor:
            self._tell(
                f"Asked for what is newer than {iso_time(before - self._resource.cursor.lag)}."
            )

    def read(self, state: Mapping[str, Any]) -> int | None:
        """The watermark in dlt's state of the resource, in epoch milliseconds."""
        if self._resource.cursor:
            return last_moment(self._resource.cursor, state)
        place = state.get(WATERMARK)
        return int(float(place[0]) * 1000) if place else None
