"""A walk along the cursor meets every row once, newest first."""

import pytest

from analytics_assets_tests.demo_api.conftest import StartDemo
from harness.demo_server import ANCHOR, LISTS, DemoServer, Row

CREATED = {"deployments": "created"}
KEYS = {"deployments": "uid", "aliases": "uid", "teams_member": "uid"}


def created(operation: str, rows: list[Row]) -> list[int]:
    return [row[CREATED.get(operation, "createdAt")] for row in rows]


@pytest.mark.parametrize("max_limit", [1, 2, 100])
@pytest.mark.parametrize("operation", LISTS)
def test_each_row_comes_once_newest_first(demo: DemoServer, operation: str, max_limit: int) -> None:
    parents = demo.parents(operation)
    everything = {parent: demo.rows(operation, parent, limit=100) for parent in parents}
    demo.control("POST", "settings", {"max_limit": max_limit})
    for parent in parents:
        rows = demo.rows(operation, parent, limit=100)
        assert rows == everything[parent]
        times = created(operation, rows)
        assert times == sorted(times, reverse=True)
        assert len({row[KEYS.get(operation, "id")] for row in rows}) == len(rows)


def test_a_page_tells_its_size_and_its_neighbours(demo: DemoServer) -> None:
    first, second = list(demo.pages("/v5/user/tokens", limit=3))
    assert first["pagination"] == {
        "count": 3,
        "next": first["tokens"][-1]["createdAt"],
        "prev": first["tokens"][0]["createdAt"],
    }
    assert second["pagination"]["count"] == 2
    team = demo.parents("teams_member")[0]
    members = list(demo.pages(f"/v2/teams/{team}/members", limit=5))
    assert [page["pagination"]["hasNext"] for page in members] == [True, False]


@pytest.mark.parametrize(("limit", "rows"), [(None, 20), (7, 7), (100, 100), (5000, 100)])
def test_a_page_has_at_most_100_rows(demo: DemoServer, limit: int | None, rows: int) -> None:
    params = {} if limit is None else {"limit": limit}
    assert len(demo.get("/v6/deployments", **params).json()["deployments"]) == rows


def test_environments_are_on_one_page_whatever_the_limit(start_demo: StartDemo) -> None:
    demo = start_demo("--anchor", ANCHOR, "--variables", "130", "--projects", "1")
    (project,) = demo.parents("environments")
    body = demo.get(f"/v9/projects/{project}/env", limit=5).json()
    assert body["pagination"]["count"] == len(body["envs"]) == 130
    assert body["pagination"]["next"] is None


@pytest.mark.parametrize("operation", ["projects", "deployments", "auth_tokens", "aliases"])
def test_since_and_until_are_exclusive(demo: DemoServer, operation: str) -> None:
    rows = demo.rows(operation, limit=100)
    times = created(operation, rows)
    between = demo.rows(operation, limit=2, since=times[4], until=times[0])
    assert between == rows[1:4]


def test_an_inclusive_until_repeats_the_boundary_row(start_demo: StartDemo) -> None:
    demo = start_demo("--inclusive-until", "--anchor", ANCHOR)
    first, second = list(demo.pages("/v5/user/tokens", limit=3))
    assert second["tokens"][0] == first["tokens"][-1]


def test_a_page_full_of_one_millisecond_never_advances_when_until_is_inclusive(
    start_demo: StartDemo,
) -> None:
    demo = start_demo("--inclusive-until", "--anchor", ANCHOR)
    for index in range(3):
        row = {"id": f"tok_{index}", "createdAt": 1_999_999_999_999}
        demo.control("POST", "rows/auth_tokens/add", row)
    pages = demo.pages("/v5/user/tokens", limit=2)
    assert next(pages)["pagination"]["next"] == next(pages)["pagination"]["next"]


def test_rows_of_one_millisecond_are_not_lost(start_demo: StartDemo) -> None:
    demo = start_demo("--anchor", ANCHOR, "--tokens", "0")
    for index in range(5):
        demo.control("POST", "rows/auth_tokens/add", {"id": f"tok_{index}", "createdAt": 1000})
    assert len(demo.rows("auth_tokens", limit=2)) == 5


def test_rows_of_one_millisecond_keep_it_if_they_are_to(start_demo: StartDemo) -> None:
    demo = start_demo("--keep-times", "--anchor", ANCHOR, "--tokens", "0")
    for index in range(5):
        demo.control("POST", "rows/auth_tokens/add", {"id": f"tok_{index}", "createdAt": 1000})
    # Those behind the border of the page are lost to who follows the cursor.
    assert len(demo.rows("auth_tokens", limit=2)) == 2
    assert len(demo.rows("auth_tokens", limit=2, until=1001)) == 2
    assert len(demo.control("GET", "rows/auth_tokens")) == 5


def test_a_project_that_is_touched_between_two_pages_is_on_neither(start_demo: StartDemo) -> None:
    demo = start_demo("--projects-by-change", "--anchor", ANCHOR, "--projects", "5")
    rows = demo.rows("projects", limit=100)
    changed = [row["updatedAt"] for row in rows]
    assert changed == sorted(changed, reverse=True)
    order = {"operation": "projects", "kind": "touch", "row": rows[3]["id"], "after": 1}
    demo.control("POST", "faults", order)
    read = {row["id"] for row in demo.rows("projects", limit=2)}
    assert read == {row["id"] for row in rows} - {rows[3]["id"]}
    assert demo.rows("projects", limit=100)[0] == rows[3] | {"updatedAt": changed[0] + 1}
