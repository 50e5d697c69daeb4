"""Makes the paginator of a resource from what the configuration says of its list."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any, cast

from dlt.common.jsonpath import compile_path
from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import create_paginator

from analytics_assets.configuration import ApiConfig, ResourceConfig
from analytics_assets.configuration.lineage import (
    complete_endpoint,
    cursor_field,
    key_columns,
)
from analytics_assets.source.bare_list import BareListPaginator
from analytics_assets.source.clock import epoch_milliseconds
from analytics_assets.source.cursor_pages import CursorPaginator
from analytics_assets.source.looks import Looks
from analytics_assets.source.moments import TimeFields
from analytics_assets.source.pages import CheckedPaginator
from analytics_assets.source.stretches import Announce, SplitPaginator


def checked_paginator(
    config: ApiConfig, resource: ResourceConfig, announce: Announce
) -> BasePaginator:
    """The resource's paginator, or the default one, with its pages checked.

    Args:
        config: The API's configuration.
        resource: The resource.
        announce: Takes the lists that will be asked for.
    """
    selector = complete_endpoint(config, resource).get("data_selector")
    key = key_columns(config, resource)
    filled_from = resource.get("filled_from", {})
    id_fields = [*key, *(source for column in key for source in filled_from.get(column, []))]
    if bare_list := resource.get("bare_list"):
        # Events may have no id of their own.
        id_fields = bare_list["time_fields"]
    create = _creator(config, resource, announce, id_fields)
    create_looks = partial(Looks, id_fields) if _may_move(resource) else None
    return CheckedPaginator(create, str(selector) if selector else None, id_fields, create_looks)


def _may_move(resource: ResourceConfig) -> bool:
    """Whether rows may change their place in a list while it is read, and then be on no page.

    What is given by the time of its creation stands still, and what is asked for by the time of its
    last change is asked for again by the next load.
    """
    by_time = {"since_param", "bare_list"} & set(resource)
    return not by_time and not cursor_field(resource)


def _creator(
    config: ApiConfig, resource: ResourceConfig, announce: Announce, id_fields: list[str]
) -> Callable[[], BasePaginator]:
    endpoint = complete_endpoint(config, resource)
    declared: Any = endpoint.get("paginator")
    if "bare_list" in resource:
        return partial(BareListPaginator, resource["bare_list"])
    if not isinstance(declared, dict) or declared["type"] != "cursor":
        # `validate` refuses those that are none.
        return lambda: cast(BasePaginator, create_paginator(deepcopy(declared)))
    words = {key: declared[key] for key in declared if key != "type"}
    # A path is compiled here: to compile it anew for each parent takes longer than its request.
    words["cursor_path"] = compile_path(words["cursor_path"])
    words["times"] = TimeFields(
        id_fields,
        [*resource.get("times", []), cursor_field(resource)],
        str(words.get("cursor_param", "")),
        is_time="since_param" in resource,
    )
    selector = endpoint.get("data_selector")
    if "since_param" not in resource or not selector:
        return partial(CursorPaginator, **words)
    return partial(
        SplitPaginator,
        since_param=resource["since_param"],
        beginning=epoch_milliseconds(config["history_start"]),
        selector=compile_path(selector),
        announce=announce,
        **words,
    )
