"""Rows that bear one id stay apart where that is meant, and are counted where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dagster import AssetCheckSeverity

from analytics_assets.source.wording import counted
from harness.project import Project, metadata
from harness.scripted import Answer, Asked, scripted_api
from harness.things import api_of, parts, things

Row = dict[str, Any]


def event(text: str, own_id: str = "e0", created: int = 1, **fields: Any) -> Row:
    return {"id": own_id, "type": "stdout", "created": created, "text": text, **fields}


def nested(text: str, own_id: str = "e0", created: int = 1) -> Row:
    payload = {"id": own_id, "date": created, "serial": "1", "text": text}
    return {"type": "stdout", "created": created, "payload": payload}


LISTS: list[list[list[Row]]] = [
    # What the list of one deployment holds at each load.
    [[event("a"), event("b"), event("c")]] * 2,
    [[event("a")], [event("a"), event("b", created=2)], [event("a"), event("b", created=2)]],
    [[event("a")], [event("b"), event("a")], [event("a"), event("b")]],
    [[event("a"), event("b")], [event("b"), event("c"), event("a")]],
    [[nested("a"), nested("b", created=2)], [nested("a"), nested("b", created=2), nested("c")]],
    [[event("a"), event("b", "e1"), event("c")], [event("a"), event("b", "e1"), event("c")]],
    [[event("a"), event("a", level="error")], [event("a"), event("a", level="error")]],
    [[event("a"), event("a")]] * 2,
    [[event("a", created=n) for n in range(250)]] * 2,
]


@pytest.fixture(scope="module")
def loaded_thrice(tmp_path_factory: pytest.TempPathFactory) -> list[list[Row]]:
    """The rows of all deployments after each of three loads; each has a list of its own."""
    folder = tmp_path_factory.mktemp("repeated_ids")
    load = 0

    def answer(asked: Asked) -> Answer:
        if asked.path == "/v6/deployments":
            deployments = [
                {"uid": f"dpl_{n}", "created": 1_761_010_112_345, "state": f"LOAD_{load}"}
                for n in range(len(LISTS))
            ]
            return Answer({"deployments": deployments, "pagination": None})
        lists = LISTS[int(asked.path.split("/")[3].removeprefix("dpl_"))]
        rows = lists[min(load, len(lists) - 1)]
        limit = asked.integer("limit") or 0
        return Answer(rows if limit < 0 else rows[:limit])

    stored = []
    with pytest.MonkeyPatch.context() as patch, scripted_api(answer) as api:
        patch.setenv("DESTINATION__DUCKDB__CREDENTIALS", str(folder / "warehouse.duckdb"))
        patch.chdir(folder)
        project = Project(folder, api.url)
        for load in range(3):  # noqa: B007 - the server answers by it
            project.load_all("deployments", "deployment_events")
            stored.append(project.query("select * from analytics.deployment_events"))
    return stored


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("deployment", range(len(LISTS)))
def test_events_of_one_id_stay_as_many_as_they_are_when_their_list_grows(
    loaded_thrice: list[list[Row]], deployment: int
) -> None:
    lists = LISTS[deployment]
    for load, stored in enumerate(loaded_thrice):
        served = lists[min(load, len(lists) - 1)]
        rows = [row for row in stored if row["_deployments_id"] == f"dpl_{deployment}"]
        assert sorted(map(content_of, rows)) == sorted({content_of(row) for row in served})
        assert len({row["id"] for row in rows}) == len(rows)
        first_id = served[0].get("id") or served[0]["payload"]["id"]
        assert {row["id"].partition("#")[0] for row in rows} <= {first_id, "e1"}
        assert first_id in {row["id"] for row in rows}


def content_of(row: Row) -> tuple[str, int, str]:
    text = row.get("text") or row["payload"]["text"]
    return (text, row["created"], row.get("level") or "")


MERGED: list[tuple[list[Row], int]] = [
    ([{"id": "1", "name": "a"}, {"id": "1", "name": "b"}, {"id": "1", "name": "c"}], 2),
    ([{"id": "1", "name": "a"}, {"id": "1", "name": "b"}, {"id": "1", "name": "a"}], 1),
    ([{"id": "1", "name": "a", "updatedAt": 5}, {"id": "1", "name": "b", "updatedAt": 5}], 1),
    ([{"id": "1", "name": "a", "updatedAt": 5}, {"id": "1", "name": "b"}], 1),
    ([{"id": "1", "name": "a", "updatedAt": 5}, {"id": "1", "name": "b", "updatedAt": 6}], 0),
    ([{"id": "1", "name": "a"}, {"id": "1", "name": "a"}], 0),
    ([{"id": "1", "name": "a"}, {"id": "2", "name": "a"}], 0),
]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(("rows", "merged"), MERGED)
def test_rows_of_one_key_on_one_page_are_counted_and_a_check_warns(
    tmp_path: Path, rows: list[Row], merged: int
) -> None:
    served = {"things": [{"id": "t"}], "parts": rows}

    def answer(asked: Asked) -> Answer:
        name = asked.path.rpartition("/")[2]
        return Answer({name: served[name]})

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url, api_of(things(), parts()))
        project.load_all("things")
        report = metadata(project.load("parts"), "parts")
        assert report.get("rows_merged", 0) == merged
        found = project.check("parts", "keys_are_distinct")["keys_are_distinct"]
        assert found.passed == (not merged)
        if merged:
            assert found.severity is AssetCheckSeverity.WARN
            assert f"{counted(merged, 'row')} of parts had the key of another row" in str(
                found.description
            )
            assert "t/1" in str(found.description)
            rows[:] = rows[:1]
            project.load_all("parts")
            assert project.check("parts", "keys_are_distinct")["keys_are_distinct"].passed


def test_a_row_that_comes_on_two_pages_is_no_finding(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Answer:
        page = asked.integer("page") or 1
        return Answer({"things": [{"id": "1", "name": f"read on page {page}"}], "pages": 2})

    resource = things(name="string")
    resource["endpoint"] = {
        "path": "/things",
        "data_selector": "things",
        "paginator": {"type": "page_number", "base_page": 1, "total_path": "pages"},
    }
    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url, api_of(resource))
        report = metadata(project.load("things"), "things")
        assert "rows_merged" not in report
        assert project.check("things", "keys_are_distinct")["keys_are_distinct"].passed
