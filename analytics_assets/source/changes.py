"""Tells the rows of a load that are new or changed from those the warehouse holds as they are."""

from __future__ import annotations

from functools import cached_property

import dlt
import sqlglot.expressions as sge
from dlt.sources.rest_api.typing import IncrementalConfig

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    endpoint_of,
    inherited_fields,
    is_listed_in_full,
    key_columns,
    resource_named,
)
from analytics_assets.source.columns import ROW_DIGEST, VERSION
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.records import Page
from analytics_assets.source.repeated_ids import Key, merged_keys
from analytics_assets.source.stored import OpenDataset, lies_in, moment_column
from analytics_assets.source.values import Record
from analytics_assets.source.window import Window


class Changes:
    """Compares the rows of one load with those stored, by a digest of their content.

    Attributes:
        merged: Keys of rows that another row of their page replaced, though no newer one.
    """

    def __init__(
        self,
        config: ApiConfig,
        name: str,
        open_dataset: OpenDataset,
        fan_out: FanOut,
        window: Window | None,
    ) -> None:
        """Begins with no row.

        Args:
            config: The API's configuration.
            name: The resource that is loaded.
            open_dataset: Opens the warehouse's dataset, from which stored rows are read.
            fan_out: Knows the parents that a child asks for.
            window: What is loaded again; None for what is new.
        """
        self._config = config
        self._name = name
        self._resource = resource_named(config, name)
        self._open_dataset = open_dataset
        self._fan_out = fan_out
        self._window = window
        self._key = key_columns(config, self._resource)
        self.merged: list[Key] = []
        self._brought: set[Key] = set()
        self._unchanged: dict[Key, int] = {}

    @property
    def brought(self) -> int:
        """Rows that are new or changed."""
        return len(self._brought)

    @property
    def unchanged(self) -> int:
        """Rows that the warehouse holds as they came."""
        return len(self._unchanged.keys() - self._brought)

    def count(self, page: Page) -> Page:
        """A step that counts what is new or changed, and keeps every row."""
        self.merged += merged_keys(page, self._key)
        for record in page:
            self._is_to_be_loaded(record)
        return page

    def drop_unchanged(self, page: Page) -> Page:
        """A step that keeps what is new or changed.

        A look-back would otherwise load its rows again at each run, and every child of them would
        be asked for again.
        """
        self.merged += merged_keys(page, self._key)
        return [record for record in page if self._is_to_be_loaded(record)]

    def _is_to_be_loaded(self, record: Record) -> bool:
        """Whether a row is new or changed, or decides which version of its key is the newest.

        A list may hold two versions of a row: the stored one is not to be dropped if the other one
        is loaded, nor the other one loaded if the stored one, read too, is newer.
        """
        key = tuple(record[column] for column in self._key)
        if record[ROW_DIGEST] not in self._stored_digests:
            if record[VERSION] < self._unchanged.get(key, 0):
                return False
            self._brought.add(key)
        elif key not in self._brought:
            self._unchanged[key] = record[VERSION]
        return key in self._brought

    @cached_property
    def _stored_digests(self) -> set[str]:
        """Digests of the stored rows that this load may bring again."""
        dataset = self._open_dataset(self._name)
        if self._name not in dataset.schema.tables:
            return set()
        table = dataset.table(self._name)
        incremental = endpoint_of(self._resource).get("incremental")
        if incremental:
            moment = moment_column(dataset, self._name, incremental["cursor_path"])
            is_asked_for = self._is_asked_for(incremental, moment)
            table = table.where(sge.or_(is_asked_for, moment.is_(sge.null())))
        elif not is_listed_in_full(self._config, self._name):
            table = table.where(self._is_child_of_those_asked_for())
        return {row[0] for row in table.select(ROW_DIGEST).fetchall()}

    def _is_child_of_those_asked_for(self) -> sge.Condition:
        """The condition for stored rows whose parents this load asks for."""
        column, parent = next(iter(inherited_fields(self._resource).items()))
        # As literals: given as parameters, DuckDB looks for pandas once for each.
        ids = [sge.convert(row[parent.field]) for row in self._fan_out.parents]
        return sge.column(column, quoted=True).isin(*ids)

    def _is_asked_for(self, incremental: IncrementalConfig, moment: sge.Condition) -> sge.Condition:
        """The condition for stored rows that this load asks for again.

        By the cursor it began with: dlt moves it behind this step. A window may have stored newer
        rows than that.
        """
        if self._window:
            return lies_in(self._window, moment)
        cursors = dlt.current.resource_state(self._name)["incremental"]
        began: int = cursors[incremental["cursor_path"]]["last_value"] or 0
        return moment >= began - int(incremental.get("lag") or 0)
