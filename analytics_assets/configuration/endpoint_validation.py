"""Refuses a wrong endpoint: what would load nothing, or a part of a list without a sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dlt.sources.helpers.rest_client.paginators import BasePaginator
from dlt.sources.rest_api.config_setup import PAGINATOR_MAP, create_paginator

from analytics_assets.configuration.lineage import (
    complete_endpoint,
    endpoint_of,
    parent_name,
    placeholders,
)
from analytics_assets.configuration.types import ApiConfig, ResourceConfig

PAGINATORS = [kind for kind, paginator in PAGINATOR_MAP.items() if paginator]
"""dlt's paginators without `auto`, which asks the first page to learn how there is a second."""

UNREAD_WORDS = {
    "columns": "declare them in `fields`",
    "file_format": "the warehouse decides on it",
    "max_table_nesting": "arrays and objects are stored as JSON",
    "merge_key": "rows are merged by `primary_key`",
    "nested_hints": "arrays and objects are stored as JSON, without tables of their own",
    "parallelized": "many lists are asked for at once, of each resource",
    "parent_table_name": "arrays and objects are stored as JSON, without tables of their own",
    "references": "a child is told by its placeholders",
    "schema_contract": "a new field gets a column, and a check warns of it",
    "table_format": "the warehouse decides on it",
}
"""Words of dlt that say of a resource what the project decides, and why."""
UNREAD_ENDPOINT_WORDS = {
    "auth": "the token is the setting ACCESS_TOKEN",
    "response_actions": "an answer that is ignored would end a list without a sign. A parent that "
    "answers 404 has no children, and rows are changed by `processing_steps`",
}
"""The same of an endpoint."""
READ_ONE_WAY: dict[str, tuple[tuple[Any, ...], str]] = {
    "allow_external_schedulers": ((False,), "the project's own schedules decide what is loaded"),
    "end_value": ((), "the job `reload_history` loads a stretch of the past"),
    "last_value_func": (("max", max), "what is new has the largest time"),
    "primary_key": ((), "rows are told apart by the `primary_key` of the resource"),
    "range_end": (("open",), "a stretch of time ends before its last moment"),
    "range_start": (("closed",), "rows of the newest moment are asked for again"),
    "row_order": ((), "each list is read to its end"),
}
"""Words of `incremental`, with the values that say what the project does, and why it does so."""


def _word_faults(resource: ResourceConfig) -> Iterator[str]:
    """The words of dlt that nothing here reads, each in one sentence."""
    label = f"resource `{resource['name']}`"
    endpoint: Any = endpoint_of(resource)
    incremental = endpoint.get("incremental") or {}
    for word, why in UNREAD_WORDS.items():
        if resource.get(word) is not None:
            yield f"{label}: `{word}` is to be left out: {why}"
    for word, why in UNREAD_ENDPOINT_WORDS.items():
        if endpoint.get(word) is not None:
            yield f"{label}: `endpoint.{word}` is to be left out: {why}"
    for word, (values, why) in READ_ONE_WAY.items():
        if incremental.get(word) is not None and incremental[word] not in values:
            yield f"{label}: `endpoint.incremental.{word}` is to be left out: {why}"
    if type(incremental.get("initial_value") or 0) is not int:
        yield (
            f"{label}: `endpoint.incremental.initial_value` is to be a whole number, the first "
            "moment in epoch milliseconds"
        )
    for place, placeholder in placeholders(endpoint):
        # `_param_faults` names those of the cursor.
        is_named = place == "params" and placeholder.startswith("incremental.")
        if not is_named and not placeholder.startswith("resources."):
            yield (
                f"{label}: `endpoint.{place}` has the placeholder {{{placeholder}}}: only a field "
                "of a parent is one, like {resources.projects.id}. Write a brace of the text twice"
            )


def endpoint_faults(config: ApiConfig, resource: ResourceConfig) -> Iterator[str]:
    """The faults of an endpoint, each in one sentence."""
    yield from _word_faults(resource)
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
