"""Reads the parents of a child from the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dlt
import sqlglot.expressions as sge

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    cursor_field,
    endpoint_of,
    is_listed_in_full,
    parent_fields,
    parent_name,
    resource_named,
)
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST
from analytics_assets.source.coverage import Coverage
from analytics_assets.source.errors import WarehouseError
from analytics_assets.source.parent_values import add_quoted, is_askable
from analytics_assets.source.pending import Key, Pending, parent_identity
from analytics_assets.source.records import Page
from analytics_assets.source.stored import (
    OpenDataset,
    count_of,
    latest_listing,
    lies_in,
    moment_column,
    rows_of_latest_listing,
    types_of,
)
from analytics_assets.source.values import Record
from analytics_assets.source.window import Window

BEGINNING = ("", "")
"""The place before all rows."""

# dlt's own comparisons cast to a type with a length, which PostgreSQL refuses.
_load_id = sge.column(LOAD_ID, quoted=True)


class ParentTable:
    """The rows of a child's parent that a request can be made from.

    Attributes:
        name: The parent.
        identity: How its rows are told apart.
        is_listed: Whether each load of it lists all its rows.
    """

    def __init__(self, config: ApiConfig, child: str, open_dataset: OpenDataset) -> None:
        """Begins to read.

        Args:
            config: The API's configuration.
            child: The child.
            open_dataset: Opens the warehouse's dataset with the schema of a resource.

        Raises:
            WarehouseError: If the parent was never loaded.
        """
        resource = resource_named(config, child)
        self._asked_with = parent_fields(resource)
        asked_with = [parent.field for parent in self._asked_with]
        self.name = str(parent_name(resource))
        self.identity = parent_identity(config, child)
        self.is_listed = is_listed_in_full(config, self.name)
        self._parent = resource_named(config, self.name)
        self._cursor = cursor_field(self._parent)
        self._open_dataset = open_dataset
        self._dataset = open_dataset(self.name)
        if self.name not in self._dataset.schema.tables:
            raise WarehouseError(
                f"{child} needs the rows of {self.name}, which was never loaded: materialize "
                f"analytics/{self.name} first, or both with `--select +analytics/{child}`."
            )
        fields = {
            *(resource.get("include_from_parent") or []),
            *asked_with,
            *self.identity.key,
            *filter(None, [self._cursor]),
        }
        self._columns = [*sorted(fields), LOAD_ID, ROW_DIGEST]
        # A request cannot be made from a parent that lacks a field it is made from.
        self._rows = self._dataset.table(self.name).select(*self._columns)
        self._rows = self._rows.where(
            sge.and_(*(~sge.column(field, quoted=True).is_(sge.null()) for field in asked_with))
        )
        types = types_of(self._dataset.schema.tables[self.name]["columns"])
        askable = is_askable(str(endpoint_of(resource)["path"]), self._asked_with, types)
        self._unaskable = self._rows.where(sge.not_(askable))
        self._rows = self._rows.where(askable)
        self._moment = moment_column(self._dataset, self.name, self._cursor)

    def latest_listing(self) -> str:
        """The parent's newest load."""
        return latest_listing(self._dataset, self.name)

    def listed(self) -> Page:
        """The rows that the parent's latest listing contained."""
        return self._listed(self._rows)

    def unaskable(self, window: Window | None) -> Page:
        """What tells the rows whose fields would ask for another address, and those fields.

        Args:
            window: Where the parent is not listed in full, the window that the rows lie in.
        """
        rows = self._unaskable
        if self.is_listed:
            page = self._listed(rows)
        else:
            within = rows if window is None else rows.where(lies_in(window, self._moment))
            page = self._as_page(within.fetchall())
        named = sorted({*self.identity.key, *(each.field for each in self._asked_with)})
        return [{field: row[field] for field in named} for row in page]

    def next_new(
        self, place: Sequence[str], windows: Iterable[Coverage], most: int
    ) -> tuple[Page, int]:
        """The next rows after a place that no window has asked for, and how many there are."""
        beyond = [_is_beyond(window, self._moment) for window in windows]
        return self._next(sge.and_(self._is_after(place), *beyond), most)

    def next_in(self, window: Window, place: Sequence[str], most: int) -> tuple[Page, int]:
        """The next rows after a place whose cursor lies in a window, and how many there are."""
        return self._next(sge.and_(self._is_after(place), lies_in(window, self._moment)), most)

    def with_keys(self, pending: Sequence[Pending]) -> dict[Key, Record]:
        """The rows of some parents that are pending."""
        if not pending:
            return {}
        # Of a key of several fields, that may be some rows more: they are told apart here.
        wanted = [
            sge.column(field, quoted=True).isin(
                *(sge.convert(value) for value in {each.parent[field] for each in pending})
            )
            for field in self.identity.key
        ]
        keys = {each.key for each in pending}
        page = self._as_page(self._rows.where(sge.and_(*wanted)).fetchall())
        return {key: row for row in page if (key := self.identity.key_of(row)) in keys}

    def with_times_in(self, fields: Sequence[str], start: int, end: int) -> Page:
        """The rows with a time after a moment, up to another one, the newest first."""
        columns = [moment_column(self._dataset, self.name, field) for field in fields]
        lies_between = sge.or_(*(sge.and_(each > start, each <= end) for each in columns))
        newest = sge.Ordered(this=sge.Coalesce(this=columns[0], expressions=columns[1:]), desc=True)
        query = self._rows.where(lies_between).sqlglot_expression.order_by(newest)
        return self._as_page(self._dataset.query(query).fetchall())

    def _next(self, condition: sge.Condition, most: int) -> tuple[Page, int]:
        rows = self._rows.where(condition)
        in_order = self._dataset.query(
            rows.sqlglot_expression.order_by(_load_id, self._digest_in_order())
        )
        return self._as_page(in_order.limit(most).fetchall()), count_of(self._dataset, rows)

    def _listed(self, rows: dlt.Relation) -> Page:
        has_parent = parent_name(self._parent) is not None
        return self._as_page(
            rows_of_latest_listing(self._open_dataset, self.name, rows, has_parent)
        )

    def _as_page(self, found: Iterable[tuple[Any, ...]]) -> Page:
        page = [dict(zip(self._columns, row, strict=True)) for row in found]
        for row in page:
            add_quoted(row, self._asked_with)
        return page

    def _digest_in_order(self) -> sge.Condition:
        """The digest of a row, in the order of its bytes, whatever the warehouse's collation is.

        A place is to be the same in each warehouse.
        """
        digest = sge.column(ROW_DIGEST, quoted=True)
        if self._dataset.destination_dialect != "postgres":
            return digest
        return sge.Collate(this=digest, expression=sge.to_identifier("C", quoted=True))

    def _is_after(self, place: Sequence[str]) -> sge.Condition:
        """The condition for rows after a load and a digest, in the order of both."""
        last_load, last_digest = (sge.Literal.string(text) for text in place)
        digest = self._digest_in_order()
        return sge.or_(_load_id > last_load, sge.and_(_load_id.eq(last_load), digest > last_digest))


def _is_beyond(coverage: Coverage, moment: sge.Condition) -> sge.Condition:
    """The condition for rows that a window has not asked for."""
    return sge.or_(
        moment.is_(sge.null()),
        moment < coverage.start,
        moment >= coverage.end,
        _load_id > sge.convert(coverage.load),
    )
