"""dlt's own REST API source as the oracle: what it loads is what the project is to load.

A configuration is written as dlt's documents have it. dlt takes it as it is; the project gets the
words beside it that dlt has none for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import EndpointResource

from analytics_assets.configuration import ApiConfig, FieldType, ResourceConfig
from analytics_assets.source.load import empty_schema
from harness.demo_api import TOKEN, Key, neutral
from harness.stores import DuckDbFile, Row
from harness.things import HOURLY

Fields = Mapping[str, dict[str, FieldType]]
"""The declared fields of each resource."""
Convert = Callable[[Row], Row]
"""Changes a row as the project's documents say that it does, before dlt loads it."""

OWN_COLUMNS = ("_dlt", "_version", "_deleted_at")
"""Beginnings of the columns that dlt and the project add."""


def with_own_words(config: Mapping[str, Any], fields: Fields) -> ApiConfig:
    """A configuration of dlt's words alone, with what the project asks for beside them."""
    resources = [
        {"description": "Rows.", "cadence": HOURLY, "fields": fields[each["name"]], **each}
        for each in deepcopy(config["resources"])
    ]
    own: Any = {"retry_stale": "*/15 * * * *", "history_start": "2016-01-01"}
    return {**own, **deepcopy(dict(config)), "resources": resources}  # type: ignore[typeddict-item]


def without_own_words(config: ApiConfig) -> dict[str, Any]:
    """A configuration as dlt knows it."""
    resources = [
        {word: value for word, value in each.items() if word in EndpointResource.__annotations__}
        for each in deepcopy(config["resources"])
    ]
    return {
        "resource_defaults": deepcopy(config.get("resource_defaults", {})),
        "resources": resources,
    }


class PlainDlt:
    """A pipeline of dlt alone, with a DuckDB file of its own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "plain.duckdb"
        self._pipeline = dlt.pipeline(
            "plain",
            destination=dlt.destinations.duckdb(str(self._file)),
            dataset_name="analytics",
            pipelines_dir=str(folder / "pipelines"),
        )

    def load(
        self, config: Mapping[str, Any], url: str, convert: Mapping[str, Convert] | None = None
    ) -> None:
        """Loads all resources, nested values as JSON, as the project stores them.

        Args:
            config: Of dlt's words alone.
            url: The address of the API.
            convert: What becomes of the rows of a resource before they are loaded.
        """
        client = {"base_url": url, "auth": {"type": "bearer", "token": TOKEN}}
        source = rest_api_source(
            {**deepcopy(dict(config)), "client": client},  # type: ignore[typeddict-item]
            max_table_nesting=0,
            schema=empty_schema("plain"),
        )
        for name, change in (convert or {}).items():
            source.resources[name].add_map(change)
        self._pipeline.run(source)

    def rows(self, config: ApiConfig, name: str) -> dict[Key, Row]:
        """The rows of a resource by key; see `rows_by_key`."""
        return rows_by_key(DuckDbFile(self._file), config, name)


def rows_by_key(store: DuckDbFile, config: ApiConfig, name: str) -> dict[Key, Row]:
    """All stored rows of a resource by key, JSON parsed, without what nobody asked the API for."""
    (resource,) = [each for each in config["resources"] if each["name"] == name]
    key: Any = resource.get("primary_key") or config["resource_defaults"]["primary_key"]
    columns = [key] if isinstance(key, str) else key
    rows = [
        {column: value for column, value in row.items() if not column.startswith(OWN_COLUMNS)}
        for row in store.query(f'select * from analytics."{name}"')  # noqa: S608
    ]
    by_key = {tuple(str(row[column]) for column in columns): row for row in rows}
    assert len(by_key) == len(rows), f"{name} holds a row twice"
    return by_key


def filled(resource: ResourceConfig) -> Convert:
    """What the project's documents say of the rows of the demo API.

    A field that a row lacks is taken from others (`filled_from`), what is withheld is empty, and a
    single value of an array is an array of one.
    """

    def convert(row: Row) -> Row:
        for field, sources in resource.get("filled_from", {}).items():
            values = [_value_at(row, source) for source in (field, *sources)]
            row[field] = next((value for value in values if value is not None), None)
        return neutral(row)

    return convert


def _value_at(row: Row, path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
