"""How resources depend on each other, read from the placeholders of their endpoints."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from dlt.sources.rest_api.typing import Endpoint

from analytics_assets.configuration.types import ApiConfig, ResourceConfig

MILLISECONDS_A_DAY = 86_400_000
PLACES = ("path", "params", "headers", "json", "data")
"""The parts of an endpoint that a parent's fields may stand in."""


class ParentField(NamedTuple):
    """A field of a parent's row that a child's request is made from, or that its rows keep."""

    resource: str
    field: str


def endpoint_of(resource: ResourceConfig) -> Endpoint:
    """The endpoint of a resource, always as a dict: `validate` refuses the short form."""
    return cast(Endpoint, resource["endpoint"])


def complete_endpoint(config: ApiConfig, resource: ResourceConfig) -> Endpoint:
    """The endpoint of a resource with what the defaults add to it, as dlt merges the two."""
    default = cast(Endpoint, config.get("resource_defaults", {}).get("endpoint") or {})
    own = endpoint_of(resource)
    params = {**(default.get("params") or {}), **(own.get("params") or {})}
    return {**default, **own, "params": params}


def parent_fields(resource: ResourceConfig) -> list[ParentField]:
    """The parent's fields a resource asks with, in the order of their placeholders.

    A placeholder reads `{resources.<parent>.<field>}` (dlt, "REST API source: Define resource
    relationships") and stands in any of `PLACES`.
    """
    found: list[ParentField] = []
    for _, placeholder in placeholders(endpoint_of(resource)):
        if placeholder.startswith("resources."):
            _, parent, field = placeholder.split(".", maxsplit=2)
            found.append(ParentField(parent, field))
    return found


def placeholders(endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """The placeholders of an endpoint, each with the part that it stands in.

    Raises:
        ValueError: If a text has a brace without its other one.
    """
    for place in PLACES:
        for text in _strings(endpoint.get(place)):
            for _, placeholder, _, _ in string.Formatter().parse(text):
                if placeholder is not None:
                    yield place, placeholder


def parent_name(resource: ResourceConfig) -> str | None:
    """The resource a child depends on; None for a root."""
    return next((parent.resource for parent in parent_fields(resource)), None)


def inherited_fields(resource: ResourceConfig) -> dict[str, ParentField]:
    """The columns of a child that hold its parent's fields, and those fields.

    dlt names them `_<parent>_<field>` (dlt, "REST API source: Include fields from the parent").
    """
    parent = parent_name(resource) or ""
    return {
        f"_{parent}_{field}": ParentField(parent, field)
        for field in resource.get("include_from_parent") or []
    }


def inherited_columns(resource: ResourceConfig) -> list[str]:
    """The columns of a child that hold its parent's fields."""
    return list(inherited_fields(resource))


def key_columns(config: ApiConfig, resource: ResourceConfig) -> list[str]:
    """The columns that identify a row: the resource's own key, or else the default one."""
    default = config.get("resource_defaults", {}).get("primary_key")
    key = cast("str | list[str] | None", resource.get("primary_key") or default)
    return [key] if isinstance(key, str) else list(key or [])


def cursor_field(resource: ResourceConfig) -> str:
    """The field by which an incremental resource is asked for what is new; "" of any other."""
    incremental = endpoint_of(resource).get("incremental")
    return str(incremental["cursor_path"]) if incremental else ""


def how_it_is_loaded(config: ApiConfig, resource: ResourceConfig) -> str:
    """What each load of a resource asks for, in words that follow `loads`."""
    parent = parent_name(resource)
    if parent and is_listed_in_full(config, parent):
        return f"one list for each row of the latest {parent}"
    if parent:
        again = resource.get("asked_again")
        ended = f", or one that ended within {again['within_minutes']} minutes" if again else ""
        return f"one list for each new or changed row of {parent}{ended}"
    incremental = endpoint_of(resource).get("incremental")
    if not incremental:
        return "the full list"
    days = int(incremental.get("lag") or 0) / MILLISECONDS_A_DAY
    return f"what is newer than {days:g} days before its newest row" if days else "what is newer"


def resource_named(config: ApiConfig, name: str) -> ResourceConfig:
    """The resource with that name."""
    return next(resource for resource in config["resources"] if resource["name"] == name)


def is_listed_in_full(config: ApiConfig, name: str) -> bool:
    """Whether each load of a resource lists all its rows.

    An incremental resource brings only new and changed rows, and so does a child that asks only
    for its parent's new and changed rows.
    """
    resource = resource_named(config, name)
    if "incremental" in endpoint_of(resource):
        return False
    parent = parent_name(resource)
    return parent is None or is_listed_in_full(config, parent)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _strings([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
