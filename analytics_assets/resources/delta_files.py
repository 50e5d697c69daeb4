"""Parquet files as a warehouse: dlt's `filesystem` destination, a Delta table for each resource.

dlt writes and merges Delta tables. What it leaves out, and a load relies on, is here: a table holds
one row of a key, is there before its schema tells of it, and can be read without DuckDB's extension
`delta`, which is another download and fits one release of DuckDB only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

import dlt
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from deltalake import DeltaTable
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.libs.deltalake import deltalake_storage_options, evolve_delta_table_schema
from dlt.common.libs.pyarrow import columns_to_arrow
from dlt.common.schema import Schema, TSchemaTables
from dlt.common.typing import DictStrAny
from dlt.destinations.impl.filesystem.filesystem import (
    FILENAME_SEPARATOR,
    DeltaLoadFilesystemJob,
    FilesystemClient,
    ReferenceFollowupJob,
)
from dlt.destinations.impl.filesystem.sql_client import FilesystemSqlClient
from dlt.destinations.sql_client import SqlClientBase, raise_database_error

from analytics_assets.source.columns import VERSION

MOST_FILES = 50
"""Files of one table: a query opens each."""


class DeltaFiles(dlt.destinations.filesystem):
    """dlt's `filesystem` destination that keeps each resource in a Delta table."""

    @property
    def client_class(self) -> type[FilesystemClient]:
        """What loads into it."""
        return DeltaClient


class DeltaClient(FilesystemClient):
    """Loads files; see the module."""

    @property
    def sql_client(self) -> SqlClientBase[Any]:
        """What reads the tables."""
        if not self._sql_client:
            self._sql_client = DeltaSqlClient(self, self.dataset_name)
        return self._sql_client

    @sql_client.setter
    def sql_client(self, client: SqlClientBase[Any]) -> None:
        self._sql_client = client

    def create_dataset(self) -> None:
        """Creates the dataset's folder, unless another load has, or one that died right then."""
        self.fs_client.makedirs(self.dataset_path, exist_ok=True)

    def update_stored_schema(self, *args: Any, **kwargs: Any) -> TSchemaTables:
        """Gives the tables the columns of the schema, as a database does, then stores it.

        Whoever reads the schema takes its tables for granted, also after a load that died.
        """
        for name in self.schema.data_table_names():
            self._migrate(name)
        return super().update_stored_schema(*args, **kwargs)

    def _migrate(self, name: str) -> None:
        columns = self.prepare_load_table(name)["columns"]
        schema = columns_to_arrow(columns, self.capabilities, "UTC")
        if table := self.find_table(name):
            evolve_delta_table_schema(table, schema)
        else:
            DeltaTable.create(
                self.get_open_table_location("delta", name),
                schema,
                storage_options=self._storage_options(),
                configuration=self.config.deltalake_configuration,
            )

    def find_table(self, name: str) -> DeltaTable | None:
        """The Delta table of a name, as it is now; None if there is none."""
        location, options = self.get_open_table_location("delta", name), self._storage_options()
        if not DeltaTable.is_deltatable(location, options):
            return None
        return DeltaTable(location, storage_options=options)

    def _storage_options(self) -> dict[str, str]:
        config = self.config
        return deltalake_storage_options(config.credentials, config.deltalake_storage_options)

    @staticmethod
    def get_reference_followup_job_class(
        table: PreparedTableSchema,
    ) -> type[ReferenceFollowupJob] | None:
        """What writes the files of a load to a table."""
        return DeltaLoadJob if table.get("table_format") == "delta" else None

    def complete_load(self, load_id: str) -> None:
        """Records a load, and forgets old ones: whoever looks for the newest reads each record."""
        super().complete_load(load_id)
        # As many as dlt keeps states of a pipeline: all, where that is none.
        kept = self.config.max_state_files
        if kept < 1:
            return
        records = self.list_table_files(self.schema.loads_table_name)
        own = f"{self.schema.name}{FILENAME_SEPARATOR}"
        for record in sorted(r for r in records if Path(r).name.startswith(own))[:-kept]:
            self._delete_file(record)

    def tidy(self, name: str) -> None:
        """Puts small files together, and deletes what no reader can need any more.

        Each load leaves a file, and one of those it replaced, which dlt sees to neither of. Delta
        keeps what was replaced for a week, for those who read it.
        """
        if table := self.find_table(name):
            if len(table.file_uris()) > MOST_FILES:
                table.optimize.compact()
            if table.vacuum(full=True):
                table.vacuum(full=True, dry_run=False)

    def _write_to_json_file(self, filepath: str, data: DictStrAny) -> None:
        """Writes a record of dlt's whole or not at all: one cut short would fail later loads."""
        if not self.is_local_filesystem:
            super()._write_to_json_file(filepath, data)
            return
        part = Path(self.dataset_path, f"{self.schema.name}.part")
        super()._write_to_json_file(str(part), data)
        part.replace(filepath)


class DeltaLoadJob(DeltaLoadFilesystemJob):
    """Merges the rows of one load, of each key the newest version, as `dedup_sort` has it.

    dlt's strategy `upsert` wants that done; without, a key would be stored as often as it came.
    """

    def run(self) -> None:
        """Merges the rows."""
        columns = self._load_table["columns"].items()
        key = [name for name, column in columns if column.get("primary_key")]
        with TemporaryDirectory() as folder:
            self.file_paths = _newest_versions(self.file_paths, key, Path(folder))
            super().run()


def _newest_versions(paths: list[str], key: Sequence[str], folder: Path) -> list[str]:
    """Files with the rows of others, without those that another row of their key is newer than.

    Args:
        paths: Parquet files; if no key is in them twice, they are returned.
        key: The columns that identify a row.
        folder: Where another file is written.
    """
    rows = pads.dataset(paths)
    versions = rows.to_table(columns=[*key, VERSION])
    newest = versions.group_by(key).aggregate([(VERSION, "max")])
    if len(newest) == len(versions):
        return paths
    version = [*key, VERSION]
    older = versions.join(newest.rename_columns(version), version, join_type="left anti")
    file = folder / "newest.parquet"
    with pq.ParquetWriter(file, rows.schema) as writer:
        for batch in rows.to_batches():
            kept = pa.Table.from_batches([batch]).join(older, version, join_type="left anti")
            # A join forgets which columns have no nulls.
            writer.write_table(kept.cast(rows.schema))
    return [str(file)]


class DeltaSqlClient(FilesystemSqlClient):
    """Reads the files through DuckDB in memory; each query sees what was loaded before it."""

    remote_client: DeltaClient

    @raise_database_error
    def create_views_for_tables(self, tables: dict[str, str]) -> None:
        """Makes a view of each table that is there: of the files that its log names now.

        dlt's own makes them of the tables that one schema tells of; here each table has its own.
        """
        own = self.schema.dlt_table_names()
        super().create_views_for_tables({name: tables[name] for name in tables if name in own})
        for name in tables.keys() - own:
            if table := self.remote_client.find_table(name):
                view = self.make_qualified_table_name(tables[name])
                self.native_connection.execute(
                    f"CREATE OR REPLACE VIEW {view} AS {self._select(table)}"
                )

    def should_replace_view(self, view_name: str, table_schema: PreparedTableSchema) -> bool:
        """Always, for a view is of the files that were there when it was made."""
        return True

    def create_view_select(
        self,
        table_schema: PreparedTableSchema,
        schema: Schema = None,  # type: ignore[assignment]
    ) -> tuple[str, str] | None:
        """Reads one of dlt's own tables; without a record yet, it is empty, as in a database."""
        try:
            return super().create_view_select(table_schema, schema)
        except DestinationUndefinedEntity:
            types = self.capabilities.get_type_mapper()
            columns = {
                name: types.to_destination_type(column, table_schema)
                for name, column in table_schema["columns"].items()
            }
            return "", self._select_nothing(columns)

    def _select(self, table: DeltaTable) -> str:
        """The rows of a Delta table, in SQL."""
        # Delta's names of types are DuckDB's, too.
        types = {field.name: str(field.type.type) for field in table.schema().fields}
        nothing = self._select_nothing(types)
        # Delta's library writes a space in the name of a folder as `%20`, which DuckDB does not.
        decode = unquote if self.remote_client.is_local_filesystem else str
        files = ", ".join(self.capabilities.escape_literal(decode(u)) for u in table.file_uris())
        if not files:
            return nothing
        # A file has the columns that the table had when it was written.
        rows = f"SELECT * FROM read_parquet([{files}], union_by_name=true)"  # noqa: S608 - our own SQL
        return f"{nothing} UNION ALL BY NAME {rows}"

    def _select_nothing(self, types: Mapping[str, str]) -> str:
        columns = (
            f"CAST(NULL AS {data_type}) AS {self.escape_column_name(name)}"
            for name, data_type in types.items()
        )
        return f"SELECT {', '.join(columns)} WHERE false"
