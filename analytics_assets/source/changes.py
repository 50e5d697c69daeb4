"""Tells which rows of a load are new, changed or gone, and which are stored as they came."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import dlt
import sqlglot.expressions as sge

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.columns import ROW_DIGEST, VERSION
from analytics_assets.source.records import Page
from analytics_assets.source.repeated_ids import Key, merged_keys
from analytics_assets.source.stored import OpenDataset, has_marks, is_live
from analytics_assets.source.values import Record

Digest = str


class Changes:
    """Compares the rows of one load with those stored, by a digest of their content.

    Attributes:
        merged: Keys of rows that another row of their page replaced, though no newer one.
        gone: How many stored rows the API no longer lists since this load.
    """

    def __init__(self, resource: Resource, open_dataset: OpenDataset) -> None:
        """Begins with no row.

        Args:
            resource: The resource that is loaded.
            open_dataset: Opens the warehouse's dataset, from which stored rows are read.
        """
        self._resource = resource
        self._open_dataset = open_dataset
        self._asked_for: Callable[[dlt.Dataset], sge.Condition] = lambda _: sge.true()
        self.merged: list[Key] = []
        self.gone = 0
        self._brought: set[Key] = set()
        self._unchanged: dict[Key, int] = {}
        self._digests_seen: set[Digest] = set()

    @property
    def brought(self) -> int:
        """Rows that are new, changed or listed again."""
        return len(self._brought)

    @property
    def unchanged(self) -> int:
        """Rows that the warehouse holds as they came."""
        return len(self._unchanged.keys() - self._brought)

    def compare_with(self, asked_for: Callable[[dlt.Dataset], sge.Condition]) -> None:
        """Names the stored rows that this load may bring again; all, unless it is called."""
        self._asked_for = asked_for

    def to_load(self, page: Page) -> Page:
        """The rows of a page that are new or changed.

        The others keep their load: every child of them would be asked for again.
        """
        self.merged += merged_keys(page, self._resource.key)
        return [record for record in page if self._is_to_be_loaded(record)]

    def missing(self) -> dict[Digest, Key]:
        """The stored rows that the load has not brought again, by their digests."""
        return self._without_seen(self.stored)

    def found_before(self) -> dict[Digest, Key]:
        """The rows that an earlier version has found gone, and marked in no way.

        They may be most of the table: it has found them one by one, over years.
        """
        name = self._resource.name
        dataset = self._open_dataset(name)
        if name not in dataset.schema.tables or has_marks(dataset, name):
            return {}
        return self._without_seen(self._read(dataset, sge.not_(is_live(dataset, name))))

    @cached_property
    def stored(self) -> dict[Digest, Key]:
        """The keys of the stored rows that this load may bring again, by their digests."""
        name = self._resource.name
        dataset = self._open_dataset(name)
        if name not in dataset.schema.tables:
            return {}
        condition = self._asked_for(dataset)
        if self._resource.is_listed_in_full:
            condition = sge.and_(condition, is_live(dataset, name))
        return self._read(dataset, condition)

    def _read(self, dataset: dlt.Dataset, condition: sge.Condition) -> dict[Digest, Key]:
        rows = dataset.table(self._resource.name).where(condition)
        found = rows.select(ROW_DIGEST, *self._resource.key).fetchall()
        return {digest: comparable(key) for digest, *key in found}

    def _without_seen(self, rows: Mapping[Digest, Key]) -> dict[Digest, Key]:
        brought = set(map(comparable, self._brought))
        return {
            digest: key
            for digest, key in rows.items()
            # By its digest where it came as it is stored: its key may be stored as another type.
            if digest not in self._digests_seen and key not in brought
        }

    def _is_to_be_loaded(self, record: Record) -> bool:
        """Whether a row is new or changed, or decides which version of its key is the newest.

        A list may hold two versions of a row: the stored one is not to be dropped if the other one
        is loaded, nor the other one loaded if the stored one, read too, is newer.
        """
        key = tuple(record[column] for column in self._resource.key)
        digest = record[ROW_DIGEST]
        if digest not in self.stored:
            if record[VERSION] < self._unchanged.get(key, 0):
                return False
            self._brought.add(key)
        else:
            self._digests_seen.add(digest)
            if key not in self._brought:
                self._unchanged[key] = record[VERSION]
        return key in self._brought


def comparable(key: Iterable[Any]) -> Key:
    """A key as text: its column may be of another type than the API's values."""
    return tuple(str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in key)
