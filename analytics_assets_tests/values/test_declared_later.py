"""A column that exists with another type than is declared loses and changes no value."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetCheckSeverity

from analytics_assets.configuration import FieldType, ResourceConfig
from harness.project import Project, sentence
from harness.scripted import Answer, scripted_api
from harness.stores import Store
from harness.things import api_of, things

FIRST: dict[str, Any] = {
    "text": "text",
    "bool": True,
    "bigint": 5,
    "double": 1.5,
    "json": {"a": 1},
}
"""The value that gives a column each type, before it is declared."""
WORDS: list[FieldType] = ["string", "boolean", "number", "float", "array", "object"]
VALUES: list[Any] = [
    "seven",
    "7",
    " 7 ",
    "007",
    "true",
    True,
    False,
    0,
    1,
    7,
    -7,
    2**53 + 1,
    2**63 - 1,
    2**63,
    7.0,
    1.5,
    "1.5",
    "nan",
    "1_000",
    [],
    ["a"],
    {"a": 1},
    '{"a": 1}',
    None,
]


def field_of(stored: str, word: str) -> str:
    return f"{stored}_{word}"


def load_before_and_after_declaring(folder: Path, store: Store) -> Project:
    """Loads a first row undeclared; then all are declared, and loaded three times."""
    fields = {field_of(stored, word): word for stored, word in product(FIRST, WORDS)}
    rows: list[dict[str, Any]] = [
        {"id": "first", **{field: FIRST[field.partition("_")[0]] for field in fields}}
    ]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        Project(folder, api.url, api_of(things()), store=store).load_all()
        project = Project(folder, api.url, api_of(things(**fields)), store=store)
        for place, value in enumerate(VALUES):
            rows.append({"id": f"row_{place}", **dict.fromkeys(fields, value)})
            if place in (len(VALUES) // 2, len(VALUES) - 1):
                project.load_all()
        for row in rows:
            row["again"] = 1
        project.load_all()
    return project


def rows_by_id(project: Project) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in project.query("select * from analytics.things")}


def meanings(word: str, value: Any) -> list[Any]:
    """How a value may be stored: as it is, or as what its declared type makes of a text of it."""
    if word == "array" and not isinstance(value, list | dict | None):
        return [[value]]
    if isinstance(value, int) and abs(value) >= 2**63:
        return [str(value)]
    if isinstance(value, str) and word in ("number", "float"):
        return [{"7": 7, " 7 ": 7, "007": 7, "1.5": 1.5}.get(value, value), value]
    if value == "true" and word == "boolean":
        return [True]
    if word == "string" and isinstance(value, list | dict):
        return [value, json.dumps(value, separators=(",", ":"))]
    if word == "string" and value is not None:
        return [value, str(value)]
    return [value]


def is_one_of(value: Any, others: list[Any]) -> bool:
    """Python takes True for 1; a warehouse tells them apart."""
    return any(
        value == other and isinstance(value, bool) == isinstance(other, bool) for other in others
    )


@pytest.mark.long(reason="several loads each")
def test_a_column_declared_otherwise_than_it_is_stored_keeps_each_value(
    tmp_path: Path, store: Store
) -> None:
    stored_rows = rows_by_id(load_before_and_after_declaring(tmp_path, store))
    assert len(stored_rows) == len(VALUES) + 1
    for stored, word in product(FIRST, WORDS):
        served = {"first": FIRST[stored], **{f"row_{n}": value for n, value in enumerate(VALUES)}}
        for row, value in served.items():
            kept = stored_rows[row].get(field_of(stored, word))
            assert is_one_of(kept, meanings(word, value)), (stored, word, value, kept)


def test_a_column_that_the_schema_tells_otherwise_than_the_database_keeps_each_value(
    tmp_path: Path,
) -> None:
    """As earlier versions left it, whose declared type was taken for the stored one."""
    api_of_things, rows = api_of(things(field="number")), [{"id": "first", "field": 1}]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        project = Project(tmp_path, api.url, api_of_things)
        project.load_all()
        with duckdb.connect(str(project.file)) as connection:
            connection.execute("ALTER TABLE analytics.things ALTER COLUMN field TYPE BOOLEAN")
        rows.append({"id": "second", "field": 7})
        project.load_all()
    assert rows_by_id(project)["second"]["field"] == 7


@pytest.mark.long(reason="several loads each")
def test_the_check_names_a_column_that_is_stored_otherwise_until_it_is_known(
    tmp_path: Path,
) -> None:
    rows = [{"id": "first", "field": True, "null": None}]
    later = things(field="number", null="float")
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        Project(tmp_path, api.url, api_of(things())).load_all()
        project = Project(tmp_path, api.url, api_of(later))
        for value in (None, 7):
            rows[0]["field"] = value
            project.load_all()
            found = project.check("things", "columns_are_declared")["columns_are_declared"]
            assert "stored otherwise: field (bool, declared bigint)" in str(found.description)
            assert not found.passed
            assert found.severity is AssetCheckSeverity.WARN
        known: ResourceConfig = {**later, "known_columns": ["field__v_bigint"]}
        accepted = Project(tmp_path, api.url, api_of(known))
        assert accepted.check("things", "columns_are_declared")["columns_are_declared"].passed


KEYS: list[tuple[FieldType, FieldType, Any, Any]] = [
    ("string", "number", 7, "7"),
    ("number", "string", "7", 7),
    ("number", "float", 7.0, 7),
]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(("before", "after", "key", "stored"), KEYS)
def test_a_key_declared_otherwise_keeps_its_column(
    tmp_path: Path, before: FieldType, after: FieldType, key: Any, stored: Any
) -> None:
    rows: list[dict[str, Any]] = [{"id": stored, "name": "first"}]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        Project(tmp_path, api.url, api_of(things(id=before, name="string"))).load_all()
        rows[:] = [{"id": key, "name": "again"}]
        project = Project(tmp_path, api.url, api_of(things(id=after, name="string")))
        project.load_all()
    found = project.query("select id, name from analytics.things")
    assert found == [{"id": stored, "name": "again"}]


def test_a_key_that_its_column_cannot_hold_is_named(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": 7}]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        Project(tmp_path, api.url, api_of(things(id="number"))).load_all()
        rows.append({"id": "007"})
        project = Project(tmp_path, api.url, api_of(things(id="string")))
        said = sentence(project, "things")
    assert said.startswith("The column `id` of things is stored as bigint and cannot hold '007'")
    assert project.query("select id from analytics.things") == [{"id": 7}]


def test_a_cursor_that_is_stored_as_text_is_asked_by_all_the_same(tmp_path: Path) -> None:
    resource = things(updated="number")
    resource["endpoint"] = {
        "path": "/things",
        "data_selector": "things",
        "incremental": {
            "cursor_path": "updated",
            "start_param": "since",
            "on_cursor_value_missing": "include",
            "allow_external_schedulers": False,
        },
    }
    resource["times"] = ["updated"]
    rows: list[dict[str, Any]] = [{"id": "first", "updated": "2026-05-30"}]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        Project(tmp_path, api.url, api_of(things())).load_all()
        project = Project(tmp_path, api.url, api_of(resource))
        for moment in (1_780_135_200_000, 1_780_135_300_000):
            rows.append({"id": str(moment), "updated": moment})
            project.load_all()
        assert api.asked[-1].params["since"] == "1780135200000"
        assert project.check("things", "times_are_plausible")["times_are_plausible"].passed
    assert {key: row["updated"] for key, row in rows_by_id(project).items()} == {
        "first": 1_780_099_200_000,
        "1780135200000": 1_780_135_200_000,
        "1780135300000": 1_780_135_300_000,
    }
