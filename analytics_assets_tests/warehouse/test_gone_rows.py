"""Rows that a full list no longer has are marked, and keep all that they hold."""

from __future__ import annotations

from pathlib import Path

from harness.project import Project
from harness.scripted import Answer, scripted_api
from harness.stores import Row, Store
from harness.things import api_of, things

FULL: Row = {
    "id": "b",
    "number": 7,
    "text": "x\0y",
    "object": {"floats": [1.5, 1e20, 1e300], "large": 2**70, "text": 'a"\0\\é'},
    "array": ["1", "[2]"],
    "nothing": [],
    "float": 1e20,
    "large": 2**70,
    "boolean": True,
    "time": "2024-01-01T00:00:00Z",
    "other": 7,
    "like_json": '{"a": 1}',
}


def stored(project: Project) -> dict[str, Row]:
    """The rows, by their ids, without what tells of their loads."""
    rows = project.query("SELECT * FROM analytics.things")
    own = ("_version", "_dlt_id", "_dlt_load_id")
    return {row["id"]: {k: v for k, v in row.items() if k not in own} for row in rows}


def test_a_row_that_is_gone_keeps_each_value_and_comes_back(tmp_path: Path, store: Store) -> None:
    rows: list[Row] = [{"id": "a", "other": "text", "float": 1}, FULL]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        project = Project(tmp_path, api.url, api_of(things(number="number")), store=store)
        project.load_all("things")
        before = stored(project)["b"]
        rows[:] = [{"id": "a", "other": "changed", "fresh": [1]}, {"id": "c", "later": True}]
        project.load_all("things")
        gone = stored(project)["b"]
        assert gone.pop("_deleted_at")
        assert gone == before
        assert stored(project)["a"] == rows[0]
        rows.append(FULL)
        project.load_all("things")
        assert stored(project)["b"] == before


def test_a_row_whose_key_is_stored_as_another_type_is_not_gone(tmp_path: Path) -> None:
    rows = [{"id": 1.0}, {"id": True}, {"id": "b"}]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        project = Project(tmp_path, api.url, api_of(things()))
        for _ in range(2):
            project.load_all("things")
    assert not any("_deleted_at" in row for row in stored(project).values())
