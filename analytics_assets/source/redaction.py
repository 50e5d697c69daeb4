"""Takes what looks like a secret out of records, before they are digested, stored or shown.

What nobody declared becomes null, at any depth, where its name (`secret_names`) or its form
(`secret_values`) says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

from analytics_assets.configuration.resource import Resource
from analytics_assets.configuration.secret_names import (
    Secrecy,
    are_quantities,
    holds_addresses,
    is_common,
    is_environment,
    is_innocent,
    is_name_in_pair,
    is_value_of_pair,
    secrecy_below,
    secrecy_of,
    without_secret,
)
from analytics_assets.source.paths import (
    ANY,
    Path,
    flat,
    fold,
    leads_below,
    leads_to,
    segments,
    shown,
)
from analytics_assets.source.secret_values import (
    BEGINNING,
    is_address,
    is_any_secret,
    is_secret_text,
    may_begin_secret,
)
from analytics_assets.source.values import Record
from analytics_assets.source.withheld import decided_paths

SUSPECTED_SECRETS = "x-suspected-secrets"
"""The hint of a table in dlt's schema that keeps the paths of what loads have emptied."""
CONTAINERS = {dict, list}
NUMBERS = {int, float}
NOTHING: frozenset[str] = frozenset()
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

    def __init__(self, resource: Resource) -> None:
        """Begins with nothing found.

        Args:
            resource: The resource whose records they are.
        """
        fields = resource.fields
        scalars = {name for name, word in fields.items() if word not in ("array", "object")}
        self._declared = {*scalars, *resource.inherited}
        # The texts of a log are many, and hold whatever a build has printed.
        self._looks_at_forms = resource.bare_list is None
        self._copied = set(map(segments, chain.from_iterable(resource.filled_from.values())))
        allowed = [*resource.store, *(resource.withheld if resource.store_withheld else ())]
        self._allowed = [segments(path) for path in allowed]
        self._decided = [segments(path) for path in decided_paths(resource)]
        self._innocent: set[str] = set()
        self._never_common: set[str] = set()
        self.found: set[str] = set()

    def empty(self, page: list[Record]) -> None:
        """Empties what looks like a secret in the records of a page, in place."""
        if not self._may_hold_secrets(page):
            return
        for name in set(chain.from_iterable(page)) - self._innocent - self._declared:
            if (known := without_secret(name)) != name:
                self._take_out(page, name, known)
        for record in page:
            self._look_into_object(record, (), declared=self._declared)

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
        values = [value for name in names for record in page if (value := record.get(name))]
        texts: list[str] = []
        while values:
            kinds = set(map(type, values))
            if self._looks_at_forms and str in kinds:
                texts += [value for value in values if type(value) is str]
            objects = [value for value in values if type(value) is dict]
            lists = [value for value in values if type(value) is list] if list in kinds else []
            names.update(*objects)
            values = list(chain(chain.from_iterable(map(dict.values, objects)), *lists))
            if lists and list in set(map(type, chain.from_iterable(lists))):
                names.update(item[0] for items in lists for item in items if _is_pair(item))
        return not self._are_innocent(names) or is_any_secret(texts)

    def _are_innocent(self, names: set[str]) -> bool:
        if new := names - self._innocent:
            if len(self._innocent) > NAMES_KEPT:
                self._innocent.clear()
                self._never_common.clear()
            innocent = {n for n in new if is_innocent(n) and not is_secret_text(n)}
            self._innocent |= innocent
            self._never_common |= {n for n in innocent if not is_common(n)}
        return names <= self._innocent

    def _take_out(self, page: list[Record], name: str, known: str) -> None:
        """Takes out a field whose name is a secret: an empty one would still be a column."""
        if not self._is_allowed((known,)):
            for record in page:
                record.pop(name, None)
            self._note((known,))

    def _look_into(self, value: Any, path: Path) -> None:
        if type(value) is dict:
            self._look_into_object(value, path)
        elif type(value) is list:
            for item in value:
                if _is_pair(item):
                    self._empty_field(item, 1, item[1], (*path, item[0]))
                else:
                    self._look_into(item, path)

    def _look_into_object(
        self, owner: dict[str, Any], path: Path, declared: Collection[str] = NOTHING
    ) -> None:
        # Nearly all fields are passed by here: what is called for each takes longest.
        is_innocent_above = self._innocent.issuperset(path[-2:])
        innocent = self._innocent if is_innocent_above else self._never_common
        for name, value in owner.items():
            kind = type(value)
            if not value or kind is bool or (kind not in CONTAINERS and name in declared):
                continue
            if name in innocent:
                if kind in NUMBERS or (kind is str and not may_begin_secret(value[:BEGINNING])):
                    continue
                if kind is dict and innocent.issuperset(value):
                    self._look_into_object(value, (*path, name))
                    continue
            self._empty_field(owner, name, value, (*path, name))

    def _empty_field(self, owner: Any, place: str | int, value: Any, path: Path) -> None:
        if not self._is_secret(owner, value, path):
            self._look_into(value, path)
        elif not self._is_allowed(path):
            owner[place] = None
            self._note(path)

    def _is_allowed(self, path: Path) -> bool:
        return any(leads_to(allowed, flat(path)) for allowed in self._allowed)

    def _note(self, path: Path) -> None:
        if len(self.found) < PATHS_KEPT:
            self.found.add(shown(path))

    def _is_secret(self, owner: Any, value: Any, path: Path) -> bool:
        if self._looks_at_forms and _has_secret_form(value):
            return flat(path) not in self._copied
        are_variables = type(value) is dict and is_environment(path[-1], value)
        if not are_variables and not _holds_secret(value, _secrecy(owner, path), path):
            return False
        # Where the configuration names a part of an object, the other parts are looked at.
        return not any(_names_part(by, flat(path), value) for by in self._decided)


def _names_part(pattern: Path, path: Path, value: Any) -> bool:
    """Whether a pattern names something that an object, or one in a list, has."""
    if not leads_below(pattern, path):
        return False
    if type(value) is list:
        return any(_names_part(pattern, path, item) for item in value)
    name = pattern[len(path)]
    return type(value) is dict and (name == ANY or name in map(fold, value))


def _is_pair(item: Any) -> bool:
    """Whether a list in a list holds the name of a secret and its value."""
    return (
        type(item) is list and len(item) == 2 and type(item[0]) is str and bool(secrecy_of(item[0]))
    )


def _secrecy(owner: Any, path: Path) -> Secrecy:
    # Variables, headers and settings come as pairs: the name of a value stands beside it.
    if type(owner) is dict and is_value_of_pair(path[-1]):
        for name, said in owner.items():
            if type(said) is str and is_name_in_pair(name) and (secrecy := secrecy_of(said)):
                return secrecy
    return _secrecy_at(path[-3:])


@lru_cache(maxsize=4096)
def _secrecy_at(path: Path) -> Secrecy:
    """What a name says of its value, by itself and in the objects that it is in."""
    *above, name = path
    return secrecy_of(name).union(*(secrecy_below(context, name) for context in above))


def _holds_secret(value: Any, secrecy: Secrecy, path: Path) -> bool:
    kind = type(value)
    if kind is list:
        return any(_holds_secret(item, secrecy, path) for item in value)
    if kind is dict:
        return bool(value) and _is_secret_map(value, secrecy, path[-1])
    if kind not in secrecy:
        return kind is str and _is_address_of_hook(value, path)
    return value.strip().casefold() not in {"", *ACTIONS} if kind is str else bool(value)


def _is_address_of_hook(value: str, path: Path) -> bool:
    is_below = len(path) > 1 and holds_addresses(path[-2])
    return is_below and is_address(value)


def _is_secret_map(value: Mapping[str, Any], secrecy: Secrecy, name: str) -> bool:
    if dict in secrecy:
        kinds = set(map(type, value.values()))
        return not (kinds <= {*NUMBERS, type(None)} and are_quantities(name, value))
    return str in secrecy and any(map(is_address, value))


def _has_secret_form(value: Any) -> bool:
    if isinstance(value, list):
        texts = [item for item in value if type(item) is str]
        lists = [item for item in value if type(item) is list]
        return is_any_secret(texts) or any(map(_has_secret_form, lists))
    if isinstance(value, dict):
        return any(is_secret_text(name) or without_secret(name) != name for name in value)
    return isinstance(value, str) and is_secret_text(value)
