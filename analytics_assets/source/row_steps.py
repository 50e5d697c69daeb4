"""Changes rows as the configuration says (dlt, "REST API source: Processing steps")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dlt.extract.items_transform import FilterItem, MapItem, YieldMapItem

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.records import Page

STEPS: dict[str, Callable[[Any], Callable[[Page], Iterable[Any] | None]]] = {
    "filter": FilterItem,
    "map": MapItem,
    "yield_map": YieldMapItem,
}
"""dlt's own steps, in the order in which it takes those of one dict."""


def row_steps(resource: Resource) -> Callable[[Page], Page]:
    """What makes the rows of a resource of the rows of a page, before anything else reads them.

    Args:
        resource: The resource.

    Raises:
        AnalyticsApiError: By the function, if a step fails, or makes of a row what is none.
    """
    steps = [
        make(step[word])
        for step in resource.processing_steps
        for word, make in STEPS.items()
        if step.get(word)
    ]

    def change(page: Page) -> Page:
        try:
            for step in steps:
                page = list(step(page) or [])
        except Exception as error:
            # Without its text, which may repeat the row.
            raise AnalyticsApiError(
                f"A step of `processing_steps` of {resource.name} failed on a row "
                f"({type(error).__name__}): correct it in the configuration."
            ) from None
        if not all(isinstance(row, Mapping) for row in page):
            raise AnalyticsApiError(
                f"A step of `processing_steps` of {resource.name} made something of a row that is "
                "no row: correct it in the configuration."
            )
        return page

    return change
