"""Refuses words on secrets that contradict each other, or take away what a load needs."""

from __future__ import annotations

from collections.abc import Iterator

from analytics_assets.configuration.lineage import cursor_field, key_columns, parent_fields
from analytics_assets.configuration.types import ApiConfig, ResourceConfig


def secret_faults(config: ApiConfig, resource: ResourceConfig) -> Iterator[str]:
    """What is wrong with `withheld` and `store` of a resource, in words for people."""
    label = f"resource `{resource['name']}`"
    withheld = _folded(resource.get("withheld", []))
    stored = _folded(resource.get("store", []))
    for word, paths in (("withheld", withheld), ("store", stored)):
        for path in paths:
            if not all(path.split(".")):
                yield f"{label}: `{word}` names `{path}`: write names with one dot between two"
    for path in stored:
        if _holder(path, withheld):
            yield f"{label}: `store` names `{path}`, which `withheld` withholds: choose one"
    for field, reason in _needed(config, resource):
        if holder := _holder(field, withheld):
            yield f"{label}: `withheld` names `{holder}`, which {reason}"


def _needed(config: ApiConfig, resource: ResourceConfig) -> Iterator[tuple[str, str]]:
    """The fields that a load of the resource, or of its children, needs, and what for."""
    for column in key_columns(config, resource):
        yield column, "its `primary_key` needs"
    if cursor := cursor_field(resource):
        yield cursor, "its `endpoint.incremental` needs"
    for field, sources in resource.get("filled_from", {}).items():
        for source in sources:
            yield source, f"its `{field}` is filled from"
    for child in config["resources"]:
        fields = [parent.field for parent in parent_fields(child) if _is_of(resource, parent)]
        for field in [*fields, *((child.get("include_from_parent") or []) if fields else [])]:
            yield field, f"its child `{child['name']}` needs"


def _is_of(resource: ResourceConfig, parent: object) -> bool:
    return getattr(parent, "resource", None) == resource["name"]


def _holder(path: str, withheld: dict[str, str]) -> str | None:
    """The withheld path that a path is, or is below."""
    names = path.strip().casefold().split(".")
    above = (".".join(names[:count]) for count in range(1, len(names) + 1))
    return next((withheld[known] for known in above if known in withheld), None)


def _folded(paths: list[str]) -> dict[str, str]:
    """Paths as they are compared, for case does not matter, and as they are written."""
    return {path.strip().casefold(): path for path in paths}
