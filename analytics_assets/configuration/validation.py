"""Refuses a wrong configuration when the definitions load, naming the resource and the key."""

from __future__ import annotations

import graphlib
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any, cast
from zoneinfo import ZoneInfo

from dlt.common.exceptions import DictValidationException
from dlt.common.validation import validate_dict
from dlt.sources.rest_api.typing import Endpoint

from analytics_assets.configuration.endpoint_validation import endpoint_faults
from analytics_assets.configuration.lineage import (
    cursor_field,
    inherited_columns,
    key_columns,
    parent_fields,
    parent_name,
    placeholders,
)
from analytics_assets.configuration.secret_validation import secret_faults
from analytics_assets.configuration.types import ApiConfig, ResourceConfig

FIXED_WORDS: dict[str, Any] = {"selected": True, "write_disposition": "merge", "table_name": None}
"""Words of dlt that the project sets itself."""
SHARED_WORDS = {"primary_key", "write_disposition", "endpoint"}
"""What `resource_defaults` may hold: what else a resource is, is read off the resource itself."""
SHARED_ENDPOINT_WORDS = {"data_selector", "headers", "paginator", "params"}
BEARER = ("bearer", {"type": "bearer"})
"""The one way to authenticate, with the token of the settings."""


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
    # Nothing more can be said of what lacks its keys.
    yield from (faults := [*_api_faults(config), *_default_faults(config)])
    yield from (found := [f for resource in config["resources"] for f in _shape_faults(resource)])
    if faults or found:
        return
    for name, count in Counter(resource["name"] for resource in config["resources"]).items():
        if count > 1:
            yield f"resource `{name}`: its `name` stands {count} times"
    by_name = {str(resource["name"]): resource for resource in config["resources"]}
    for resource in config["resources"]:
        yield from _cadence_faults(config, resource)
        yield from _parent_faults(resource, by_name)
        yield from _asked_again_faults(resource, by_name)
        yield from _column_faults(config, resource)
        yield from _presentation_faults(resource)
    try:
        graphlib.TopologicalSorter(
            {name: {parent_name(resource)} - {None} for name, resource in by_name.items()}
        ).prepare()
    except graphlib.CycleError as error:
        cycle: list[str] = error.args[1]
        yield f"resource `{cycle[0]}`: `endpoint.path` depends on itself: {' <- '.join(cycle)}"


def _api_faults(config: ApiConfig) -> Iterator[str]:
    for word in [word for word in config if word not in ApiConfig.__annotations__]:
        yield f"`{word}` is none of {', '.join(ApiConfig.__annotations__)}"
    if not _is_first_of_a_month(str(config.get("history_start"))):
        yield "`history_start` is to be the first day of a month, like 2016-01-01"
    if not _is_cron(str(config.get("retry_stale"))):
        yield "`retry_stale` is to be a cron schedule of five fields, like */15 * * * *"
    for owner in config.get("owners", []):
        if not re.fullmatch(r"team:\w+|[^@\s]+@[^@\s]+\.\w+", owner):
            yield f"`owners` names `{owner}`: write an address of mail, or a team like `team:data`"
    client: Mapping[str, Any] = config.get("client") or {}
    if client.get("auth", "bearer") not in BEARER:
        yield "`client.auth` is to be {'type': 'bearer'}: the token is the setting ACCESS_TOKEN"
    for word in sorted(client.keys() - {"base_url", "auth"}):
        yield f"`client.{word}` is not read: write it into `resource_defaults.endpoint`"


def _default_faults(config: ApiConfig) -> Iterator[str]:
    label = "`resource_defaults`"
    defaults = config.get("resource_defaults", {})
    endpoint = cast(Endpoint, defaults.get("endpoint") or {})
    yield from _fixed_word_faults(defaults, label)
    yield from _typed_dict_faults(Endpoint, endpoint, f"{label}: `endpoint`", {"paginator"})
    unshared = [word for word in defaults if word not in SHARED_WORDS]
    unshared += [f"endpoint.{word}" for word in endpoint if word not in SHARED_ENDPOINT_WORDS]
    for word in unshared:
        yield f"{label}: `{word}` is to stand in each resource that it is meant for"
    try:
        has_placeholder = any(placeholders(endpoint))
    except ValueError:
        has_placeholder = True
    if has_placeholder:
        yield (
            f"{label}: `endpoint` has a placeholder, which is to stand in each resource that it is "
            "meant for: write a brace of the text twice"
        )


def _fixed_word_faults(resource: Mapping[str, Any], label: str) -> Iterator[str]:
    for word, fixed in FIXED_WORDS.items():
        if resource.get(word, fixed) != fixed:
            yield f"{label}: `{word}` is to be left out: assets are all selected and merged by key"


def _is_first_of_a_month(text: str) -> bool:
    try:
        return date.fromisoformat(text).day == 1
    except ValueError:
        return False


def _is_cron(text: str) -> bool:
    """Whether a text has the form of a cron schedule; Dagster itself checks the fields."""
    return bool(re.fullmatch(r"@[a-z]+|\S+( \S+){4}", text))


def _is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _shape_faults(resource: ResourceConfig) -> Iterator[str]:
    label = f"resource `{resource.get('name', 'without a name')}`"
    # The endpoint by itself: as one alternative of a union its fault would not be named.
    yield from _typed_dict_faults(ResourceConfig, resource, label)
    endpoint = resource.get("endpoint")
    if isinstance(endpoint, dict):
        yield from _typed_dict_faults(Endpoint, endpoint, f"{label}: `endpoint`", {"paginator"})
    if not isinstance(endpoint, dict) or not endpoint.get("path"):
        yield f"{label}: `endpoint.path` is missing"
        return
    if not re.fullmatch(r"[A-Za-z]\w*", str(resource.get("name", "")), re.ASCII):
        yield f"{label}: `name` is to be a letter, then letters, digits and underscores"
    yield from _fixed_word_faults(resource, label)
    try:
        parent_fields(resource)
    except ValueError:
        yield f"{label}: `endpoint` has a placeholder that is not like {{resources.projects.id}}"


def _typed_dict_faults(
    shape: Any, value: Any, label: str, leave_out: Collection[str] = ("endpoint",)
) -> Iterator[str]:
    try:
        validate_dict(shape, value, path=".", filter_f=lambda key: key not in leave_out)
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


def _asked_again_faults(
    resource: ResourceConfig, by_name: dict[str, ResourceConfig]
) -> Iterator[str]:
    if "asked_again" not in resource:
        return
    label = f"resource `{resource['name']}`: `asked_again"
    parent = by_name.get(str(parent_name(resource)))
    if parent is None or not cursor_field(parent):
        yield f"{label}` stands without a parent that has `endpoint.incremental`"
        return
    if resource["asked_again"]["within_minutes"] < 1:
        yield f"{label}.within_minutes` is to be 1 minute or more"
    if not resource["asked_again"]["after"]:
        yield f"{label}.after` names no field"
    for field in resource["asked_again"]["after"]:
        if parent["fields"].get(field) != "number":
            yield (
                f"{label}.after` names `{field}`, which is no field of the type `number` of "
                f"`{parent['name']}`"
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
    if resource.get("ids_may_repeat") and (
        resource["fields"].get("id") != "string" or "id" not in key
    ):
        yield f"{label}: `ids_may_repeat` needs an `id` of the type `string` in its `primary_key`"
    yield from endpoint_faults(config, resource)
    yield from secret_faults(config, resource)
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
    if not _is_cron(cadence["cron"]):
        yield f"{label}.cron` is to be a cron schedule of five fields, like */15 * * * *"
    if not _is_timezone(cadence["timezone"]):
        yield f"{label}.timezone` is to be an IANA name, like Europe/London"
    if not re.fullmatch(r"[A-Za-z]\w*", cadence["name"], re.ASCII):
        yield f"{label}.name` is to be a letter, then letters, digits and underscores"
    if any(
        other["cadence"]["name"] == cadence["name"] and other["cadence"] != cadence
        for other in config["resources"]
    ):
        yield f"{label}.name` is that of another cadence, too"
