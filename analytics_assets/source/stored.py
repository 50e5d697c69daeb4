"""What a load reads back from the warehouse: its parent's rows, and the rows it need not repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import dlt
from dlt.extract import DltResource

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    endpoint_of,
    is_listed_in_full,
    parent_fields,
    resource_named,
)
from analytics_assets.source.errors import WarehouseError
from analytics_assets.source.records import ROW_DIGEST, Page

OpenDataset = Callable[[str], dlt.Dataset]
"""Opens the warehouse's dataset with the schema of the resource named."""

LOAD_ID = "_dlt_load_id"
WATERMARK = "parent_load_id"
"""In a child's state: the newest load of its parent whose rows it has asked for."""


def parent_rows(config: ApiConfig, child: str, open_dataset: OpenDataset) -> DltResource:
    """A stand-in for a child's parent: yields the parent's rows from the warehouse.

    It bears the parent's name, so dlt resolves the child's placeholders from it.

    - Of a parent that is listed in full: the rows its latest listing contained.
    - Of any other: the rows loaded since the child's last success. The child's own state keeps
      the place, so that no selection of assets can starve another.

    Raises:
        WarehouseError: When read, if the parent was never loaded.
    """
    parents = parent_fields(resource_named(config, child))
    parent = parents[0].resource
    included = resource_named(config, child).get("include_from_parent") or []
    fields = sorted({*included, *(field.field for field in parents)})

    @dlt.resource(name=parent, selected=False)
    def rows() -> Iterator[Page]:
        dataset = open_dataset(parent)
        if parent not in dataset.schema.tables:
            raise WarehouseError(
                f"{child} needs the rows of {parent}, which was never loaded: materialize "
                f"analytics/{parent} first, or both with `--select +analytics/{child}`."
            )
        table = dataset.table(parent).select(*fields, LOAD_ID)
        if is_listed_in_full(config, parent):
            wanted = table.where(LOAD_ID, "eq", _latest_listing(dataset, parent))
        else:
            state = dlt.current.resource_state(child)
            wanted = table.where(LOAD_ID, "gt", state.get(WATERMARK, ""))
        newest = ""
        for chunk in wanted.iter_fetch(chunk_size=1000):
            newest = max(newest, *(row[-1] for row in chunk))
            yield [dict(zip(fields, row[:-1], strict=True)) for row in chunk]
        if newest and not is_listed_in_full(config, parent):
            dlt.current.resource_state(child)[WATERMARK] = newest

    return rows


def _latest_listing(dataset: dlt.Dataset, name: str) -> str:
    """The load that listed a resource last.

    dlt records a load after its rows are committed: a run that died in between left rows of a load
    that is not recorded, and an empty listing left a record without rows.
    """
    recorded = dataset.latest_load_id(name) or ""
    stored = dataset.table(name)[[LOAD_ID]].max().fetchscalar() or ""
    return max(recorded, stored)


class Changes:
    """Tells the rows of a load that are new or changed from those the warehouse holds as they are.

    Attributes:
        changed: New and changed rows seen so far.
    """

    def __init__(self, config: ApiConfig, name: str, open_dataset: OpenDataset) -> None:
        self.changed = 0
        self._config = config
        self._name = name
        self._open_dataset = open_dataset

    def count(self, page: Page) -> Page:
        """A step that counts what is new or changed, and keeps every row."""
        self.changed += len(self._changed(page))
        return page

    def drop_unchanged(self, page: Page) -> Page:
        """A step that keeps what is new or changed.

        A look-back would otherwise load its rows again at each run, and every child of them would
        be asked for again.
        """
        kept = self._changed(page)
        self.changed += len(kept)
        return kept

    def _changed(self, page: Page) -> Page:
        return [record for record in page if record[ROW_DIGEST] not in self._stored_digests]

    @cached_property
    def _stored_digests(self) -> set[str]:
        """Digests of the stored rows that this load may bring again."""
        dataset = self._open_dataset(self._name)
        if self._name not in dataset.schema.tables:
            return set()
        table = dataset.table(self._name)
        incremental = endpoint_of(resource_named(self._config, self._name)).get("incremental")
        if incremental:
            cursor = incremental["cursor_path"]
            newest: int = dataset.table(self._name)[[cursor]].max().fetchscalar() or 0
            table = table.where(cursor, "gte", newest - (incremental.get("lag") or 0))
        elif not is_listed_in_full(self._config, self._name):
            # A child of new and changed parents: what it asks for was not asked for before.
            return set()
        return {row[0] for row in table.select(ROW_DIGEST).fetchall()}
