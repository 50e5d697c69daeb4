"""Pages that are not what was asked for, and cursors that lead nowhere or in a circle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from requests import exceptions

from analytics_assets.source.errors import AnalyticsApiError
from harness.demo_api import RESOURCES, DemoApi, running_demo_api
from harness.listing import read_list, serving
from harness.project import Project, assert_equal, failures, metadata, sentence
from harness.scripted import Answer, Asked, scripted_api
from harness.stores import Store
from harness.things import api_of, things


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("kind", ["envelope", "renamed"])
def test_a_200_that_is_not_the_list_fails_every_asset_and_is_no_empty_list(
    project: Project, demo_api: DemoApi, kind: str
) -> None:
    project.load_all("projects", "teams", "deployments")
    # Of a bare list there is no key to rename.
    asked = [name for name in RESOURCES if (kind, name) != ("renamed", "deployment_events")]
    for name in asked:
        demo_api.fail(name, kind, times=None)
    result = project.load()
    said = failures(result)
    children = {"environments", "deployment_events", "teams_member"}
    assert set(said) == set(asked) - children
    for name in children & set(asked):
        said[name] = sentence(project, name)
    assert set(said) == set(asked)
    for text in said.values():
        assert "answered 200 without the declared list" in text
        assert "change `data_selector` in the configuration" in text


@pytest.mark.parametrize(
    "body",
    [
        {"id": "req_1", "error": {"code": "internal"}},
        {"projects": {"error": "internal"}},
        {"projects": "none"},
    ],
)
def test_an_error_that_looks_like_a_record_is_none(
    project: Project, demo_api: DemoApi, body: dict[str, Any]
) -> None:
    demo_api.fail("projects", "status", status=200, body=body, times=None)
    assert "answered 200 without the declared list `projects`" in sentence(project, "projects")


@pytest.mark.parametrize("rows", [[], [{"id": "prj_1", "error": "of the row"}]])
def test_a_list_beside_an_error_is_an_error(rows: list[Any]) -> None:
    def read(error: Any) -> list[Any]:
        body = {"projects": rows, "error": error}
        with scripted_api(serving({"/v9/projects": lambda _: Answer(body)})) as api:
            return read_list(api.url, "projects")

    with pytest.raises(AnalyticsApiError) as raised:
        read({"code": "internal", "message": "sorry"})
    assert "answered 200 with an error beside the list `projects` (sorry)" in str(raised.value)
    assert read(None) == rows


@pytest.mark.parametrize("kind", ["page_number", "offset"])
@pytest.mark.parametrize("has_time", [False, True])
def test_an_answer_without_content_ends_a_numbered_list_that_had_rows(
    kind: str, has_time: bool
) -> None:
    numbered: dict[str, Any] = {
        "page_number": {"base_page": 0, "page_param": "place"},
        "offset": {"limit": 2, "offset_param": "place"},
    }
    thing = things(updatedAt="number")
    endpoint: Any = thing["endpoint"]
    endpoint["paginator"] = {"type": kind, "total_path": None, **numbered[kind]}
    if has_time:
        endpoint["incremental"] = {"cursor_path": "updatedAt", "start_param": "since"}
    rows = [{"id": str(n), "updatedAt": n} for n in range(6)]
    step = 1 if kind == "offset" else 2

    def answer(asked: Asked) -> Answer:
        place = (asked.integer("place") or 0) * step
        page = rows[place : place + 2]
        return Answer({"things": page}) if page else Answer(status=204)

    with scripted_api(serving({"/things": answer})) as api:
        assert read_list(api.url, "things", api=api_of(thing)) == rows
        rows.clear()
        with pytest.raises(exceptions.InvalidJSONError):
            read_list(api.url, "things", api=api_of(thing))


def test_text_is_read_as_json_has_it_whatever_the_content_type_says(
    project: Project, demo_api: DemoApi
) -> None:
    body = {"user": {"id": "usr_1", "username": "Zo\u00eb \N{PARTY POPPER}"}}
    headers = {"Content-Type": "text/plain; charset=latin-1"}
    text = json.dumps(body, ensure_ascii=False)
    demo_api.fail("user", "status", status=200, body=text, headers=headers)
    project.load_all("user")
    assert project.rows("user")[("usr_1",)]["username"] == body["user"]["username"]


def test_an_empty_or_null_list_is_a_list_without_rows(project: Project, demo_api: DemoApi) -> None:
    project.load_all("deployments")
    demo_api.fail("projects", "null_list")
    demo_api.fail("deployment_events", "null_body", times=None)
    result = project.load("projects", "deployment_events")
    assert result.success
    assert metadata(result, "projects")["dagster/row_count"] == 0
    assert metadata(result, "deployment_events")["dagster/row_count"] == 0


def test_a_cursor_of_zero_is_followed(tmp_path: Path) -> None:
    with running_demo_api("--max-limit", "4") as api:
        served = api.rows("projects")
        api.fail("projects", "zero_cursor")
        project = Project(tmp_path, api.url)
        project.load_all("projects")
        assert_equal(project.rows("projects"), served)


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("kind", ["no_pagination", "empty_pagination", "no_next"])
def test_without_a_cursor_there_is_one_page(project: Project, demo_api: DemoApi, kind: str) -> None:
    demo_api.fail("projects", kind, times=None)
    with demo_api.counted() as requests:
        project.load_all("projects")
    assert requests == {"projects": 1}
    assert_equal(project.rows("projects"), demo_api.rows("projects"))


def test_an_empty_page_with_a_cursor_goes_on(tmp_path: Path) -> None:
    with running_demo_api("--max-limit", "4") as api:
        api.fail("projects", "empty_page", after=1)
        project = Project(tmp_path, api.url)
        project.load_all("projects")
        assert_equal(project.rows("projects"), api.rows("projects"))


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(("kind", "requests"), [("same_cursor", 2), ("cycle", 3)])
@pytest.mark.parametrize("name", ["projects", "teams_member"])
def test_a_cursor_that_does_not_advance_is_an_error_after_one_repeated_page_at_most(
    tmp_path: Path, name: str, kind: str, requests: int
) -> None:
    with running_demo_api("--max-limit", "4", "--teams", "1", "--members", "14") as api:
        project = Project(tmp_path, api.url)
        project.load_all("teams")
        api.fail(name, kind)
        with api.counted() as counts:
            said = sentence(project, name)
        assert "the API's cursor did not advance" in said
        assert f"/{'members' if name == 'teams_member' else 'projects'} " in said
        assert counts == {name: requests}


def a_row(place: int, created: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"prj_{place:03d}", "name": f"n{place}", "createdAt": created, **fields}


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(("same_millisecond", "succeeds"), [(4, True), (9, False)])
def test_a_page_full_of_one_millisecond_ends_in_an_error_where_until_is_inclusive(
    tmp_path: Path, same_millisecond: int, succeeds: bool
) -> None:
    """Five rows fit on a page: four of one time are passed, nine cannot be."""
    with running_demo_api("--max-limit", "5", "--inclusive-until", "--projects", "0") as api:
        times = [1000] * same_millisecond + [2000 + place for place in range(7)]
        for place, created in enumerate(times):
            api.control("POST", "/rows/projects/add", **a_row(place, created))
        project = Project(tmp_path, api.url)
        if succeeds:
            project.load_all("projects")
            # Rows at the boundary of two pages came twice.
            count = project.query("select count(*) as n from analytics.projects")
            assert count == [{"n": len(times)}]
        else:
            with api.counted() as requests:
                assert "the API's cursor did not advance" in sentence(project, "projects")
            assert requests["projects"] <= 4


OLD, NEW = {"updatedAt": 5_000, "name": "old"}, {"updatedAt": 9_000, "name": "new"}


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("first_read", [OLD, NEW], ids=["old first", "new first"])
@pytest.mark.parametrize("distance", [1, 9], ids=["one page", "two pages"])
def test_the_newest_version_of_a_row_wins_wherever_it_came(
    tmp_path: Path, store: Store, first_read: dict[str, Any], distance: int
) -> None:
    with running_demo_api("--max-limit", "5", "--projects", "0") as api:
        last_read = OLD if first_read is NEW else NEW
        for place in range(12):
            api.control("POST", "/rows/projects/add", **a_row(place, 1_000 + place))
        # Lists are read newest first.
        twin = a_row(99, 1_500)
        api.control("POST", "/rows/projects/add", **{**twin, **first_read})
        twin["createdAt"] -= 1 if distance == 1 else 494
        api.control("POST", "/rows/projects/add", **{**twin, **last_read})
        project = Project(tmp_path, api.url, store=store)
        project.load_all("projects")
        rows = project.query("select name from analytics.projects where id = 'prj_099'")
        assert rows == [{"name": "new"}]


def test_of_rows_that_tell_no_time_the_one_read_last_wins(tmp_path: Path, store: Store) -> None:
    with running_demo_api("--deployments", "3") as api:
        for created, state in [(1_790_000_000_002, "BUILDING"), (1_790_000_000_001, "READY")]:
            row = {"uid": "dpl_twice", "created": created, "state": state}
            api.control("POST", "/rows/deployments/add", **row)
        project = Project(tmp_path, api.url, store=store)
        for _ in range(3):
            project.load_all("deployments")
            rows = project.query("select state from analytics.deployments where id = 'dpl_twice'")
            assert rows == [{"state": "READY"}]


def test_a_parent_deleted_since_its_list_is_counted_and_costs_its_siblings_nothing(
    project: Project, demo_api: DemoApi, capfd: pytest.CaptureFixture[str]
) -> None:
    project.load_all("teams")
    (gone,) = next(iter(demo_api.rows("teams")))
    demo_api.control("DELETE", f"/rows/teams?id={gone}")
    loaded = metadata(project.load("teams_member"), "teams_member")
    assert loaded["parents_gone"] == 1
    assert "Parents of teams_member that were deleted since their list: 1" in capfd.readouterr().err
    assert_equal(project.rows("teams_member"), demo_api.rows("teams_member"))


@pytest.mark.usefixtures("all_loaded")
def test_parents_whose_endpoint_is_gone_are_asked_for_again_when_it_is_back(
    project: Project, demo_api: DemoApi
) -> None:
    """Of new deployments each answers 404: they may be deleted, or a gateway is wrong."""
    demo_api.add_deployments(3, events=4)
    demo_api.fail("deployment_events", "status", status=404, times=None)
    result = project.load("deployments", "deployment_events")
    assert metadata(result, "deployment_events")["parents_pending"] == 3
    demo_api.heal()
    with demo_api.counted() as requests:
        project.load_all("deployment_events")
    assert requests == {"deployment_events": 3}
    assert_equal(project.rows("deployment_events"), demo_api.rows("deployment_events"))


@pytest.mark.usefixtures("all_loaded")
def test_when_all_parents_are_gone_the_child_stays_green(
    project: Project, demo_api: DemoApi
) -> None:
    before = project.rows("teams_member")
    teams = demo_api.rows("teams")
    for (team,) in teams:
        demo_api.control("DELETE", f"/rows/teams?id={team}")
    loaded = metadata(project.load("teams_member"), "teams_member")
    assert (loaded["parents_gone"], loaded["rows_no_longer_listed"]) == (len(teams), len(before))
    assert set(project.rows("teams_member")) == set(before)


def test_rows_that_the_latest_list_no_longer_contains_stay_and_are_counted(
    project: Project, demo_api: DemoApi
) -> None:
    assert metadata(project.load("aliases"), "aliases")["rows_no_longer_listed"] == 0
    stored = project.rows("aliases")
    for (alias,) in list(stored)[:3]:
        demo_api.control("DELETE", f"/rows/aliases?id={alias}")
    assert metadata(project.load("aliases"), "aliases")["rows_no_longer_listed"] == 3
    assert set(project.rows("aliases")) == set(stored)
