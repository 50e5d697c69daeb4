"""Dotted paths to the fields of records, as the configuration writes them."""

from __future__ import annotations

import re
from functools import lru_cache

Path = tuple[str, ...]

ANY = "*"
"""Stands in a path for any one name: for the keys of a map."""

_PLAIN_NAME = re.compile(r"[^\W\d][\w -]{0,39}")
_MANY_DIGITS = re.compile(r"\d.*\d.*\d")


@lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """A name as it is compared: the API may write it in another case."""
    return name.strip().casefold()


def segments(path: str) -> Path:
    """The names of a path, as they are compared."""
    return tuple(map(fold, path.split(".")))


def flat(path: Path) -> Path:
    """A path as the configuration writes it: there, a dot in a name is one between two names."""
    return segments(".".join(path))


def leads_to(pattern: Path, path: Path) -> bool:
    """Whether a path is the one of a pattern, or below it."""
    return len(pattern) <= len(path) and _match(pattern, path)


def leads_below(pattern: Path, path: Path) -> bool:
    """Whether a pattern names something below a path."""
    return len(pattern) > len(path) and _match(pattern, path)


def _match(pattern: Path, path: Path) -> bool:
    return all(by in (ANY, name) for by, name in zip(pattern, path, strict=False))


def shown(path: Path) -> str:
    """A path as people read it: keys of maps that are ids, or may be secrets, are not shown."""
    *above, name = path
    return ".".join([*(n if _is_plain(n) else ANY for n in above), name])


def _is_plain(name: str) -> bool:
    return bool(_PLAIN_NAME.fullmatch(name)) and not _MANY_DIGITS.search(name)
