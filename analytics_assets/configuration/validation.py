"""Refuses a wrong configuration when the definitions load, naming the resource and the key."""

from __future__ import annotations

import graphlib
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from dlt.common.exceptions import DictValidationException
from dlt.common.validation import validate_dict
from dlt.sources.rest_api.typing import Endpoint

from analytics_assets.configuration.lineage import (
    endpoint_of,
    inherited_columns,
    key_columns,
    parent_fields,
    parent_name,
)
from analytics_assets.configuration.types import ApiConfig, ResourceConfig

FIXED_WORDS: dict[str, Any] = {"selected": True, "write_disposition": "merge", "table_name": None}
"""Words of dlt that the project sets itself."""


class ConfigurationError(ValueError):
    """The configuration is wrong; the message names the resource and the key."""


def validate(config: ApiConfig) -> None:
    """Raises a `ConfigurationError` that names every fault found in the configuration."""
    faults = list(_faults(config))
    if faults:
        raise ConfigurationError("The configuration is wrong: " + "; ".join(faults))


def _faults(config: ApiConfig) -> Iterator[str]:
    if not config.get("resources"):
        yield "`resources` is missing"
        return
    if not re.fullmatch(r"\d{4}-\d{2}-01", str(config.get("history_start"))):
        yield "`history_start` is to be the first day of a month, like 2016-01-01"
    for owner in config.get("owners", []):
        if not re.fullmatch(r"team:\w+|[^@\s]+@[^@\s]+\.\w+", owner):
            yield f"`owners` names `{owner}`: write an address of mail, or a team like `team:data`"
    # Nothing more can be said of a resource that lacks its keys.
    yield from (faults := [f for resource in config["resources"] for f in _shape_faults(resource)])
    if faults:
        return
    for name, count in Counter(resource["name"] for resource in config["resources"]).items():
        if count > 1:
            yield f"resource `{name}`: its `name` stands {count} times"
    by_name = {str(resource["name"]): resource for resource in config["resources"]}
    for resource in config["resources"]:
        yield from _cadence_faults(config, resource)
        yield from _parent_faults(resource, by_name)
        yield from _column_faults(config, resource)
        yield from _presentation_faults(resource)
    try:
        graphlib.TopologicalSorter(
            {name: {parent_name(resource)} - {None} for name, resource in by_name.items()}
        ).prepare()
    except graphlib.CycleError as error:
        cycle: list[str] = error.args[1]
        yield f"resource `{cycle[0]}`: `endpoint.path` depends on itself: {' <- '.join(cycle)}"


def _shape_faults(resource: ResourceConfig) -> Iterator[str]:
    label = f"resource `{resource.get('name', 'without a name')}`"
    # The endpoint by itself: as one alternative of a union its fault would not be named.
    yield from _typed_dict_faults(ResourceConfig, resource, label)
    endpoint = resource.get("endpoint")
    if isinstance(endpoint, dict):
        yield from _typed_dict_faults(Endpoint, endpoint, f"{label}: `endpoint`")
    if not isinstance(endpoint, dict) or not endpoint.get("path"):
        yield f"{label}: `endpoint.path` is missing"
        return
    if not re.fullmatch(r"[A-Za-z]\w*", str(resource.get("name")), re.ASCII):
        yield f"{label}: `name` is to be a letter, then letters, digits and underscores"
    for word, fixed in FIXED_WORDS.items():
        if dict(resource).get(word, fixed) != fixed:
            yield f"{label}: `{word}` is to be left out: assets are all selected and merged by key"
    try:
        parent_fields(resource)
    except ValueError:
        yield f"{label}: `endpoint` has a placeholder that is not like {{resources.projects.id}}"


def _typed_dict_faults(shape: Any, value: Any, label: str) -> Iterator[str]:
    try:
        validate_dict(shape, value, path=".", filter_f=lambda key: key != "endpoint")
    except DictValidationException as error:
        yield f"{label}: {str(error).removeprefix('Path `.`: ')}"


def _parent_faults(resource: ResourceConfig, by_name: dict[str, ResourceConfig]) -> Iterator[str]:
    label = f"resource `{resource['name']}`: `endpoint`"
    parents = parent_fields(resource)
    if len({parent.resource for parent in parents}) > 1:
        yield f"{label} names more than one parent"
    if parents and parents[0].resource in by_name:
        for field in resource.get("include_from_parent") or []:
            if field not in by_name[parents[0].resource]["fields"]:
                yield (
                    f"resource `{resource['name']}`: `include_from_parent` names `{field}`, which "
                    f"`{parents[0].resource}` does not declare"
                )
    for parent in parents:
        if parent.resource not in by_name:
            yield f"{label} names the unknown parent `{parent.resource}`"
        elif parent.field not in by_name[parent.resource]["fields"]:
            yield (
                f"{label} asks with the field `{parent.field}`, "
                f"which `{parent.resource}` does not declare"
            )


def _column_faults(config: ApiConfig, resource: ResourceConfig) -> Iterator[str]:
    label = f"resource `{resource['name']}`"
    inherited = inherited_columns(resource)
    key = key_columns(config, resource)
    if not key:
        yield f"{label}: `primary_key` is missing"
    for column in key:
        if column not in resource["fields"] and column not in inherited:
            yield f"{label}: `primary_key` names `{column}`, which is not among its `fields`"
    if parent_name(resource) and not set(inherited) & set(key):
        yield (
            f"{label}: `primary_key` lacks the parent's id, so rows of two parents would overwrite "
            "each other: include a field of the parent by `include_from_parent` and name it there"
        )
    for field, count in Counter(map(str.casefold, resource["fields"])).items():
        if count > 1:
            yield f"{label}: `fields` names `{field}` {count} times, for a warehouse ignores case"
    yield from _endpoint_faults(resource)
    for field in resource.get("times", []):
        if resource["fields"].get(field) != "number":
            yield f"{label}: `times` names `{field}`, which is no field of the type `number`"
    for field in resource.get("filled_from", {}):
        if field not in resource["fields"]:
            yield f"{label}: `filled_from` names `{field}`, which is not among its `fields`"


def _presentation_faults(resource: ResourceConfig) -> Iterator[str]:
    label = f"resource `{resource['name']}`"
    columns = {*resource["fields"], *inherited_columns(resource)}
    for column in resource.get("column_descriptions", {}):
        if column not in columns:
            yield f"{label}: `column_descriptions` names `{column}`, which is no column of it"
    for name, picture in resource.get("pictures", {}).items():
        for word, field in picture.items():
            if word != "colors" and field not in resource["fields"]:
                yield f"{label}: `pictures.{name}.{word}` is `{field}`, not one of its `fields`"


def _cadence_faults(config: ApiConfig, resource: ResourceConfig) -> Iterator[str]:
    label = f"resource `{resource['name']}`: `cadence"
    cadence = resource["cadence"]
    # A minute is the least that Dagster's freshness policies take.
    if not 1 <= cadence["warn_after"] < cadence["fail_after"]:
        yield f"{label}.warn_after` is to be 1 minute or more, and less than `fail_after`"
    if not re.fullmatch(r"[A-Za-z]\w*", cadence["name"], re.ASCII):
        yield f"{label}.name` is to be a letter, then letters, digits and underscores"
    if any(
        other["cadence"]["name"] == cadence["name"] and other["cadence"] != cadence
        for other in config["resources"]
    ):
        yield f"{label}.name` is that of another cadence, too"


def _endpoint_faults(resource: ResourceConfig) -> Iterator[str]:
    label = f"resource `{resource['name']}`"
    endpoint = endpoint_of(resource)
    params = endpoint.get("params") or {}
    incremental = endpoint.get("incremental")
    if incremental and parent_name(resource):
        yield f"{label}: `endpoint.incremental` stands on a child, whose parents would share it"
    if incremental and resource["fields"].get(incremental["cursor_path"]) != "number":
        yield (
            f"{label}: `endpoint.incremental.cursor_path` is not one of its `fields` of the type "
            "`number`: only epochs in milliseconds can be compared"
        )
    if "newest_params" in resource and not incremental:
        yield f"{label}: `newest_params` stands without `endpoint.incremental`, which tells the age"
    if "bare_list" in resource and resource["bare_list"]["limit_param"] not in params:
        limit = resource["bare_list"]["limit_param"]
        yield f"{label}: `endpoint.params.{limit}` is missing: it tells `bare_list` a full page"
    for param, value in params.items():
        if isinstance(value, dict) and value.get("type") == "incremental":
            yield f"{label}: `endpoint.params.{param}` is incremental: use `endpoint.incremental`"
