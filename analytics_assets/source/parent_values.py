"""What a child's request is made from: fields of its parent's row, quoted where a path has them.

A field is one segment of the path, whatever it holds: an id like `a/b`, `c?d` or `e#f` would ask
for another address otherwise, whose answer would be stored under this parent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from string import Formatter
from typing import Any
from urllib.parse import quote

import sqlglot.expressions as sge
from dlt.common.data_types.typing import TDataType

from analytics_assets.configuration.resource import Parent
from analytics_assets.source.values import Record

QUOTED = "_quoted_"
"""Stands before the name of a parent's field where its value is quoted: dlt itself quotes none."""
RESOURCES = "resources."
DOTS = ("", ".", "..")
"""Segments that no client sends as they are, quoted or not (RFC 3986, 5.2.4), and no segment."""


def quoted_path(path: str) -> str:
    """The path of an endpoint with placeholders for the quoted values of its parent's fields."""
    return "".join(
        literal + (_placeholder(_quoted_name(name)) if name else "")
        for literal, name in _parsed(path)
    )


def placeholder_values(row: Record, parent: Parent) -> dict[str, Any]:
    """The values of a request's placeholders, by the names that stand in it.

    Args:
        row: The parent's row.
        parent: What its child takes of it.
    """
    above = f"{RESOURCES}{parent.resource.name}."
    values = {above + field: row[field] for field in parent.asked_with}
    quoted = {above + QUOTED + f: quote(str(row[f]), safe="") for f in parent.asked_with}
    return values | quoted


def is_askable(path: str, fields: Collection[str], types: Mapping[str, TDataType]) -> sge.Condition:
    """The condition for a parent's rows that can be asked for, and not another address instead.

    Args:
        path: The path of the child's endpoint.
        fields: The parent's fields that a request is made from.
        types: dlt's types of the parent's columns.
    """
    alone = set(_fields_without_text(path))
    wrong = {field: DOTS if field in alone else ("",) for field in fields}
    return sge.and_(
        sge.true(),
        *(
            ~sge.column(field, quoted=True).isin(*map(sge.Literal.string, texts))
            for field, texts in wrong.items()
            if types.get(field) == "text"
        ),
    )


def _fields_without_text(path: str) -> Iterator[str]:
    """The fields that may be a whole segment of the path, or its dots."""
    for segment in path.split("/"):
        parsed = list(_parsed(segment))
        if not "".join(literal for literal, _ in parsed).strip("."):
            yield from (name.split(".", maxsplit=2)[-1] for _, name in parsed if name)


def _parsed(path: str) -> Iterator[tuple[str, str]]:
    """The texts of a path, still escaped, each with the placeholder that follows it, or ""."""
    for literal, name, _, _ in Formatter().parse(path):
        yield literal.replace("{", "{{").replace("}", "}}"), name or ""


def _placeholder(name: str) -> str:
    return f"{{{name}}}"


def _quoted_name(name: str) -> str:
    if not name.startswith(RESOURCES):
        return name
    parent, field = name.removeprefix(RESOURCES).split(".", maxsplit=1)
    return f"{RESOURCES}{parent}.{QUOTED}{field}"
