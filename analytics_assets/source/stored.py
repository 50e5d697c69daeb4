"""What a load reads back from the warehouse: its parent's rows, and what it has stored itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import dlt
import sqlglot.expressions as sge
from dlt.common.data_types.typing import TDataType
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.common.schema.typing import TColumnSchema, TTableSchemaColumns
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.destinations.sql_client import SqlClientBase
from dlt.pipeline.state_sync import load_pipeline_state_from_destination

from analytics_assets.source.columns import DELETED_AT, LOAD_ID, VARIANT
from analytics_assets.source.pending import Pending, pending_parents
from analytics_assets.source.redaction import SUSPECTED_SECRETS
from analytics_assets.source.window import Window

OpenDataset = Callable[[str], dlt.Dataset]
"""Opens the warehouse's dataset with the schema of the resource named."""


def moment_column(dataset: dlt.Dataset, name: str, cursor: str) -> sge.Condition:
    """The column of a resource that holds its cursor as a number.

    Where the cursor's own was stored with another type before it was declared, it is its variant.
    """
    types = types_of(dataset.schema.tables[name]["columns"])
    variant = f"{cursor}{VARIANT}bigint"
    if types.get(cursor) in ("bigint", "double"):
        return sge.column(cursor, quoted=True)
    return sge.column(variant, quoted=True) if variant in types else sge.null()


def lies_in(window: Window, moment: sge.Condition) -> sge.Condition:
    """The condition for rows whose cursor lies in a window."""
    return sge.and_(moment >= window.start, moment < window.end)


def is_live(dataset: dlt.Dataset, name: str) -> sge.Condition:
    """The condition for rows of a full list that the API lists, by the last one that was read.

    An earlier version has marked none: each load of it wrote all rows of the list anew. A load of
    this one, which may end at the same time, has written some of them since.
    """
    if not has_marks(dataset, name):
        return sge.column(LOAD_ID, quoted=True) >= sge.convert(newest_load(dataset, name))
    return sge.column(DELETED_AT, quoted=True).is_(sge.null())


def has_marks(dataset: dlt.Dataset, name: str) -> bool:
    """Whether the table of a resource tells which rows the API no longer lists."""
    return DELETED_AT in dataset.schema.tables[name]["columns"]


def count_of(dataset: dlt.Dataset, rows: dlt.Relation) -> int:
    """The rows of a relation, counted by the warehouse."""
    with dataset.sql_client as client:
        return count_rows(client, rows.to_sql())


def count_rows(client: SqlClientBase[Any], query: str) -> int:
    """The rows of a query, counted by the warehouse."""
    counted = client.execute_sql(f"SELECT COUNT(*) FROM ({query}) AS counted")  # noqa: S608 - dlt's or our own SQL
    return int(counted[0][0]) if counted else 0


def has_rows(dataset: dlt.Dataset, name: str) -> bool:
    """Whether a row of a resource is stored."""
    return name in dataset.schema.tables and bool(dataset.table(name).limit(1).fetchall())


def count_stored(open_dataset: OpenDataset, name: str) -> int:
    """The rows stored of a resource; none where it was never loaded."""
    dataset = open_dataset(name)
    if name not in dataset.schema.tables:
        return 0
    ((_, rows),) = dataset.row_counts(table_names=[name]).fetchall()
    return int(rows)


def newest_load(dataset: dlt.Dataset, name: str) -> str:
    """The newest load of a resource; "" where there is none.

    dlt records a load after its rows are committed: a run that died in between left rows of a load
    that is not recorded.
    """
    recorded = dataset.latest_load_id(name) or ""
    stored = dataset.table(name)[[LOAD_ID]].max().fetchscalar() or ""
    return max(recorded, stored)


def stored_pending(open_dataset: OpenDataset, name: str) -> list[Pending]:
    """The parents of a child that are pending, by its state in the warehouse."""
    resources: Any = stored_state(open_dataset(name), name).get("resources", {})
    return pending_parents(resources.get(name, {}))


def count_deleted(open_dataset: OpenDataset, name: str) -> int:
    """The stored rows of a resource that the API no longer lists."""
    dataset = open_dataset(name)
    return count_of(dataset, dataset.table(name).where(sge.not_(is_live(dataset, name))))


def stored_state(dataset: dlt.Dataset, pipeline: str) -> Mapping[str, Any]:
    """What the warehouse keeps as the state of a pipeline's source of its own name, in one query.

    Args:
        dataset: The warehouse's, with the schema of any resource.
        pipeline: Its name, and the source's.
    """
    try:
        with dataset.destination_client as client:
            state = load_pipeline_state_from_destination(pipeline, cast(WithStateSync, client))
    except DestinationUndefinedEntity:
        return {}
    sources: Any = (state or {}).get("sources", {})
    found: Mapping[str, Any] = sources.get(pipeline, {})
    return found


def stored_columns(open_dataset: OpenDataset, name: str) -> dict[str, TDataType]:
    """The columns of a resource's table in the warehouse, and their types; none at first."""
    dataset = open_dataset(name)
    table = dataset.schema.tables.get(name)
    if table is None:
        return {}
    types = types_of(table["columns"])
    in_warehouse = types_of(_columns_in_warehouse(dataset, name))
    return {name: in_warehouse.get(name, data_type) for name, data_type in types.items()}


def _columns_in_warehouse(dataset: dlt.Dataset, name: str) -> TTableSchemaColumns:
    """The columns as the database itself describes them.

    The schema that dlt keeps may tell of a type that was declared later. Other databases have no
    type of their own for each of dlt's.
    """
    client = dataset.destination_client
    if dataset.destination_dialect not in ("duckdb", "postgres"):
        return {}
    if not isinstance(client, SqlJobClientBase):
        return {}
    with client:
        _, columns = client.get_storage_table(name)
    return columns


def has_columns(dataset: dlt.Dataset, name: str, columns: Iterable[str]) -> bool:
    """Whether a table is there, and has all of some columns."""
    table = dataset.schema.tables.get(name)
    spelled = map(dataset.schema.naming.normalize_path, columns)
    return table is not None and set(types_of(table["columns"])).issuperset(spelled)


def types_of(columns: Mapping[str, TColumnSchema]) -> dict[str, TDataType]:
    """The types of columns in the words of dlt, of those that have one."""
    return {name: word for name, column in columns.items() if (word := column.get("data_type"))}


def suspected_secrets(open_dataset: OpenDataset, name: str) -> list[str]:
    """The paths at which loads have found what looks like a secret, and did not store it."""
    table: Any = open_dataset(name).schema.tables.get(name, {})
    return list(table.get(SUSPECTED_SECRETS, []))
