"""The dlt resource that loads one resource of the API: asks for it, and leaves its rows to dlt.

A page goes from the client to a list, which checks it, becomes records, is compared with what is
stored, and then a part of an Arrow table, which dlt writes as it is. How far a load has come stands
in dlt's state, which commits together with its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import dlt
import pyarrow as pa
import sqlglot.expressions as sge
from dlt.common.schema import Schema
from dlt.extract import DltSource

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.batches import Tables, empty_table, in_batches
from analytics_assets.source.changes import Changes
from analytics_assets.source.choice import Choice
from analytics_assets.source.client import ApiClient
from analytics_assets.source.columns import ROW_DIGEST, ColumnNames
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.gone import Siblings, check_that_few_are_gone, rows_gone
from analytics_assets.source.limits import Limits
from analytics_assets.source.lists import Lists
from analytics_assets.source.parents import ParentTable
from analytics_assets.source.position import Position, State
from analytics_assets.source.progress import Progress, note_when_asked
from analytics_assets.source.records import Page, neutralize
from analytics_assets.source.redaction import Guard
from analytics_assets.source.still_listed import ParentList
from analytics_assets.source.stored import (
    OpenDataset,
    has_columns,
    stored_columns,
    suspected_secrets,
    types_of,
)
from analytics_assets.source.table_columns import TableColumns, declared_columns
from analytics_assets.source.traffic import Traffic
from analytics_assets.source.watermark import Watermark
from analytics_assets.source.window import Window

# dlt's naming convention under which columns keep the API's own spelling.
NAMING = "duck_case"


@dataclass(frozen=True)
class Job:
    """What the loads of one materialization have in common.

    Attributes:
        resource: The resource to load.
        client: Asks the API.
        traffic: What that has sent and received.
        fan_out: What has come of the parents of a child.
        watermark: Notes what had been loaded before.
        limits: How much is done at a time.
        first: The first moment to load of an incremental resource, in epoch milliseconds; None
            loads from the beginning.
        window: What to load again; None loads what is new.
        most_rows_gone: The share of a list's rows that may be gone at once.
    """

    resource: Resource
    client: ApiClient
    traffic: Traffic
    fan_out: FanOut
    watermark: Watermark
    limits: Limits
    first: int | None
    window: Window | None
    most_rows_gone: float


def build_source(job: Job, open_dataset: OpenDataset, changes: Changes) -> DltSource:
    """The dlt source of one load.

    Args:
        job: What to load.
        open_dataset: Opens the warehouse's dataset, from which stored rows are read.
        changes: Counts the rows of this load that are new or changed.
    """
    resource = job.resource
    declared, stored = declared_columns(resource), stored_columns(open_dataset, resource.name)
    columns = TableColumns(resource.name, declared, stored, resource.key)
    schema = _begin_schema(open_dataset, resource.name)

    @dlt.resource(
        name=resource.name,
        primary_key=list(resource.key),
        write_disposition="merge",
        columns=columns.hints,
    )
    def rows() -> Iterator[Any]:
        if not has_columns(open_dataset(resource.name), resource.name, declared):
            # The table has each column that is declared, even where no row is written.
            yield empty_table({**types_of(columns.hints), ROW_DIGEST: "text"})
        state = dlt.current.resource_state()
        names = ColumnNames([*declared, *stored], schema.naming.normalize_path)
        guard = Guard(resource)
        tables = Tables(columns, guard, suspected_secrets(open_dataset, resource.name))
        load = _Load(job, open_dataset, changes, neutralize(resource, names, guard), state)
        pages = load.children() if resource.parent else load.whole_list()
        for page in in_batches(pages, job.traffic, job.limits.rows_per_batch):
            yield tables.of(page)
        yield from load.gone()

    return DltSource(schema, resource.name, [rows()])


def empty_schema(name: str) -> Schema:
    """A schema without tables that spells names and types values as this project does."""
    schema = Schema(name, {"names": NAMING})
    # Text stays text: dlt would store an undeclared field that looks like a date as a timestamp.
    schema.remove_type_detection("iso_timestamp")
    return schema


def _begin_schema(open_dataset: OpenDataset, name: str) -> Schema:
    """The schema that a load begins with: the one stored last, if its table is there.

    dlt itself restores none before a load is recorded. Of a first load that died after its rows
    were committed, it would forget all that only those rows have told, and the next loads, to which
    they are unchanged, would not tell it.
    """
    stored = open_dataset(name).schema
    # A copy: what else is read of the stored one is not to know of columns before the warehouse.
    return stored.clone() if name in stored.tables else empty_schema(name)


class _Load:
    """One load: what is asked for, and the rows of it that are to be written."""

    def __init__(
        self,
        job: Job,
        open_dataset: OpenDataset,
        changes: Changes,
        to_records: Callable[[Page], Page],
        state: State,
    ) -> None:
        self._job = job
        self._resource = job.resource
        self._open_dataset = open_dataset
        self._changes = changes
        self._to_records = to_records
        self._state = state
        self._lists = Lists(job.resource, job.client)

    def whole_list(self) -> Iterator[Page]:
        """The pages of a resource without parent."""
        position = self._position()
        params = position.params if position else {}
        with closing(self._job.client.fetch([self._lists.whole(**params)])) as lists:
            for _, pages in lists:
                for page in pages:
                    records = self._to_records(page)
                    asked_for = position.within(records) if position else records
                    yield self._changes.to_load(asked_for)
        if position:
            position.note()

    def _position(self) -> Position | None:
        job, resource = self._job, self._resource
        if resource.cursor is None:
            return None
        position = Position(resource, self._state, job.first, job.window)
        self._changes.compare_with(position.are_asked_for)
        if job.window is None:
            job.watermark.note(position.before)
        return position

    def children(self) -> Iterator[Page]:
        """The pages of a child, one parent after the other."""
        job, fan_out = self._job, self._job.fan_out
        table = ParentTable(self._resource, self._open_dataset)
        progress = self._begin(table)
        with closing(job.client.fetch(map(self._lists.of, fan_out.batch.parents))) as lists:
            for one, pages in lists:
                parent = one.parent or {}
                try:
                    for page in pages:
                        fan_out.note_rows(len(page))
                        yield self._changes.to_load(self._to_records(page))
                except Exception as error:
                    fan_out.note_unanswered(parent, error)
                else:
                    fan_out.note_answered(parent)
                if fan_out.is_given_up:
                    break
        progress.note(in_window=job.window is not None)
        if job.window is None and self._resource.asked_again:
            note_when_asked(self._state, fan_out)

    def _begin(self, table: ParentTable) -> Progress:
        job, child, fan_out = self._job, self._resource, self._job.fan_out
        if job.window is None and not child.is_listed_in_full:
            job.watermark.note(job.watermark.read(self._state))
        fan_out.unaskable = table.unaskable(job.window)
        choice = Choice(child, self._state, table, fan_out, self._open_dataset)
        fan_out.begin(choice.next_batch(job.window))
        if not child.is_listed_in_full:
            self._changes.compare_with(self._are_of_parents_asked_for)
        parent_list = ParentList(table.parent, table.identity, job.client, fan_out.lists_left)
        return Progress(self._state, table, fan_out, parent_list)

    def gone(self) -> Iterator[pa.Table]:
        """The stored rows that the API no longer lists, once all pages were read.

        What a parent did not answer says nothing of the rows of that parent.
        """
        resource, job = self._resource, self._job
        if not resource.is_listed_in_full:
            return
        missing, found_before = self._changes.missing(), self._changes.found_before()
        unexpected, gone = missing, missing | found_before
        if resource.parent:
            siblings = Siblings(resource)
            unknown = siblings.of_pending(job.fan_out.pending)
            unknown |= siblings.of_parents(job.fan_out.unaskable)
            asked = siblings.of_parents(job.fan_out.asked)
            gone = {d: key for d, key in gone.items() if siblings.of(key) not in unknown}
            # That the children of a parent are gone together with it is no surprise.
            unexpected = {d: key for d, key in missing.items() if siblings.of(key) in asked}
        check_that_few_are_gone(resource, self._changes, unexpected, job.most_rows_gone)
        self._changes.gone = len(gone)
        if gone:
            yield from rows_gone(resource, self._open_dataset, gone)

    def _are_of_parents_asked_for(self, _: dlt.Dataset) -> sge.Condition:
        """The condition for stored rows whose parents this load asks for."""
        column, field = next(iter(self._resource.inherited.items()))
        # As literals: given as parameters, DuckDB looks for pandas once for each.
        ids = [sge.convert(row[field]) for row in self._job.fan_out.batch.parents]
        return sge.column(column, quoted=True).isin(*ids)
