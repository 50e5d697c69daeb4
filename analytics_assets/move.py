"""Moves a grown DuckDB warehouse to another destination, with dlt's state.

    python -m analytics_assets.move data/warehouse.duckdb

The settings name the destination, as for a load. Rows keep their load ids, and each asset its
place, so that the next run is incremental. Moved again, nothing is doubled; and what was loaded
there meanwhile is not overwritten, unless one asks for it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dagster import Failure
from dlt.common.schema.typing import TColumnSchema, TTableSchemaColumns
from dlt.extract import DltSource
from dotenv import load_dotenv

from analytics_assets.assets.failures import failing_in_one_sentence
from analytics_assets.checks.accepted import ACCEPTED, Accepted, keep_accepted, read_accepted
from analytics_assets.configuration import Api, ConfigurationError, Resource, read_api
from analytics_assets.output import lenient
from analytics_assets.resources import Warehouse
from analytics_assets.resources.warehouse import DESTINATION
from analytics_assets.source.bodies import without_nul
from analytics_assets.source.clock import epoch_milliseconds_now, iso_time
from analytics_assets.source.columns import DELETED_AT, LOAD_ID
from analytics_assets.source.errors import (
    AnalyticsError,
    SettingError,
    WarehouseError,
    sentence_of,
)
from analytics_assets.source.retry import RetryPolicy
from analytics_assets.source.stored import count_stored, has_marks, stored_state
from analytics_assets.source.wording import counted

ROWS_AT_ONCE = 20_000
LOG = logging.getLogger(__name__)
MOVED = "moved"
"""In the state of a moved asset: the load that has moved it, and the newest one of its file."""


def main() -> None:
    """Moves what the arguments say, and says what was moved."""
    parser = argparse.ArgumentParser(
        "python -m analytics_assets.move", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("file", type=Path, help="the DuckDB file")
    parser.add_argument(
        "--configuration",
        type=_configuration,
        default="analytics_assets.configuration:ANALYTICS",
        metavar="MODULE:NAME",
        help="of the API that was loaded (%(default)s)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="bring the rows of the file back over what the new warehouse has loaded itself",
    )
    options = parser.parse_args()
    file: Path = options.file
    # As Dagster does, where it wins over the environment, too.
    load_dotenv(Path(".env"), override=True)
    os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = str(file)
    # Rows keep the load ids they have: a child's place in its parent's rows goes by them.
    os.environ["NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID"] = "false"
    # Of dlt's warnings none is of use here (assets/dlt_log.py).
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    # Waits are told, on stderr.
    logging.basicConfig(format="%(message)s")
    LOG.setLevel(logging.INFO)
    try:
        with (
            lenient(sys.stdout) as stdout,
            redirect_stdout(stdout),
            _opened(options.configuration, file, Warehouse()) as move,
        ):
            if not options.overwrite:
                move.check_that_nothing_newer_is_there()
            move.run()
    except AnalyticsError as error:
        sys.exit(str(error))
    except Failure as failure:
        sys.exit(sentence_of(str(failure.description)))


def _configuration(name: str) -> Api:
    try:
        return read_api(resolve_name(name))
    except (ImportError, AttributeError, ConfigurationError) as error:
        raise argparse.ArgumentTypeError(f"{name}: {error}") from error


@contextmanager
def _opened(api: Api, file: Path, target: Warehouse) -> Iterator[_Move]:
    """A move of the tables that a file holds, which is open meanwhile."""
    if not file.is_file():
        raise SettingError(f"{file} is no file: name the DuckDB file to move.")
    if target.destination_name == "duckdb":
        raise SettingError(f"{DESTINATION} names no other destination: name the new one.")
    source = Warehouse(destination="duckdb")
    with source.opened(LOG):
        resources = [
            resource
            for name, resource in api.resources.items()
            if name in source.open_dataset(name).schema.tables
        ]
        if not resources:
            raise SettingError(f"{file} holds none of the tables: is it the right file?")
        yield _Move(resources, source, target)


class _Move:
    """The tables of some resources, with the state of their assets, on their way."""

    def __init__(self, resources: Sequence[Resource], source: Warehouse, target: Warehouse) -> None:
        """Moves nothing yet.

        Args:
            resources: The resources.
            source: What to move, opened; it stays as it is.
            target: Where to move it.
        """
        self._resources = resources
        self._source = source
        self._target = target

    def check_that_nothing_newer_is_there(self) -> None:
        """Looks for what the target has not from this file: loads of its own, or another file's.

        Raises:
            WarehouseError: If there is any.
        """
        found: list[str] = []
        with self._target.opened(LOG):
            for resource in self._resources:
                with failing_in_one_sentence(resource.name, RetryPolicy()):
                    found += self._describe_newer(resource.name)
        if found:
            raise WarehouseError(
                "Nothing was moved, for the new warehouse holds what is not from this file: "
                f"{', '.join(found)}; add --overwrite to let the file's rows replace it."
            )

    def run(self) -> None:
        """Moves one table after the other, and says so of each."""
        for resource in self._resources:
            with failing_in_one_sentence(resource.name, RetryPolicy()):
                print(f"{resource.name}: {counted(self._move(resource), 'row')}", flush=True)
        with failing_in_one_sentence(ACCEPTED, RetryPolicy()):
            self._move_accepted()

    def _describe_newer(self, name: str) -> Sequence[str]:
        """What the target has of a table that is not from this file, if anything."""
        dataset = self._target.open_dataset(name)
        if name not in dataset.schema.tables:
            return []
        recorded, stored = _loads_of(dataset, name)
        in_file = set[str]().union(*_loads_of(self._source.open_dataset(name), name))
        moved, moved_from = stored_state(dataset, name).get(MOVED, ("", ""))
        last_move = moved if moved_from in in_file else ""
        newer = {
            load
            for load in {*recorded, *stored}.difference(in_file)
            if not last_move or load > last_move
        }
        if not newer:
            return []
        rows = sum(stored.get(load, 0) for load in newer)
        loads = newer & recorded
        moment = f"loaded at {iso_time(float(max(loads)) * 1000)}, " if loads else ""
        return [f"{name} ({moment}{counted(rows, 'row')})"]

    def _move(self, resource: Resource) -> int:
        """Moves a table with the state of its asset; returns the rows that the target holds of it.

        Raises:
            WarehouseError: If the target cannot be opened.
        """
        name = resource.name
        dataset = self._source.open_dataset(name)
        newest = max(set[str]().union(*_loads_of(dataset, name)), default="")
        state = stored_state(dataset, name)
        with self._target.opened_to_load(name, LOG), self._target.pipeline(name) as pipeline:
            pipeline.run(_table(dataset, resource, state, newest))
            return count_stored(self._target.open_dataset, name)

    def _move_accepted(self) -> None:
        """Moves what people have accepted of the checks' findings, unless there is newer."""
        # The schema of any resource will do.
        name = self._resources[0].name
        entries = read_accepted(self._source.open_dataset(name))
        with self._target.opened_to_load(ACCEPTED, LOG):
            known = read_accepted(self._target.open_dataset(name))
            news = {
                asset: entry
                for asset, entry in entries.items()
                if Accepted.from_entry(entry).at > Accepted.from_entry(known.get(asset, {})).at
            }
            if news:
                with self._target.pipeline(ACCEPTED) as pipeline:
                    keep_accepted(pipeline, news)


def _loads_of(dataset: dlt.Dataset, name: str) -> tuple[set[str], dict[str, int]]:
    """The loads of a table: those that dlt has recorded, and those of its rows with their number.

    dlt records a load after its rows are committed.
    """
    with dataset.sql_client as client:
        counted = client.execute_sql(
            f"SELECT {client.escape_column_name(LOAD_ID)}, COUNT(*) "  # noqa: S608 - our own SQL
            f"FROM {client.make_qualified_table_name(name)} GROUP BY 1"
        )
    # Rows that somebody has written himself may have none.
    stored = {str(load or ""): int(rows) for load, rows in counted or []}
    return set(dataset.load_ids(name)), stored


def _table(
    dataset: dlt.Dataset, resource: Resource, state: Mapping[str, Any], newest: str
) -> DltSource:
    """A table and the state of its asset, as dlt loads them: each row keeps its load id.

    Of a list that an earlier version has loaded, the rows that are gone are marked: the newest load
    of the new warehouse is the move, and no longer the one that has listed the others.
    """
    name = resource.name
    # Without its columns as hints, what is JSON would become text, as it is in Arrow tables.
    columns = dataset.schema.tables[name]["columns"]
    is_to_be_marked = resource.is_listed_in_full and not has_marks(dataset, name)
    if is_to_be_marked:
        mark: TColumnSchema = {"name": DELETED_AT, "data_type": "bigint", "nullable": True}
        columns = {**columns, DELETED_AT: mark}

    @dlt.resource(name=name, write_disposition="merge", columns=columns)
    def rows() -> Iterator[Any]:
        load_id = dlt.current.load_package_state()["load_id"]
        dlt.current.source_state().update({**state, MOVED: [load_id, newest]})
        yield dlt.mark.materialize_table_schema()
        for table in dataset.table(name).iter_arrow(chunk_size=ROWS_AT_ONCE):
            moved = _without_nul(table, columns)
            yield _marked(moved, newest) if is_to_be_marked else moved

    # A schema of its own: dlt adds to it the columns that the file, which is still read, has not.
    return DltSource(dataset.schema.clone(), name, [rows])


def _marked(table: pa.Table, newest: str) -> pa.Table:
    """The rows, those marked as deleted that the newest load has not listed."""
    is_gone = pc.less(table[LOAD_ID].cast(pa.string()), newest)
    now = pa.scalar(epoch_milliseconds_now(), pa.int64())
    return table.append_column(DELETED_AT, pc.if_else(is_gone, now, pa.scalar(None, pa.int64())))


def _without_nul(table: pa.Table, columns: TTableSchemaColumns) -> pa.Table:
    """The rows without the character NUL, which a file that is older than its ban may hold."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            replaced = pc.replace_substring(table[place], "\0", "\N{REPLACEMENT CHARACTER}")
            if columns[field.name].get("data_type") == "json":
                texts = [text and without_nul(text.encode()) for text in replaced.to_pylist()]
                replaced = pa.array(texts, field.type)
            table = table.set_column(place, field, replaced)
    return table


if __name__ == "__main__":
    main()
