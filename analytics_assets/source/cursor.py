"""Keeps the cursor of an incremental resource out of the future."""

from __future__ import annotations

from typing import Any, ClassVar

import dlt
from dlt.extract.items_transform import ItemTransform

from analytics_assets.source.clock import epoch_milliseconds_now
from analytics_assets.source.records import Page


class CursorWithinNow(ItemTransform[Page, Any]):
    """A step that sets a cursor back to now after a row dated in the future.

    dlt asks from the largest cursor it has seen: one row dated a month ahead would hide everything
    created in that month.
    """

    # Right behind dlt's own step that moves the cursor, whose affinity is 1.
    placement_affinity: ClassVar[float] = 1.1

    def __init__(self, resource: str, cursor: str) -> None:
        """Watches the cursor of a resource in dlt's state.

        Args:
            resource: The incremental resource.
            cursor: Its cursor's field, in epoch milliseconds.
        """
        super().__init__(lambda page: page)
        self._resource = resource
        self._cursor = cursor

    def __call__(self, page: Page, meta: Any = None) -> Page:
        """Lets the page pass."""
        cursors = dlt.current.resource_state(self._resource)["incremental"]
        last: int | None = cursors[self._cursor]["last_value"]
        cursors[self._cursor]["last_value"] = last and min(last, epoch_milliseconds_now())
        return page
