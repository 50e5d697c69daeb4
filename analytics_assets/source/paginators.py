"""Plans how the lists of a resource are read, from what the configuration says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, cast

from dlt.common.jsonpath import compile_path
from dlt.sources.helpers.rest_client.detector import single_entity_path
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import create_paginator

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.bare_list import BareListPaginator
from analytics_assets.source.cursor_pages import CursorPaginator
from analytics_assets.source.moments import TimeFields
from analytics_assets.source.paged_list import BARE, ListPlan
from analytics_assets.source.row_steps import row_steps
from analytics_assets.source.stretches import SplitPaginator

CURSOR_PATH = "cursors.next"
"""Where dlt's paginator finds a cursor of which the configuration does not say where it is."""


def plan_lists(resource: Resource) -> ListPlan:
    """How the lists of a resource are read: what is made once for all of them."""
    # dlt takes a body for one record where the path ends with a placeholder.
    is_one_record = single_entity_path(resource.path)
    selector = str(resource.endpoint.get("data_selector") or (BARE if is_one_record else ""))
    rows_at = compile_path(selector) if selector else None
    # Of an empty list `[*]` selects nothing, as of a missing one.
    is_list = not selector.endswith("[*]")
    return ListPlan(
        create_paginator=_creator(resource),
        selector=selector,
        rows_at=rows_at,
        list_at=rows_at if is_list else compile_path(selector.removesuffix("[*]")),
        id_fields=_id_fields(resource),
        may_move=_may_move(resource),
        may_be_one_record=selector != BARE or resource.bare_list is not None or is_one_record,
        change=row_steps(resource),
    )


def _id_fields(resource: Resource) -> Sequence[str]:
    """Fields by which a record is known; where its key is its parent's alone, any of its own."""
    own = [field for field in resource.id_fields if field not in resource.inherited]
    return own or list(resource.fields)


def _may_move(resource: Resource) -> bool:
    """Whether rows may change their place in a list while it is read, and then be on no page.

    What is given by the time of its creation stands still, and what is asked for by the time of its
    last change is asked for again by the next load.
    """
    return not (resource.since_param or resource.bare_list or resource.cursor)


def _creator(resource: Resource) -> Callable[[], BasePaginator]:
    declared: Any = resource.endpoint.get("paginator")
    if resource.bare_list:
        return partial(BareListPaginator, resource.bare_list)
    words: Any = {"type": declared} if isinstance(declared, str) else declared
    if not isinstance(words, dict) or words["type"] != "cursor":
        # `validate` refuses those that are none.
        return lambda: cast(BasePaginator, create_paginator(deepcopy(declared)))
    words = {key: words[key] for key in words if key != "type"}
    # A path is compiled here: to compile it anew for each parent takes longer than its request.
    words["cursor_path"] = compile_path(words.get("cursor_path", CURSOR_PATH))
    words["times"] = TimeFields(
        resource.id_fields,
        [*resource.times, resource.cursor_field],
        str(words.get("cursor_param", "")),
        is_time=bool(resource.since_param),
    )
    if not resource.since_param:
        return partial(CursorPaginator, **words)
    return partial(SplitPaginator, resource.beginning, since_param=resource.since_param, **words)
