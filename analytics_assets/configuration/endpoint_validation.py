"""Refuses a wrong endpoint: what would load nothing, or a part of a list without a sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import PAGINATOR_MAP, create_paginator

from analytics_assets.configuration.lineage import complete_endpoint, endpoint_of, parent_name
from analytics_assets.configuration.types import ApiConfig, ResourceConfig

PAGINATORS = [kind for kind, paginator in PAGINATOR_MAP.items() if paginator]
"""dlt's paginators without `auto`, which asks the first page to learn how there is a second."""


def endpoint_faults(config: ApiConfig, resource: ResourceConfig) -> Iterator[str]:
    """The faults of an endpoint, each in one sentence."""
    label = f"resource `{resource['name']}`"
    endpoint = endpoint_of(resource)
    params = endpoint.get("params") or {}
    incremental = endpoint.get("incremental")
    if incremental and parent_name(resource):
        yield f"{label}: `endpoint.incremental` stands on a child, whose parents would share it"
    if incremental and resource["fields"].get(incremental.get("cursor_path", "")) != "number":
        yield (
            f"{label}: `endpoint.incremental.cursor_path` is not one of its `fields` of the type "
            "`number`: only epochs in milliseconds can be compared. Where the API has ISO times, "
            "declare a field `filled_from` them, and `iso_time` as `endpoint.incremental.convert`"
        )
    if "newest_params" in resource and not incremental:
        yield f"{label}: `newest_params` stands without `endpoint.incremental`, which tells the age"
    if "bare_list" in resource and resource["bare_list"]["limit_param"] not in params:
        limit = resource["bare_list"]["limit_param"]
        yield f"{label}: `endpoint.params.{limit}` is missing: it tells `bare_list` a full page"
    if "since_param" in resource:
        yield from _since_faults(f"{label}: `since_param`", config, resource)
    for param, value in params.items():
        yield from _param_faults(f"{label}: `endpoint.params.{param}`", value)
    if "bare_list" not in resource:
        paginator = complete_endpoint(config, resource).get("paginator")
        yield from _paginator_faults(f"{label}: `endpoint.paginator`", paginator)


def _since_faults(label: str, config: ApiConfig, resource: ResourceConfig) -> Iterator[str]:
    """What keeps a list from being read in stretches of time."""
    endpoint = complete_endpoint(config, resource)
    paginator = endpoint.get("paginator")
    is_cursor = isinstance(paginator, dict) and paginator.get("type") == "cursor"
    if parent_name(resource):
        yield f"{label} stands on a child, whose lists are read at once already: leave it out"
    if not is_cursor or not endpoint.get("data_selector"):
        yield f"{label} needs a paginator of the type `cursor` and a `data_selector`"
    if "convert" in (endpoint.get("incremental") or {}):
        yield f"{label} needs times in epoch milliseconds, and `endpoint.incremental` converts them"


def _param_faults(label: str, value: Any) -> Iterator[str]:
    """What dlt knows a second way to write, and the project reads the first one alone."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "incremental":
        yield f"{label} is incremental: use `endpoint.incremental`"
    if kind == "resolve":
        yield f"{label} is resolved: use a placeholder, like {{resources.projects.id}}"
    if "{incremental." in str(value):
        yield f"{label} has a placeholder of the cursor: use `endpoint.incremental.start_param`"


def _paginator_faults(label: str, declared: Any) -> Iterator[str]:
    kind = declared.get("type") if isinstance(declared, dict) else declared
    if isinstance(kind, BasePaginator):
        return
    if kind not in PAGINATORS:
        found = f"is `{kind}`" if kind else "is missing"
        yield (
            f"{label} {found}: name one of {', '.join(PAGINATORS)}, for a paginator that is "
            "guessed may end a list early without a sign"
        )
        return
    try:
        create_paginator(declared)
    except (TypeError, ValueError) as error:
        yield f"{label} is not complete or has a key too many: {error}"
