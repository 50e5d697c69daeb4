"""The dlt source of one resource: its endpoint, its columns, and its parent's rows.

Knows dlt and the configuration, and nothing of Dagster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, cast

import dlt
from dlt.common.data_types.typing import TDataType
from dlt.common.jsonpath import compile_path
from dlt.common.schema import Schema
from dlt.common.schema.typing import TColumnSchema
from dlt.extract import DltResource, DltSource
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import ClientConfig, EndpointResource

from analytics_assets.configuration import ApiConfig, FieldType, ResourceConfig
from analytics_assets.configuration.lineage import (
    complete_endpoint,
    cursor_field,
    endpoint_of,
    inherited_fields,
    is_listed_in_full,
    key_columns,
    parent_name,
    resource_named,
)
from analytics_assets.source.ahead import session_of
from analytics_assets.source.batches import AsTables, Collector, empty_table
from analytics_assets.source.changes import Changes
from analytics_assets.source.columns import ROW_DIGEST, VERSION, ColumnNames, column_descriptions
from analytics_assets.source.cursor import CursorWithinNow
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.pages import LastPage
from analytics_assets.source.paginators import checked_paginator
from analytics_assets.source.parent_pages import ParentPaginator
from analytics_assets.source.parent_values import quoted_path
from analytics_assets.source.records import neutralize
from analytics_assets.source.redaction import Guard
from analytics_assets.source.stored import OpenDataset, stored_columns, suspected_secrets, types_of
from analytics_assets.source.table_columns import TableColumns
from analytics_assets.source.turns import parent_rows
from analytics_assets.source.watermark import Watermark
from analytics_assets.source.window import Window

DATA_TYPES: dict[FieldType, TDataType] = {
    "string": "text",
    "number": "bigint",
    "float": "double",
    "boolean": "bool",
    "array": "json",
    "object": "json",
}

# The keys of a `ResourceConfig` that dlt does not know.
OWN_KEYS = set(ResourceConfig.__annotations__) - set(EndpointResource.__annotations__)

# dlt's naming convention under which columns keep the API's own spelling.
NAMING = "duck_case"


def build_source(
    config: ApiConfig,
    name: str,
    client: ClientConfig,
    open_dataset: OpenDataset,
    changes: Changes,
    fan_out: FanOut,
    watermark: Watermark,
    collector: Collector,
    start: int | None = None,
    window: Window | None = None,
) -> DltSource:
    """The dlt source that loads one resource.

    Args:
        config: The API's configuration.
        name: The resource to load. Its parent, if it has one, is read from the dataset.
        client: Address, authentication and session of the API.
        open_dataset: Opens the warehouse's dataset, from which stored rows are read.
        changes: Counts the rows of this load that are new or changed.
        fan_out: Keeps count of the parents that a child asks for.
        watermark: Notes what had been loaded before.
        collector: Collects the rows, to pass them on to dlt many at a time.
        start: First moment to load for an incremental resource, in epoch milliseconds; None
            loads from the beginning.
        window: What to load again; None loads what is new.

    Returns:
        A source whose selected resources fill the one table called `name`.
    """
    resource = resource_named(config, name)
    resources: list[str | EndpointResource | DltResource] = [
        _endpoint_resource(config, resource, client, fan_out, start, window)
    ]
    parent = parent_name(resource)
    if parent:
        session_of(client).take_failure = fan_out.take
        resources.append(parent_rows(config, name, open_dataset, fan_out, window, client))
    source = rest_api_source(
        {
            "client": client,
            "resource_defaults": config.get("resource_defaults", {}),
            "resources": resources,
        },
        name=name,
        # Arrays and objects are one JSON column: one resource is one table.
        max_table_nesting=0,
        schema=empty_schema(name),
    )
    table = source.resources[name]
    declared, key = declared_columns(config, resource), key_columns(config, resource)
    stored = stored_columns(open_dataset, name)
    columns = TableColumns(name, declared, stored, key)
    table.apply_hints(columns=columns.hints)
    names = ColumnNames([*declared, *stored], source.schema.naming.normalize_path)
    guard = Guard(resource)
    to_records = neutralize(resource, key, names, guard)
    steps: list[Callable[..., Any]] = [fan_out.guarded(to_records) if parent else to_records]
    last_page = LastPage()
    if window is None:
        steps = [watermark.note, *steps]
    steps = [fan_out.count if parent else last_page.note, *steps]
    cursor = cursor_field(resource)
    is_listed = is_listed_in_full(config, name)
    steps.append(changes.count if is_listed else changes.drop_unchanged)
    collector.begin(lambda: fan_out.is_through if parent else last_page.is_reached)
    steps.append(collector.collect)
    # dlt neither uses nor moves its cursor in a window.
    if cursor and window is None:
        steps.append(CursorWithinNow(name, cursor))
    steps.append(AsTables(columns, guard, suspected_secrets(open_dataset, name)))
    for step in steps:
        table.add_step(step)
    source.resources.add(_table_marks(config, name, columns))
    return source


def empty_schema(name: str) -> Schema:
    """A schema without tables that spells names and types values as this project does."""
    schema = Schema(name, {"names": NAMING})
    # Text stays text: dlt would store an undeclared field that looks like a date as a timestamp.
    schema.remove_type_detection("iso_timestamp")
    return schema


def _endpoint_resource(
    config: ApiConfig,
    resource: ResourceConfig,
    client: ClientConfig,
    fan_out: FanOut,
    start: int | None,
    window: Window | None,
) -> EndpointResource:
    """The resource as dlt's REST API source takes it."""
    known = cast(
        EndpointResource, {key: word for key, word in resource.items() if key not in OWN_KEYS}
    )
    endpoint = endpoint_of(resource).copy()
    paginator = checked_paginator(config, resource, session_of(client).announce)
    is_child = parent_name(resource) is not None
    endpoint["paginator"] = ParentPaginator(paginator, fan_out) if is_child else paginator
    if selector := complete_endpoint(config, resource).get("data_selector"):
        # dlt would compile it anew for each page, which takes longer than to read the page.
        endpoint["data_selector"] = compile_path(selector)
    if is_child:
        endpoint["path"] = quoted_path(str(endpoint["path"]))
    incremental = endpoint.get("incremental")
    # The API answers what was created after `since`; the first moment is wanted, too.
    if incremental and window is not None:
        endpoint["incremental"] = {
            **incremental,
            "initial_value": window.start - 1,
            "end_value": window.end,
        }
    elif incremental and start is not None:
        endpoint["incremental"] = {**incremental, "initial_value": start - 1}
    return {
        **known,
        "endpoint": endpoint,
        # dlt's own default appends: each load would store all rows once more.
        "write_disposition": "merge",
    }


def declared_columns(config: ApiConfig, resource: ResourceConfig) -> dict[str, TColumnSchema]:
    """The columns a resource has whatever its loads bring, as dlt describes them, by name."""
    key = key_columns(config, resource)
    words = {**_inherited_types(config, resource), **resource["fields"]}
    types = {field: DATA_TYPES[word] for field, word in words.items()}
    columns: dict[str, TColumnSchema] = {
        name: {"name": name, "data_type": data_type, "nullable": name not in key}
        for name, data_type in types.items()
    }
    # Of several rows of one key dlt keeps the first in this order (dlt, "Merge loading").
    columns[VERSION] = {"name": VERSION, "data_type": "bigint", "dedup_sort": "desc"}
    for name, description in column_descriptions(config, resource).items():
        if name in columns:
            columns[name]["description"] = description
    return columns


def _inherited_types(config: ApiConfig, resource: ResourceConfig) -> dict[str, FieldType]:
    """The columns that hold a parent's fields, of the parent's types: the two are compared."""
    return {
        column: resource_named(config, parent.resource)["fields"][parent.field]
        for column, parent in inherited_fields(resource).items()
    }


def _table_marks(config: ApiConfig, name: str, columns: TableColumns) -> DltResource:
    """What a load leaves in the warehouse even where it finds no row at all.

    The table with its declared columns, and, of a full listing, that it took place: a child asks
    for the parents of the latest listing, and dlt records no load that changed nothing.
    """

    @dlt.resource(
        name=f"{name}_marks",
        table_name=name,
        primary_key=key_columns(config, resource_named(config, name)),
        write_disposition="merge",
        columns=columns.hints,
    )
    def marks() -> Iterator[Any]:
        if is_listed_in_full(config, name):
            dlt.current.resource_state(name)["listed_at"] = datetime.now(timezone.utc).isoformat()
        if name not in dlt.current.source_schema().data_table_names(seen_data_only=True):
            # Of what dlt is told the types of: rows may have brought further columns by now.
            yield empty_table({**types_of(columns.hints), ROW_DIGEST: "text"})

    return marks
