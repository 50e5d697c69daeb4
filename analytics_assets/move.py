"""Moves a grown DuckDB warehouse to another destination, with dlt's state.

    python -m analytics_assets.move data/warehouse.duckdb

The settings name the destination, as for a load. Rows keep their load ids, and each asset its
place, so that the next run is incremental. Moved again, nothing is doubled.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import dlt
import pyarrow as pa
import pyarrow.compute as pc
from dagster import Failure
from dlt.common.schema.typing import TTableSchemaColumns
from dlt.extract import DltSource
from dotenv import load_dotenv

from analytics_assets.assets.failures import failing_in_one_sentence
from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import is_listed_in_full
from analytics_assets.output import lenient
from analytics_assets.resources import Warehouse
from analytics_assets.resources.warehouse import DESTINATION
from analytics_assets.source.bodies import without_nul
from analytics_assets.source.columns import LOAD_ID
from analytics_assets.source.errors import AnalyticsError, SettingError, sentence_of
from analytics_assets.source.http import RetryPolicy
from analytics_assets.source.stored import count_stored, latest_listing

ROWS_AT_ONCE = 20_000
LOG = logging.getLogger(__name__)


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
        with lenient(sys.stdout) as stdout, redirect_stdout(stdout):
            _move_all(options.configuration, file, Warehouse())
    except AnalyticsError as error:
        sys.exit(str(error))
    except Failure as failure:
        sys.exit(sentence_of(str(failure.description)))


def _configuration(name: str) -> ApiConfig:
    try:
        config: ApiConfig = resolve_name(name)
    except (ImportError, AttributeError) as error:
        raise argparse.ArgumentTypeError(f"{name}: {error}") from error
    return config


def _move_all(config: ApiConfig, file: Path, target: Warehouse) -> None:
    """Moves the tables that a file holds, one after the other, and says so of each."""
    if not file.is_file():
        raise SettingError(f"{file} is no file: name the DuckDB file to move.")
    if target.destination_name == "duckdb":
        raise SettingError(f"{DESTINATION} names no other destination: name the new one.")
    source = Warehouse(destination="duckdb")
    with source.opened(LOG):
        resources = (str(resource["name"]) for resource in config["resources"])
        names = [name for name in resources if name in source.open_dataset(name).schema.tables]
        if not names:
            raise SettingError(f"{file} holds none of the tables: is it the right file?")
        for name in names:
            with failing_in_one_sentence(name, RetryPolicy()):
                print(f"{name}: {_move(config, name, source, target)} rows", flush=True)


def _move(config: ApiConfig, name: str, source: Warehouse, target: Warehouse) -> int:
    """Moves the table of a resource with the state of its asset.

    Args:
        config: The API's configuration.
        name: The resource.
        source: What to move, opened; it stays as it is.
        target: Where to move it.

    Returns:
        The rows that the target holds of it.

    Raises:
        WarehouseError: If the target cannot be opened.
    """
    dataset = source.open_dataset(name)
    listing = latest_listing(dataset, name) if is_listed_in_full(config, name) else ""
    with target.opened_to_load(name, LOG), target.pipeline(name) as pipeline:
        pipeline.run(_table(dataset, name, _state(source, name), listing))
        return count_stored(target.open_dataset, name)


def _state(warehouse: Warehouse, name: str) -> dict[str, Any]:
    """The state of an asset, as the warehouse keeps it."""
    with warehouse.pipeline(name) as pipeline:
        pipeline.sync_destination()
        sources: Any = pipeline.state.get("sources", {})
        state: dict[str, Any] = sources.get(name, {})
        return state


def _table(dataset: dlt.Dataset, name: str, state: dict[str, Any], listing: str) -> DltSource:
    """A table and the state of its asset, as dlt loads them.

    The move is recorded as the latest load of the table: as a listing, it lists what the latest one
    did, whose rows get its load id.
    """
    # Without its columns as hints, what is JSON would become text, as it is in Arrow tables.
    columns = dataset.schema.tables[name]["columns"]

    @dlt.resource(name=name, write_disposition="merge", columns=columns)
    def rows() -> Iterator[Any]:
        dlt.current.source_state().update(state)
        yield dlt.mark.materialize_table_schema()
        load_id = dlt.current.load_package_state()["load_id"]
        for table in dataset.table(name).iter_arrow(chunk_size=ROWS_AT_ONCE):
            yield _with_load_id(_without_nul(table, columns), listing, load_id)

    return DltSource(dataset.schema, name, [rows])


def _with_load_id(table: pa.Table, listing: str, load_id: str) -> pa.Table:
    """The rows, those of a listing with another load id."""
    column = table[LOAD_ID]
    place = table.schema.get_field_index(LOAD_ID)
    moved = pc.if_else(pc.equal(column, listing), load_id, column)
    return table.set_column(place, table.schema.field(place), moved)


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
