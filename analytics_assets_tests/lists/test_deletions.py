"""A full list writes what has changed and nothing else, and marks what is gone."""

from __future__ import annotations

from typing import Any

import pytest

from analytics_assets.source.clock import epoch_milliseconds_now
from harness.demo_api import DemoApi
from harness.project import Project, failures, metadata

FULL_LISTS = ("projects", "teams", "user", "environments", "auth_tokens", "aliases", "teams_member")

BY_LOAD = {"_dlt_load_id", "_version", "_deleted_at"}
"""What is another with each load of a row."""


def deleted(project: Project, name: str) -> dict[str, int]:
    """The ids of the rows that are marked, and since when they are gone."""
    found = project.query(
        f'SELECT "id", "_deleted_at" FROM analytics."{name}" WHERE "_deleted_at" IS NOT NULL'  # noqa: S608
    )
    return {row["id"]: row["_deleted_at"] for row in found}


def loads(project: Project) -> dict[str, Any]:
    """The loads that dlt has recorded, and those that the rows of each full list are of."""
    recorded = project.query("SELECT load_id FROM analytics._dlt_loads ORDER BY 1")
    return {"recorded": recorded} | {
        name: project.query(f'SELECT DISTINCT _dlt_load_id FROM analytics."{name}"')  # noqa: S608
        for name in FULL_LISTS
    }


def content(project: Project, token: str) -> dict[str, Any]:
    """What the API has told of a token."""
    row = project.rows("auth_tokens")[(token,)]
    return {column: value for column, value in row.items() if column not in BY_LOAD}


@pytest.mark.usefixtures("all_loaded")
def test_a_run_with_nothing_new_writes_nothing(project: Project) -> None:
    before = loads(project)
    project.load_all(*FULL_LISTS)
    assert loads(project) == before


@pytest.mark.usefixtures("all_loaded")
def test_one_changed_row_is_the_only_one_that_is_written(
    project: Project, demo_api: DemoApi
) -> None:
    before = loads(project)["projects"]
    (changed,) = min(project.rows("projects"))
    demo_api.control("POST", f"/rows/projects?id={changed}", set={"framework": "changed"})
    report = metadata(project.load("projects"), "projects")
    assert (report["rows_new"], report["rows_changed"]) == (0, 1)
    newest = project.query(
        "SELECT id FROM analytics.projects WHERE _dlt_load_id > "  # noqa: S608
        f"'{before[0]['_dlt_load_id']}'"
    )
    assert newest == [{"id": changed}]


@pytest.mark.usefixtures("all_loaded")
def test_a_row_that_is_gone_is_marked_once_and_one_that_comes_back_is_not_any_more(
    project: Project, demo_api: DemoApi
) -> None:
    (gone,) = min(project.rows("auth_tokens"))
    content_before = content(project, gone)
    began = epoch_milliseconds_now()
    row = demo_api.rows("auth_tokens")[(gone,)]
    demo_api.control("DELETE", f"/rows/auth_tokens?id={gone}")
    project.load_all("auth_tokens")
    marked = deleted(project, "auth_tokens")
    assert marked.keys() == {gone}
    assert began <= marked[gone] <= epoch_milliseconds_now()
    assert content(project, gone) == content_before
    before = loads(project)
    project.load_all("auth_tokens")
    assert deleted(project, "auth_tokens") == marked
    assert loads(project) == before
    demo_api.control("POST", "/rows/auth_tokens/add", **row)
    project.load_all("auth_tokens")
    assert deleted(project, "auth_tokens") == {}
    assert content(project, gone) == content_before


@pytest.mark.usefixtures("all_loaded")
def test_with_a_parent_its_children_are_gone(project: Project, demo_api: DemoApi) -> None:
    (gone,) = min(project.rows("projects"))
    children = {own for parent, own in project.rows("environments") if parent == gone}
    demo_api.control("DELETE", f"/rows/projects?id={gone}")
    with demo_api.counted() as requests:
        project.load_all("projects", "environments")
    assert deleted(project, "projects").keys() == {gone}
    assert deleted(project, "environments").keys() == children
    assert requests["environments"] == len(project.rows("projects")) - 1


@pytest.mark.usefixtures("all_loaded")
def test_a_list_that_comes_back_empty_or_much_shorter_fails_and_marks_nothing(
    project: Project, demo_api: DemoApi
) -> None:
    before = loads(project)
    rows = [*demo_api.rows("aliases").values()]
    for answer in ([], rows[: len(rows) // 3]):
        demo_api.fail("aliases", "status", status=200, body={"aliases": answer})
        said = failures(project.load("aliases"))["aliases"]
        assert f"The API listed {len(answer)} of the {len(rows)} rows that are stored" in said
        assert "`most_rows_gone: 1` of `api`" in said
        assert loads(project) == before
        assert deleted(project, "aliases") == {}


@pytest.mark.usefixtures("all_loaded")
def test_a_list_that_is_rightly_empty_is_taken_where_that_is_said(
    project: Project, demo_api: DemoApi, patient: Project
) -> None:
    demo_api.fail("aliases", "status", status=200, body={"aliases": []})
    patient.load_all("aliases")
    assert len(deleted(project, "aliases")) == len(project.rows("aliases"))


@pytest.fixture
def patient(project: Project, demo_api: DemoApi) -> Project:
    """The same project, that takes any list."""
    return Project(project.file.parent, demo_api.url, most_rows_gone=1.0)
