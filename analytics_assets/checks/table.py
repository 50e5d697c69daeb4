"""Reads a table of the warehouse for its checks: through dlt's SQL client, on any destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dagster import MetadataValue, TableColumn, TableRecord, TableSchema
from dlt.common.data_types.typing import TDataType
from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.checks.accepted import Accepted
from analytics_assets.configuration import Resource
from analytics_assets.source.columns import DELETED_AT
from analytics_assets.source.pending import Pending
from analytics_assets.source.stored import (
    OpenDataset,
    count_rows,
    moment_column,
    stored_columns,
    stored_pending,
    suspected_secrets,
)

LARGEST_SAMPLE = 10
"""Rows of a finding that its metadata shows."""


@dataclass(frozen=True)
class Finding:
    """Rows that a check found.

    Attributes:
        total: How many there are.
        columns: The columns of the sample.
        sample: The first of them.
    """

    total: int
    columns: Sequence[str]
    sample: Sequence[Sequence[Any]]

    def as_metadata(self, what: str = "rows") -> dict[str, Any]:
        """The count, and the sample as the UI shows a table; where nothing was found, the count.

        Args:
            what: What is counted.
        """
        if not self.total:
            return {what: 0}
        sample = MetadataValue.table(
            records=[
                TableRecord(dict(zip(self.columns, map(str, row), strict=True)))
                for row in self.sample
            ],
            schema=TableSchema([TableColumn(column) for column in self.columns]),
        )
        return {what: self.total, f"sample_of_{what}": sample}


class Table:
    """The table of one resource, and those of its relatives, over one connection.

    Attributes:
        resource: The resource of the table.
        name: Its name, and the table's.
        key: The columns that identify a row.
        accepted: What is accepted of the findings of its checks.
    """

    def __init__(
        self,
        resource: Resource,
        open_dataset: OpenDataset,
        client: SqlClientBase[Any],
        accepted: Accepted,
    ) -> None:
        """Reads through an open connection.

        Args:
            resource: The resource.
            open_dataset: Opens the warehouse's dataset with the schema of a resource.
            client: The open connection.
            accepted: What is accepted of the findings of its checks.
        """
        self.resource = resource
        self.name = resource.name
        self.key = resource.key
        self._open_dataset = open_dataset
        self.accepted = accepted
        self._client = client

    @cached_property
    def types(self) -> dict[str, TDataType]:
        """The columns and dlt's types of them, as the warehouse has them."""
        return stored_columns(self._open_dataset, self.name)

    @cached_property
    def rows(self) -> int:
        """How many rows it has."""
        return self.count(f"SELECT 1 AS one FROM {self.sql_name(self.name)}")  # noqa: S608 - our own SQL

    def deleted(self, since: float = 0.0) -> str:
        """The condition for rows that the API no longer lists; see `deleted_in`."""
        return self.deleted_in(self.resource, since)

    def deleted_in(self, resource: Resource, since: float = 0.0, alias: str = "") -> str:
        """The condition for rows of a resource that the API no longer lists.

        Args:
            resource: The resource.
            since: Those that it listed at this moment, in epoch seconds.
            alias: The name of its table in the query.
        """
        if DELETED_AT not in stored_columns(self._open_dataset, resource.name):
            return "1 = 0"
        return f"{self.sql_columns([DELETED_AT], alias)} > {int(since * 1000)}"

    @cached_property
    def pending(self) -> list[Pending]:
        """The parents of the resource that were asked and not answered."""
        return stored_pending(self._open_dataset, self.name) if self.resource.parent else []

    def suspected_secrets(self) -> list[str]:
        """The paths at which its loads have found what looks like a secret."""
        return suspected_secrets(self._open_dataset, self.name)

    def sql_name(self, name: str) -> str:
        """The table of a resource, as SQL names it."""
        return self._client.make_qualified_table_name(name)

    def sql_column(self, name: str) -> str:
        """A column, as SQL names it."""
        return self._client.escape_column_name(name)

    def sql_time(self, name: str) -> str:
        """What holds the numbers of a time column, as SQL names it."""
        return moment_column(self._open_dataset(self.name), self.name, name).sql(
            dialect=self._open_dataset(self.name).destination_dialect
        )

    def sql_columns(self, names: Sequence[str], alias: str = "") -> str:
        """Columns, as SQL lists them."""
        prefix = f"{alias}." if alias else ""
        return ", ".join(prefix + self.sql_column(name) for name in names)

    def count(self, query: str) -> int:
        """The rows of a query."""
        return count_rows(self._client, query)

    def find(self, columns: Sequence[str], query: str) -> Finding:
        """What a query finds: how many rows, and the first of them.

        Args:
            columns: Names for what the query selects, in its order.
            query: A SELECT without ORDER BY.
        """
        total = self.count(query)
        limited = f"{query} ORDER BY 1 LIMIT {LARGEST_SAMPLE}"
        return Finding(total, columns, self._client.execute_sql(limited) or [] if total else [])

    def columns(self) -> list[str]:
        """The columns the table has in the warehouse, dlt's own included."""
        query = f"SELECT * FROM {self.sql_name(self.name)} WHERE 1 = 0"  # noqa: S608 - our own SQL
        with self._client.execute_query(query) as cursor:
            return [description[0] for description in cursor.description or []]
