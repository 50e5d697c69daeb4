"""PostgreSQL as a warehouse: dlt's `postgres` destination, with an index on each table's key.

dlt makes no index on a key: its hint `unique` is for single columns of new tables. Without one, a
load reads the whole table to find the rows that it replaces, and those that it compares with.

Nor does dlt expect first loads of different tables at once: one of them makes what they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dlt
from dlt.common.schema import TSchemaTables
from dlt.common.schema.utils import get_columns_names_with_prop
from dlt.destinations.impl.postgres.postgres import PostgresClient

SAME_COLUMNS = """
SELECT EXISTS (
    SELECT FROM pg_index
    WHERE indrelid = to_regclass(%s) AND indisvalid AND indpred IS NULL
    AND ARRAY(
        SELECT attname::text FROM unnest(indkey::int2[]) WITH ORDINALITY AS part (number, place)
        JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY place
    ) = %s
)
"""

ANY_MISSING = "SELECT EXISTS (SELECT FROM unnest(%s) AS name WHERE to_regclass(name) IS NULL)"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
"""Keeps others out until the transaction ends."""


class PostgresTables(dlt.destinations.postgres):
    """dlt's `postgres` destination that keeps an index on the key of each table."""

    @property
    def destination_type(self) -> str:
        """The one of dlt, which warehouses hold as part of its state."""
        return "dlt.destinations.postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        """What loads into it."""
        return IndexingClient


class IndexingClient(PostgresClient):
    """Loads tables; see the module."""

    def initialize_storage(self, truncate_tables: Iterable[str] | None = None) -> None:
        """Makes the dataset, or empties tables of it."""
        with self.maybe_ddl_transaction():
            super().initialize_storage(truncate_tables or ())

    @contextmanager
    def maybe_ddl_transaction(self) -> Iterator[None]:
        """Keeps others from making a dataset and dlt's own tables while this one does.

        Of two that make the same at once, even if it does not exist, one fails.
        """
        names = self.schema.dlt_table_names()
        if self.sql_client.is_staging_dataset_active:
            names = [self.schema.version_table_name]
        tables = [self.sql_client.make_qualified_table_name(name) for name in names]
        with super().maybe_ddl_transaction():
            if self._is_true(ANY_MISSING, tables):
                self.sql_client.execute_sql(LOCK, self.sql_client.dataset_name)
            yield

    def update_stored_schema(self, *args: Any, **kwargs: Any) -> TSchemaTables | None:
        """Brings the tables up to the schema, and sees to their indexes.

        Here, before the rows of each load, a table is indexed that an earlier version has made, or
        a load that died right then. Staging tables are read as a whole, and have none.
        """
        update = super().update_stored_schema(*args, **kwargs)
        if not self.sql_client.is_staging_dataset_active:
            for name in self.schema.data_table_names(seen_data_only=True):
                self._index_key(name)
        return update

    def _index_key(self, name: str) -> None:
        """Makes the index of a table, unless there is one, whoever made it.

        It lets readers go on. Those who write wait for it, and it for them.
        """
        key = get_columns_names_with_prop(self.schema.tables[name], "primary_key")
        table = self.sql_client.make_qualified_table_name(name)
        if not key or self._is_indexed(table, key):
            return
        with self.sql_client.begin_transaction():
            # Of two at once the second one is to find the first one's.
            self.sql_client.execute_sql(LOCK, f"the index of {table}")
            if not self._is_indexed(table, key):
                columns = ", ".join(map(self.sql_client.escape_column_name, key))
                self.sql_client.execute_sql(f"CREATE INDEX ON {table} ({columns})")

    def _is_indexed(self, table: str, key: list[str]) -> bool:
        return self._is_true(SAME_COLUMNS, table, key)

    def _is_true(self, sql: str, *parameters: Any) -> bool:
        answer = self.sql_client.execute_sql(sql, *parameters)
        return bool(answer and answer[0][0])
