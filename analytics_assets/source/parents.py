"""Reads the parents of a child from the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dlt
import sqlglot.expressions as sge

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST
from analytics_assets.source.coverage import Coverage
from analytics_assets.source.errors import WarehouseError
from analytics_assets.source.parent_values import is_askable
from analytics_assets.source.pending import Key, Pending, parent_identity
from analytics_assets.source.records import Page
from analytics_assets.source.stored import (
    OpenDataset,
    count_of,
    is_live,
    lies_in,
    moment_column,
    newest_load,
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
        parent: The parent.
        name: Its name.
        identity: How its rows are told apart.
        is_listed: Whether each load of it lists all its rows.
    """

    def __init__(self, child: Resource, open_dataset: OpenDataset) -> None:
        """Begins to read.

        Args:
            child: The child.
            open_dataset: Opens the warehouse's dataset with the schema of a resource.

        Raises:
            WarehouseError: If the parent was never loaded.
        """
        if child.parent is None:
            raise ValueError(f"{child.name} has no parent.")
        parent = child.parent.resource
        self._asked_with = child.parent.asked_with
        self.name = parent.name
        self.identity = parent_identity(child)
        self.is_listed = parent.is_listed_in_full
        self.parent = parent
        self._cursor = parent.cursor_field
        self._open_dataset = open_dataset
        self._dataset = open_dataset(self.name)
        if self.name not in self._dataset.schema.tables:
            raise WarehouseError(
                f"{child.name} needs the rows of {self.name}, which was never loaded: materialize "
                f"{child.api}/{self.name} first, or both with `--select +{child.api}/{child.name}`."
            )
        fields = {
            *child.inherited.values(),
            *self._asked_with,
            *self.identity.key,
            *filter(None, [self._cursor]),
        }
        self._columns = [*sorted(fields), LOAD_ID, ROW_DIGEST]
        # A request cannot be made from a parent that lacks a field it is made from.
        self._rows = self._dataset.table(self.name).select(*self._columns)
        self._rows = self._rows.where(
            sge.and_(
                *(~sge.column(field, quoted=True).is_(sge.null()) for field in self._asked_with)
            )
        )
        types = types_of(self._dataset.schema.tables[self.name]["columns"])
        askable = is_askable(child.path, self._asked_with, types)
        self._unaskable = self._rows.where(sge.not_(askable))
        self._rows = self._rows.where(askable)
        self._moment = moment_column(self._dataset, self.name, self._cursor)

    def newest_load(self) -> str:
        """The parent's newest load."""
        return newest_load(self._dataset, self.name)

    def listed(self) -> Page:
        """The rows that the API lists, by the last list of the parent that was read."""
        return self._listed(self._rows)

    def unaskable(self, window: Window | None) -> Page:
        """The rows whose fields would ask for another address.

        Args:
            window: Where the parent is not listed in full, the window that the rows lie in.
        """
        rows = self._unaskable
        if self.is_listed:
            page = self._listed(rows)
        else:
            within = rows if window is None else rows.where(lies_in(window, self._moment))
            page = self._as_page(within.fetchall())
        return page

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
        return self._as_page(rows.where(is_live(self._dataset, self.name)).fetchall())

    def _as_page(self, found: Iterable[tuple[Any, ...]]) -> Page:
        return [dict(zip(self._columns, row, strict=True)) for row in found]

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
