"""Takes what looks like a secret out of records, before they are digested, stored or shown.

What nobody declared becomes null, at any depth, where its name (`secret_names`) or its form
(`secret_values`) says so.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from analytics_assets.source.paths import Path, flat, leads_below, leads_to, segments, shown
from analytics_assets.source.secret_values import (
    any_may_be_secret,
    is_secret_text,
    may_be_secret,
)
from analytics_assets.source.values import Record
from analytics_assets.source.withheld import decided_paths

SUSPECTED_SECRETS = "x-suspected-secrets"
"""The hint of a table in dlt's schema that keeps the paths of what loads have emptied."""
CONTAINERS = {dict, list}
HARMLESS = {type(None), bool, int, float}
ACTIONS = {"create", "read", "update", "delete", "list", "count", "write"}
"""What `permissions` list under names like `secret`: what may be done, and no secret."""
NAMES_KEPT = 10_000
"""Names that are remembered as innocent: a map may have any number of keys."""
PATHS_KEPT = 100
"""Paths of found secrets that are remembered."""


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
        self._copied = set(map(segments, chain.from_iterable(copied.values())))
        allowed = resource.get("store", [])
        if resource.get("store_withheld"):
            allowed = [*allowed, *resource.get("withheld", [])]
        self._allowed = [segments(path) for path in allowed]
        self._decided = [segments(path) for path in decided_paths(resource)]
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
        elif not any(leads_to(allowed, flat(path)) for allowed in self._allowed):
            owner[name] = None
            if len(self.found) < PATHS_KEPT:
                self.found.add(shown(path))

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
        if self._looks_at_forms and _has_secret_form(value):
            return flat(path) not in self._copied
        secrecy = _secrecy(owner, path)
        are_variables = type(value) is dict and is_environment(path[-1], value)
        if not are_variables and not _holds_secret(value, secrecy, path[-1]):
            return False
        # Where the configuration names a part of an object, the other parts are looked at.
        return type(value) is str or not any(leads_below(by, flat(path)) for by in self._decided)


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
