"""Empties what the configuration withholds, and tells what it has not decided on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.columns import VARIANT
from analytics_assets.source.paths import ANY, fold, leads_to, segments
from analytics_assets.source.values import Record


def withhold(resource: Resource) -> Callable[[list[Record]], None]:
    """A function that empties what the configuration withholds from a page's records, in place.

    In whatever case the API writes the names.
    """
    tree = _tree(_withheld_paths(resource))

    def empty(page: list[Record]) -> None:
        if tree:
            for record in page:
                _empty(record, tree)

    return empty


def undecided(resource: Resource, found: Iterable[str]) -> list[str]:
    """Of the paths of found secrets those that the configuration does not name by now."""
    decided = [segments(path) for path in decided_paths(resource)]
    return sorted(path for path in found if not any(leads_to(by, segments(path)) for by in decided))


def withheld_columns(
    resource: Resource, suspected: Iterable[str], columns: Iterable[str]
) -> list[str]:
    """The columns that are to hold nothing: withheld by the configuration, or suspected."""
    names = {fold(path) for path in [*_withheld_paths(resource), *suspected]}
    return [column for column in columns if fold(column.partition(VARIANT)[0]) in names]


def decided_paths(resource: Resource) -> list[str]:
    """What the configuration says of fields that are, or look like, secrets."""
    return [*resource.withheld, *resource.store]


def _withheld_paths(resource: Resource) -> Sequence[str]:
    return () if resource.store_withheld else resource.withheld


def _tree(paths: Iterable[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(map(segments, paths), key=len, reverse=True):
        branch = tree
        for name in path[:-1]:
            branch = branch.setdefault(name, {})
        branch[path[-1]] = None
    return tree


def _empty(value: Any, tree: Mapping[str, Any]) -> None:
    """Empties the fields that the paths of a tree lead to."""
    if isinstance(value, list):
        for item in value:
            _empty(item, tree)
    elif isinstance(value, dict):
        for name, item in value.items():
            for branch in _branches(tree, fold(name)):
                if branch is None:
                    value[name] = None
                else:
                    _empty(item, branch)


def _branches(tree: Mapping[str, Any], name: str) -> Iterator[Any]:
    for known in (name, ANY):
        if known in tree:
            yield tree[known]
    if "." in name:
        first, _, rest = name.partition(".")
        for branch in _branches(tree, first):
            if branch is None:
                yield None
            else:
                yield from _branches(branch, rest)
