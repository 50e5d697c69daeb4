"""Takes secrets out of records, before they are digested, compared, stored or shown.

What the configuration names as `withheld`, and what nobody declared but looks like a secret: by its
name (`secret_names`) or its form (`secret_values`). Its value becomes null, at any depth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from analytics_assets.configuration import ResourceConfig
from analytics_assets.configuration.lineage import inherited_columns
from analytics_assets.configuration.secret_names import (
    Secrecy,
    is_common,
    is_environment,
    is_innocent,
    secrecy_below,
)
from analytics_assets.source.columns import VARIANT
from analytics_assets.source.secret_values import (
    any_may_be_secret,
    is_secret_text,
    may_be_secret,
)
from analytics_assets.source.values import Record

Path = tuple[str, ...]

SUSPECTED_SECRETS = "x-suspected-secrets"
"""The hint of a table in dlt's schema that keeps the paths of what loads have emptied."""
ANY = "*"
"""Stands in a path for any one name: for the keys of a map."""
CONTAINERS = {dict, list}
HARMLESS = {type(None), bool, int, float}
ACTIONS = {"create", "read", "update", "delete", "list", "count", "write"}
"""What `permissions` list under names like `secret`: what may be done, and no secret."""
NAMES_KEPT = 10_000
"""Names that are remembered as innocent: a map may have any number of keys."""
PATHS_KEPT = 100
"""Paths of found secrets that are remembered."""

_PLAIN_NAME = re.compile(r"[^\W\d][\w -]{0,39}")
_MANY_DIGITS = re.compile(r"\d.*\d.*\d")


def withhold(resource: ResourceConfig) -> Callable[[list[Record]], None]:
    """A function that empties what the configuration withholds from a page's records, in place.

    In whatever case the API writes the names.
    """
    tree = _tree([] if resource.get("store_withheld") else resource.get("withheld", []))

    def empty(page: list[Record]) -> None:
        if tree:
            for record in page:
                _empty(record, tree)

    return empty


def undecided(resource: ResourceConfig, found: Iterable[str]) -> list[str]:
    """Of the paths of found secrets those that the configuration does not name by now."""
    decided = [_segments(path) for path in _decided(resource)]
    return sorted(
        path for path in found if not any(_leads_to(by, _segments(path)) for by in decided)
    )


def withheld_columns(
    resource: ResourceConfig, suspected: Iterable[str], columns: Iterable[str]
) -> list[str]:
    """The columns that are to hold nothing: withheld by the configuration, or suspected."""
    withheld = [] if resource.get("store_withheld") else resource.get("withheld", [])
    names = {_fold(path) for path in [*withheld, *suspected]}
    return [column for column in columns if _fold(column.partition(VARIANT)[0]) in names]


class Guard:
    """Empties what nobody declared and looks like a secret in the records of a resource.

    Attributes:
        found: The paths of what it has emptied.
    """

    def __init__(self, resource: ResourceConfig) -> None:
        """Begins with nothing found.

        Args:
            resource: The resource whose records they are.
        """
        fields = resource["fields"]
        scalars = {name for name, word in fields.items() if word not in ("array", "object")}
        self._declared = {*scalars, *inherited_columns(resource)}
        self._fields = set(fields)
        # The texts of a log are many, and hold whatever a build has printed.
        self._looks_at_forms = "bare_list" not in resource
        copied: Mapping[str, list[str]] = resource.get("filled_from", {})
        self._copied = set(map(_segments, chain.from_iterable(copied.values())))
        allowed = resource.get("store", [])
        if resource.get("store_withheld"):
            allowed = [*allowed, *resource.get("withheld", [])]
        self._allowed = [_segments(path) for path in allowed]
        self._decided = [_segments(path) for path in _decided(resource)]
        self._innocent: set[str] = set()
        self.found: set[str] = set()

    def empty(self, page: list[Record]) -> None:
        """Empties what looks like a secret in the records of a page, in place."""
        if not self._may_hold_secrets(page):
            return
        for record in page:
            for name, value in record.items():
                kind = type(value)
                if kind in CONTAINERS or (kind is str and name not in self._declared):
                    self._empty_field(record, name, value, (name,))

    def empty_below(self, name: str, value: Any) -> None:
        """Empties what looks like a secret in an array or object that stands in a plain field."""
        if type(value) in CONTAINERS:
            self._are_innocent({name})
            self._look_into(value, (name,))

    def _may_hold_secrets(self, page: list[Record]) -> bool:
        """Whether a page has a name or a text that may be one of a secret.

        Goes through the page level by level, since that is several times as fast as record by
        record: of nearly all pages all names are known to be innocent.
        """
        names: set[str] = set()
        names.update(*page)
        names -= self._declared
        texts = [
            text
            for name in names - self._fields
            for record in page
            if type(text := record.get(name)) is str
        ]
        level = [
            value
            for name in names
            for record in page
            if type(value := record.get(name)) in CONTAINERS
        ]
        while level:
            objects = [value for value in level if type(value) is dict]
            names.update(*objects)
            inner: list[Any] = list(map(dict.values, objects))
            if len(objects) < len(level):
                inner += [value for value in level if type(value) is list]
            kinds = set(map(type, chain.from_iterable(inner)))
            if self._looks_at_forms and str in kinds:
                texts += [value for value in chain.from_iterable(inner) if type(value) is str]
            level = (
                [value for value in chain.from_iterable(inner) if type(value) in CONTAINERS]
                if kinds & CONTAINERS
                else []
            )
        return not self._are_innocent(names) or any_may_be_secret(texts)

    def _are_innocent(self, names: set[str]) -> bool:
        if new := names - self._innocent:
            if len(self._innocent) > NAMES_KEPT:
                self._innocent.clear()
            self._innocent |= {n for n in new if is_innocent(n) and not is_secret_text(n)}
        return names <= self._innocent

    def _empty_field(self, owner: dict[str, Any], name: str, value: Any, path: Path) -> None:
        if not self._is_secret(owner, value, path):
            self._look_into(value, path)
        elif not any(_leads_to(allowed, _flat(path)) for allowed in self._allowed):
            owner[name] = None
            if len(self.found) < PATHS_KEPT:
                self.found.add(_shown(path))

    def _look_into(self, value: Any, path: Path) -> None:
        if type(value) is dict:
            # Nearly all fields are passed by here: what is called for each takes longest.
            innocent = self._innocent
            is_innocent_above = innocent.issuperset(path[-2:])
            for name, item in value.items():
                kind = type(item)
                if kind in HARMLESS or (
                    kind is str
                    and name in innocent
                    and (is_innocent_above or not is_common(name))
                    and not may_be_secret(item)
                ):
                    continue
                if kind is dict and name in innocent and innocent.issuperset(item):
                    self._look_into(item, (*path, name))
                else:
                    self._empty_field(value, name, item, (*path, name))
        elif type(value) is list:
            for item in value:
                self._look_into(item, path)

    def _is_secret(self, owner: Mapping[str, Any], value: Any, path: Path) -> bool:
        if _has_secret_form(value):
            return _flat(path) not in self._copied
        secrecy = _secrecy(owner, path)
        are_variables = type(value) is dict and is_environment(path[-1], value)
        if not are_variables and not _holds_secret(value, secrecy, path[-1]):
            return False
        # Where the configuration names a part of an object, the other parts are looked at.
        return type(value) is str or not any(_leads_below(by, _flat(path)) for by in self._decided)


def _secrecy(owner: Mapping[str, Any], path: Path) -> Secrecy:
    *_, name = path
    # Variables, headers and settings come as pairs: the name of a value stands beside it.
    if name.casefold() == "value":
        said = owner.get("key") or owner.get("name")
        if isinstance(said, str) and (secrecy := secrecy_below("", said)):
            return secrecy
    return max(secrecy_below(context, name) for context in ("", *path[-3:-1]))


def _holds_secret(value: Any, secrecy: Secrecy, name: str) -> bool:
    if not secrecy:
        return False
    if isinstance(value, dict):
        is_count = name.casefold().endswith("tokens") and HARMLESS.issuperset(
            map(type, value.values())
        )
        return secrecy is Secrecy.ALL and bool(value) and not is_count
    if isinstance(value, list):
        return any(_holds_secret(item, secrecy, name) for item in value)
    is_text = isinstance(value, str) and value.strip().casefold() not in {"", *ACTIONS}
    return bool(secrecy) and is_text


def _has_secret_form(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_secret_form(item) for item in value if not isinstance(item, dict))
    if isinstance(value, dict):
        return any(map(is_secret_text, value))
    return isinstance(value, str) and is_secret_text(value)


def _decided(resource: ResourceConfig) -> Iterator[str]:
    yield from [*resource.get("withheld", []), *resource.get("store", [])]


@lru_cache(maxsize=NAMES_KEPT)
def _fold(name: str) -> str:
    return name.strip().casefold()


def _segments(path: str) -> Path:
    return tuple(map(_fold, path.split(".")))


def _flat(path: Path) -> Path:
    """A path as the configuration writes it: there, a dot in a name is one between two names."""
    return _segments(".".join(path))


def _leads_to(pattern: Path, path: Path) -> bool:
    """Whether a path is the one of a pattern, or below it."""
    return len(pattern) <= len(path) and _match(pattern, path)


def _leads_below(pattern: Path, path: Path) -> bool:
    """Whether a pattern names something below a path."""
    return len(pattern) > len(path) and _match(pattern, path)


def _match(pattern: Path, path: Path) -> bool:
    return all(by in (ANY, name) for by, name in zip(pattern, path, strict=False))


def _shown(path: Path) -> str:
    """A path as people read it: keys of maps that are ids, or may be secrets, are not shown."""
    *above, name = path
    return ".".join([*(n if _is_plain(n) else ANY for n in above), name])


def _is_plain(name: str) -> bool:
    return bool(_PLAIN_NAME.fullmatch(name)) and not _MANY_DIGITS.search(name)


def _tree(paths: Iterable[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(map(_segments, paths), key=len, reverse=True):
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
            for branch in _branches(tree, _fold(name)):
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
