"""Marks the rows of a full list that the API no longer lists."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import sqlglot.expressions as sge
from dlt.common.data_types.typing import TDataType

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.batches import to_array
from analytics_assets.source.changes import Changes, Digest, comparable
from analytics_assets.source.clock import epoch_milliseconds_now
from analytics_assets.source.columns import DELETED_AT, LOAD_ID, ROW_DIGEST
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.pending import Pending, parent_identity
from analytics_assets.source.records import Page
from analytics_assets.source.repeated_ids import Key
from analytics_assets.source.stored import OpenDataset, types_of

SMALL_LIST = 20
"""Rows of which any number may be gone at once: half of few rows is nothing unusual."""
DIGESTS_AT_ONCE = 1_000
"""Rows that a query names."""


class Siblings:
    """Tells which rows of a child have one parent, by what their key holds of it."""

    def __init__(self, child: Resource) -> None:
        """Of one child."""
        self._identity = parent_identity(child)
        self._places = [n for n, column in enumerate(child.key) if column in self._identity.columns]
        self._columns = [child.key[place] for place in self._places]

    def of(self, key: Key) -> Key:
        """What the siblings of a row have in common."""
        return tuple(key[place] for place in self._places)

    def of_pending(self, pending: Iterable[Pending]) -> set[Key]:
        """The same of the children of parents that are pending."""
        return {comparable(each.rows[column] for column in self._columns) for each in pending}

    def of_parents(self, parents: Page) -> set[Key]:
        """The same of the children of some rows of the parent."""
        rows = map(self._identity.rows_of, parents)
        return {comparable(row[column] for column in self._columns) for row in rows}


def check_that_few_are_gone(
    resource: Resource, changes: Changes, gone: Collection[Digest], most: float
) -> None:
    """Takes a list that is empty, or much shorter than what is stored, for an error of the API.

    Args:
        resource: The resource.
        changes: The rows that it has listed, and those that are stored.
        gone: The stored rows that would be marked.
        most: The share of them that may be gone at once.

    Raises:
        AnalyticsApiError: If more are.
    """
    stored = len(changes.stored)
    is_empty = len(gone) == stored > 0 and resource.parent is None
    if most < 1 and (is_empty or len(gone) > max(most * stored, SMALL_LIST)):
        raise AnalyticsApiError(
            f"The API listed {stored - len(gone)} of the {stored} rows that are stored of "
            f"{resource.name}: nothing was marked as deleted. See whether the token may still list "
            "them all, and the team is the right one. If they were deleted, materialize it once "
            "with `most_rows_gone: 1` of `api`."
        )


def rows_gone(
    resource: Resource, open_dataset: OpenDataset, gone: Mapping[Digest, Key]
) -> Iterator[pa.Table]:
    """The stored rows that are gone, as they are, with the moment at which they were missing.

    Args:
        resource: The resource.
        open_dataset: Opens the warehouse's dataset with the schema of a resource.
        gone: Their keys, by their digests.
    """
    dataset = open_dataset(resource.name)
    types = types_of(dataset.schema.tables[resource.name]["columns"])
    columns = [column for column in types if column != LOAD_ID]
    digests, now = list(gone), epoch_milliseconds_now()
    for place in range(0, len(digests), DIGESTS_AT_ONCE):
        some = map(sge.convert, digests[place : place + DIGESTS_AT_ONCE])
        is_gone = sge.column(ROW_DIGEST, quoted=True).isin(*some)
        rows = dataset.table(resource.name).where(is_gone).select(*columns).fetchall()
        values = {column: [row[n] for row in rows] for n, column in enumerate(columns)}
        values[DELETED_AT] = [now] * len(rows)
        types[DELETED_AT] = "bigint"
        yield pa.table({name: _as_stored(v, types[name]) for name, v in values.items()})


def _as_stored(values: list[Any], data_type: TDataType) -> pa.Array:
    """An array of values as a warehouse gives them: JSON as text, or read."""
    if data_type == "json":
        # PostgreSQL writes 1e20 as the whole number it is, which is beyond what `orjson` takes.
        texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
        return pa.array(texts, pa.string())
    return to_array(values, data_type)
