"""No value is lost, whatever its type, its size or the name of its field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.demo_api import DemoApi, running_demo_api
from harness.processes import TIMEOUT
from harness.project import Project, assert_equal, metadata, sentence
from harness.stores import Store


@pytest.fixture
def projects(tmp_path: Path) -> Any:
    """A demo API without projects, and the project that loads it."""
    with running_demo_api("--projects", "0") as api:
        yield api, Project(tmp_path, api.url)


OTHER_TYPES: list[tuple[str, Any, str, Any]] = [
    ("name", 5, "name", "5"),
    ("name", {"a": 1}, "name", '{"a":1}'),
    ("name", 2**63, "name", str(2**63)),
    ("updatedAt", "text", "updatedAt__v_text", "text"),
    ("updatedAt", True, "updatedAt__v_bool", True),
    ("updatedAt", 1.5, "updatedAt__v_double", 1.5),
    ("updatedAt", {"a": 1}, "updatedAt__v_json", {"a": 1}),
    ("updatedAt", "12", "updatedAt", 12),
    ("updatedAt", 2**63 - 1, "updatedAt", 2**63 - 1),
    ("updatedAt", 2**63, "updatedAt__v_text", str(2**63)),
    ("updatedAt", -(2**70), "updatedAt__v_text", str(-(2**70))),
    ("live", "maybe", "live__v_text", "maybe"),
    ("live", 2, "live__v_bigint", 2),
    ("live", 1.5, "live__v_double", 1.5),
    ("link", "text", "link__v_text", "text"),
    ("link", 5, "link__v_bigint", 5),
    ("link", [1], "link", [1]),
    ("env", "text", "env", ["text"]),
    ("env", False, "env", [False]),
    ("env", {"id": "a", "key": "PORT"}, "env", {"id": "a", "key": "PORT"}),
    ("fresh", 2**64, "fresh__v_text", str(2**64)),
    ("nested", {"a": [2**70, 2**63]}, "nested", {"a": [str(2**70), str(2**63)]}),
    ("half", "cut \ud83d", "half", "cut \N{REPLACEMENT CHARACTER}"),
    ("emoji", "\N{PARTY POPPER} \\ 'quoted' \"twice\"\n", "emoji", None),
    ("nul", {"a\x00": "\x00, \\u0000"}, "nul", {"a\ufffd": "\ufffd, \\u0000"}),
    ("long", "x" * 5_000_000, "long", None),
    ("deep", json.loads("[" * 40 + "]" * 40), "deep", None),
    ("select", "a keyword", "select", None),
    ("1st", 1, "1st", None),
    ("dotted.name", 1, "dotted.name", None),
    ("", "an empty name", "_e3b0c442", None),
    ("a`b", 1, "a_b_ad22532e", None),
]


def test_a_value_of_any_type_size_and_name_is_stored(tmp_path: Path, store: Store) -> None:
    with running_demo_api("--projects", "0") as api:
        api.add_projects(*({field: value} for field, value, _, _ in OTHER_TYPES))
        project = Project(tmp_path, api.url, store=store)
        project.load_all("projects")
    for place, (field, value, column, stored) in enumerate(OTHER_TYPES):
        ((found,),) = stored_values(project, f"prj_{place}", column)
        assert found == (value if stored is None else stored), (field, column)


def stored_values(project: Project, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """The values of columns of one row; JSON is parsed."""
    quoted = ", ".join(f'"{column}" as "{place}"' for place, column in enumerate(columns))
    rows = project.query(f"select {quoted} from analytics.projects where id = '{name}'")  # noqa: S608
    return [tuple(row.get(str(place)) for place in range(len(columns))) for row in rows]


CLASHES: list[dict[str, Any]] = [
    {"name": "declared", "Name": "other case"},
    {"ID": "other case"},
    {"id ": "trailing space"},
    {"fooBar": 1, "foobar": 2, "FOOBAR": 3},
    {"\u00e4": 1, "\u00c4": 2},
    {"_dlt_id": "not dlt's"},
    {"_version": "not ours"},
]


def test_fields_that_a_warehouse_takes_for_one_stay_apart_in_each_load(
    projects: tuple[DemoApi, Project],
) -> None:
    api, project = projects
    api.add_projects(*CLASHES)
    project.load_all("projects")
    project.load_all("projects")
    rows = {row["id"]: row for row in project.query("select * from analytics.projects")}
    assert len(rows) == len(CLASHES)
    for place, clash in enumerate(CLASHES):
        row = rows[f"prj_{place}"]
        for field, value in clash.items():
            columns = [c for c, v in row.items() if v == value and c.startswith(field.strip())]
            assert columns, (field, row)
        assert row.get("name") == clash.get("name")
    columns = [row["column_name"] for row in project.query("describe analytics.projects")]
    assert len({column.casefold() for column in columns}) == len(columns)


@pytest.mark.long(reason="several loads each")
def test_a_field_that_dlt_would_write_otherwise_keeps_its_column_and_its_rows(
    projects: tuple[DemoApi, Project],
) -> None:
    api, project = projects
    odd = {'a"b': "1", "a_b": "2", "note ": "3", "x\ny": "4", " sp": "5", "": "6", "_empty": "7"}
    api.add_projects({"id": None, **odd})
    for _ in range(3):
        assert project.load("projects").success
        (row,) = project.query("select * from analytics.projects")
        assert set(odd.values()) <= set(row.values())
        columns = project.query("describe analytics.projects")
    project.load_all("projects")
    assert project.query("describe analytics.projects") == columns


def test_a_withheld_field_is_withheld_in_any_spelling(tmp_path: Path, demo_api: DemoApi) -> None:
    project = Project(tmp_path, demo_api.url)
    (key,) = next(iter(demo_api.rows("projects")))
    secrets = {"value": "hidden", "Value": "hidden", "VALUE ": "hidden"}
    body = {"id": "env_odd", "key": "ODD", "type": "plain", **secrets}
    demo_api.control("POST", f"/rows/environments/add?parent={key}", **body)
    project.load_all("projects", "environments")
    (row,) = project.query("select * from analytics.environments where id = 'env_odd'")
    assert "hidden" not in row.values()


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("created", ["2026-05-30T10:00:00Z", "1780135200000", 1780135200000.0])
def test_a_creation_time_of_another_type_is_a_time_all_the_same(
    tmp_path: Path, demo_api: DemoApi, created: Any
) -> None:
    row = {"uid": "dpl_odd", "createdAt": created, "state": "READY"}
    demo_api.control("POST", "/rows/deployments/add", **row)
    project = Project(tmp_path, demo_api.url)
    project.load_all("deployments")
    project.load_all("deployments")
    assert project.rows("deployments")[("dpl_odd",)]["createdAt"] == 1780135200000


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    ("created", "variant"),
    [("soon", "text"), (1.5, "double"), (True, "bool"), ({"a": 1}, "json"), ([1], "json")],
)
def test_a_creation_time_that_is_none_is_kept_beside_its_column(
    tmp_path: Path, demo_api: DemoApi, created: Any, variant: str
) -> None:
    row = {"uid": "dpl_odd", "createdAt": created, "state": "READY"}
    demo_api.control("POST", "/rows/deployments/add", **row)
    project = Project(tmp_path, demo_api.url)
    project.load_all("deployments")
    kept = f'select "createdAt__v_{variant}" as kept from analytics.deployments'  # noqa: S608
    assert project.query(f"{kept} where id = 'dpl_odd'") == [{"kept": created}]


def test_new_fields_become_columns_and_missing_ones_null(
    projects: tuple[DemoApi, Project],
) -> None:
    api, project = projects
    api.add_projects({"name": "a", "live": True})
    project.load_all("projects")
    api.control("POST", "/rows/projects?id=prj_0", set={"fresh": {"deep": [1]}, "plain": 7})
    api.control("DELETE", "/rows/projects?id=prj_0")
    api.add_projects({"name": "a", "fresh": {"deep": [1]}, "plain": 7})
    project.load_all("projects")
    values = stored_values(project, "prj_0", "name", "live", "fresh", "plain")
    assert values == [("a", None, {"deep": [1]}, 7)]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("first", [[], [True], [0.5]], ids=["number", "boolean", "fraction"])
def test_an_undeclared_field_that_changes_its_type_loses_no_value(
    projects: tuple[DemoApi, Project], first: list[Any]
) -> None:
    api, project = projects
    values = [None, *first, 1, "text", 1.5, True, {"a": 1}, 2**63, 2**62 + 1, 0]
    for count in (len(first) + 1, len(values)):
        api.add_projects(*[{"fresh": item} for item in values[:count]])
        project.load_all("projects")
        for key in api.rows("projects"):
            api.control("DELETE", f"/rows/projects?id={key[0]}")
    for place, value in enumerate(values):
        (row,) = project.query(f"select * from analytics.projects where id = 'prj_{place}'")  # noqa: S608
        stored = row.get("fresh")
        assert stored in (value, str(value)), row
        assert isinstance(stored, bool) == isinstance(value, bool), row


def test_a_row_without_an_id_gets_one_from_its_content(projects: tuple[DemoApi, Project]) -> None:
    api, project = projects
    api.add_projects({"id": None, "name": "a"}, {"id": None, "name": "b"})
    project.load_all("projects")
    project.load_all("projects")
    names = project.query("select name from analytics.projects order by name")
    assert names == [{"name": "a"}, {"name": "b"}]


def test_rows_that_are_no_objects_are_an_error(projects: tuple[DemoApi, Project]) -> None:
    api, project = projects
    requests.post(f"{api.url}/_demo/rows/projects/add", data=b'"text"', timeout=TIMEOUT)
    assert sentence(project, "projects").startswith("GET /v9/projects answered rows that are no")


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_a_number_that_json_does_not_have_is_no_json(
    projects: tuple[DemoApi, Project], number: str
) -> None:
    api, project = projects
    body = f'{{"id": "prj_0", "createdAt": 1, "fresh": {number}}}'
    url = f"{api.url}/_demo/rows/projects/add"
    requests.post(url, data=body.encode(), timeout=TIMEOUT).raise_for_status()
    assert sentence(project, "projects").startswith("GET /v9/projects answered no JSON")


def test_a_row_dated_in_the_future_hides_no_later_row(tmp_path: Path, demo_api: DemoApi) -> None:
    project = Project(tmp_path, demo_api.url)
    a_year_ahead = 1_827_000_000_000
    row = {"uid": "dpl_ahead", "created": a_year_ahead, "state": "READY"}
    demo_api.control("POST", "/rows/deployments/add", **row)
    project.load_all("deployments")
    # The demo API makes new deployments newer than all others: this one comes between.
    now = {"uid": "dpl_now", "created": a_year_ahead - 31_000_000_000, "state": "READY"}
    demo_api.control("POST", "/rows/deployments/add", **now)
    loaded = metadata(project.load("deployments"), "deployments")
    assert loaded["rows_new"] == 1
    assert_equal(project.rows("deployments"), demo_api.rows("deployments"))
