"""What a load reads back from the warehouse: its parent's rows, and what it has stored itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dlt
import sqlglot.expressions as sge
from dlt.common.data_types.typing import TDataType
from dlt.destinations.sql_client import SqlClientBase
from dlt.extract import DltResource

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import (
    cursor_field,
    is_listed_in_full,
    parent_fields,
    resource_named,
)
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST
from analytics_assets.source.coverage import Coverage, covered, keep
from analytics_assets.source.errors import WarehouseError
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.records import Page
from analytics_assets.source.window import Window

OpenDataset = Callable[[str], dlt.Dataset]
"""Opens the warehouse's dataset with the schema of the resource named."""

WATERMARK = "parents_asked"
"""In a child's state: load and digest of the last parent asked for, in the order of both."""


BEGINNING = ("", "")
"""The place before all rows."""

# dlt's own comparisons cast to a type with a length, which PostgreSQL refuses.
_load_id = sge.column(LOAD_ID, quoted=True)


def parent_rows(
    config: ApiConfig,
    child: str,
    open_dataset: OpenDataset,
    fan_out: FanOut,
    window: Window | None,
    announce: Callable[[Page], None],
) -> DltResource:
    """A stand-in for a child's parent: yields the parent's rows from the warehouse.

    It bears the parent's name, so dlt resolves the child's placeholders from it.

    - Of a parent that is listed in full: the rows its latest listing contained.
    - Of any other: the next rows of those loaded since the child's last success, as many as
      `fan_out` says. The child's own state keeps the place, so that no selection of assets can
      starve another, and moves on with each load, so that a killed run repeats one at most.
    - In a window: the rows whose cursor lies in it, in loads as large. The place stays.

    `announce` is told of them before they are asked for.

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
        table = dataset.table(parent).select(*fields, LOAD_ID, ROW_DIGEST)
        # A request cannot be made from a parent that lacks a field it is made from.
        table = table.where(
            sge.and_(*(~sge.column(f.field, quoted=True).is_(sge.null()) for f in parents))
        )
        if is_listed_in_full(config, parent):
            found = _rows_of_latest_listing(dataset, parent, table)
            pending = len(found)
        else:
            digest = _digest_in_order(dataset)
            cursor = cursor_field(resource_named(config, parent))
            if window is None:
                table = table.where(_was_not_asked_for(child, cursor, digest))
            else:
                # Those that the parent loads from here on are left to the child's next run.
                fan_out.parents_load = fan_out.parents_load or latest_listing(dataset, parent)
                table = table.where(lies_in(window, cursor))
                table = table.where(_is_after(fan_out.place or BEGINNING, digest))
            in_order = dataset.query(table.sqlglot_expression.order_by(_load_id, digest))
            found = in_order.limit(fan_out.parents_per_load).fetchall()
            pending = _count(dataset, table)
            fan_out.place = found[-1][-2:] if found else None
        page = [dict(zip(fields, row, strict=False)) for row in found]
        fan_out.begin(page, pending, was_served=_has_rows(open_dataset(child), child))
        announce(page)
        yield page

    return rows


def keep_place(child: str, fan_out: FanOut) -> Callable[[Page], Page]:
    """A step that notes the place a child has come to, once a parent of the load was answered.

    Where each of them is gone, it may be the endpoint that is: they are asked for again.
    """

    def note(page: Page) -> Page:
        if fan_out.place and fan_out.is_answered:
            state = dlt.current.resource_state(child)
            state[WATERMARK] = fan_out.place
            keep(state, [entry for entry in covered(state) if entry.load >= fan_out.place[0]])
        return page

    return note


def lies_in(window: Window, cursor: str) -> sge.Condition:
    """The condition for rows whose cursor lies in a window."""
    column = sge.column(cursor, quoted=True)
    return sge.and_(column >= window.start, column < window.end)


def _place(child: str) -> Sequence[str]:
    place: Sequence[str] = dlt.current.resource_state(child).get(WATERMARK) or BEGINNING
    return place


def _rows_of_latest_listing(
    dataset: dlt.Dataset, name: str, rows: dlt.Relation
) -> list[tuple[Any, ...]]:
    """The rows of a resource that its latest listing contained, even while a new one is stored."""
    before = None
    found: list[tuple[Any, ...]] = []
    while (listing := latest_listing(dataset, name)) != before:
        found = rows.where(_load_id.eq(sge.convert(listing))).fetchall()
        before = listing
    return found


def _digest_in_order(dataset: dlt.Dataset) -> sge.Condition:
    """The digest of a row, in the order of its bytes, whatever the warehouse's collation is.

    A place is to be the same in each warehouse.
    """
    digest = sge.column(ROW_DIGEST, quoted=True)
    if dataset.destination_dialect != "postgres":
        return digest
    return sge.Collate(this=digest, expression=sge.to_identifier("C", quoted=True))


def _was_not_asked_for(child: str, cursor: str, digest: sge.Condition) -> sge.Condition:
    """The condition for rows after a child's place that no window has asked for."""
    windows = covered(dlt.current.resource_state(child))
    return sge.and_(_is_after(_place(child), digest), *(_is_beyond(w, cursor) for w in windows))


def _is_beyond(coverage: Coverage, cursor: str) -> sge.Condition:
    """The condition for rows that a window has not asked for."""
    moment = sge.column(cursor, quoted=True)
    return sge.or_(
        moment.is_(sge.null()),
        moment < coverage.start,
        moment >= coverage.end,
        _load_id > sge.convert(coverage.load),
    )


def _is_after(place: Sequence[str], digest: sge.Condition) -> sge.Condition:
    """The condition for rows after a load and a digest, in the order of both."""
    last_load, last_digest = (sge.Literal.string(text) for text in place)
    return sge.or_(_load_id > last_load, sge.and_(_load_id.eq(last_load), digest > last_digest))


def _count(dataset: dlt.Dataset, rows: dlt.Relation) -> int:
    with dataset.sql_client as client:
        return count_rows(client, rows.to_sql())


def count_rows(client: SqlClientBase[Any], query: str) -> int:
    """The rows of a query, counted by the warehouse."""
    counted = client.execute_sql(f"SELECT COUNT(*) FROM ({query}) AS counted")  # noqa: S608 - dlt's or our own SQL
    return int(counted[0][0]) if counted else 0


def _has_rows(dataset: dlt.Dataset, name: str) -> bool:
    return name in dataset.schema.tables and bool(dataset.table(name).limit(1).fetchall())


def count_stored(open_dataset: OpenDataset, name: str) -> int:
    """The rows stored of a resource; none where it was never loaded."""
    dataset = open_dataset(name)
    if name not in dataset.schema.tables:
        return 0
    ((_, rows),) = dataset.row_counts(table_names=[name]).fetchall()
    return int(rows)


def latest_listing(dataset: dlt.Dataset, name: str) -> str:
    """The load that listed a resource last.

    dlt records a load after its rows are committed: a run that died in between left rows of a load
    that is not recorded, and an empty listing left a record without rows.
    """
    recorded = dataset.latest_load_id(name) or ""
    stored = dataset.table(name)[[LOAD_ID]].max().fetchscalar() or ""
    return max(recorded, stored)


def count_no_longer_listed(open_dataset: OpenDataset, name: str) -> int:
    """The stored rows that the latest full listing of a resource no longer contained."""
    dataset = open_dataset(name)
    older = dataset.table(name).where(_load_id < sge.convert(latest_listing(dataset, name)))
    return _count(dataset, older)


def stored_columns(open_dataset: OpenDataset, name: str) -> dict[str, TDataType]:
    """The columns of a resource's table in the warehouse, and their types; none at first."""
    table = open_dataset(name).schema.tables.get(name)
    columns = table["columns"] if table else {}
    return {
        column: data_type
        for column, description in columns.items()
        if (data_type := description.get("data_type"))
    }
