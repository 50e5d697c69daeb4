"""A warehouse that an earlier version has loaded goes on.

That version wrote all rows of a full list anew with each load, and marked none that were gone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from analytics_assets.source.columns import DELETED_AT, LOAD_ID
from harness.commands import MATERIALIZE, run_cli
from harness.demo_api import RESOURCES, DemoApi, Key, running_demo_api
from harness.earlier import EarlierVersion, leave_behind, without_marks
from harness.forked import MODULE
from harness.project import Project, assert_equal, stored_rows
from harness.reloads import WINDOW, spoil_oldest
from harness.stores import DuckDbFile, PostgresDatabase, Row, Store

FIRST_BATCH = 500
"""Parents whose rows the earlier version commits together at first."""
WORLD = (
    *("--projects", "8", "--teams", "3", "--members", "4", "--variables", "3"),
    *("--deployments", "560", "--events", "2", "--aliases", "60"),
)
DELETED = {"projects": 2, "teams": 1, "aliases": 40}
"""Rows that are deleted upstream; of aliases most of them."""
FULL_LISTS = ("projects", "environments", "teams", "teams_member", "aliases")
EVENTS = 'key:"analytics/deployment_events"'
ENVIRONMENTS = 'key:"analytics/environments"'
MAY = 1_777_593_600_000, 1_780_272_000_000


class Grown(NamedTuple):
    """A warehouse of the earlier version, the API that it was loaded from, and that version."""

    api: DemoApi
    earlier: EarlierVersion
    store: Store


@pytest.fixture(params=["duckdb", "postgres"])
def grown(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Grown]:
    """Loaded twice, with rows deleted in between, a fan-out killed half way, a window reloaded."""
    folder = tmp_path_factory.mktemp("grown")
    earlier = EarlierVersion.into(folder)
    store: Store = DuckDbFile.in_folder(folder)
    if request.param == "postgres":
        store = PostgresDatabase.on(request.getfixturevalue("postgres"))
    with running_demo_api(*WORLD) as api:
        earlier.materialize(f"* and not {EVENTS}", api, store.settings)
        begin_a_fan_out(earlier, api, store)
        for name, count in DELETED.items():
            delete_upstream(api, name, count)
        earlier.materialize(f"* and not {EVENTS}", api, store.settings)
        reload_a_window(earlier, api, store, folder / "window.json")
        yield Grown(api, earlier, store)
    store.drop()


def begin_a_fan_out(earlier: EarlierVersion, api: DemoApi, store: Store) -> None:
    """Lets a run be killed that has committed its first batch and waits for rows of the second."""
    api.fail("deployment_events", "hang", after=FIRST_BATCH + 10, times=None)
    earlier.kill_once(
        lambda: len(api.log("deployment_events")) > FIRST_BATCH + 10, EVENTS, api, store.settings
    )
    api.heal()


def reload_a_window(earlier: EarlierVersion, api: DemoApi, store: Store, file: Path) -> None:
    """Loads a month again in which a deployment was changed."""
    spoil_oldest(api, *MAY)
    window = {name: {"config": WINDOW} for name in ("deployments", "deployment_events")}
    file.write_text(json.dumps({"ops": window}))
    command = ("job", "execute", "-m", MODULE, "-j", "reload_history", "--config", str(file))
    earlier.run(*command, api=api, settings=store.settings)


def delete_upstream(api: DemoApi, name: str, count: int) -> set[Key]:
    """Deletes the first rows of a list; returns their keys."""
    gone = list(api.rows(name))[:count]
    for (own,) in gone:
        api.control("DELETE", f"/rows/{name}?id={own}")
    return set(gone)


def run(grown: Grown, store: Store, selection: str) -> None:
    result = run_cli(*MATERIALIZE, selection, api=grown.api, settings=store.settings)
    assert result.returncode == 0, result.stdout[-5000:] + result.stderr[-5000:]


def asked(api: DemoApi) -> Counter[tuple[str, str]]:
    """The requests since the last time that this was asked, by path and parameters."""
    log = api.control("GET", "/requests")["log"]
    api.control("POST", "/requests/reset")
    return Counter((each["path"], json.dumps(each["query"], sort_keys=True)) for each in log)


def loads_of_rows(store: Store) -> dict[str, dict[Key, str]]:
    """The load of each row, by resource and key."""
    return {
        name: {key: row[LOAD_ID] for key, row in stored_rows(store, name).items()}
        for name in RESOURCES
    }


def recorded_loads(store: Store) -> list[Row]:
    return store.query("SELECT load_id, schema_name FROM analytics._dlt_loads ORDER BY 1, 2")


def no_longer_listed(store: Store, name: str) -> set[Key]:
    """The rows that the last listing of the earlier version lacked."""
    newest = max(row["load_id"] for row in recorded_loads(store) if row["schema_name"] == name)
    return {key for key, row in stored_rows(store, name).items() if row[LOAD_ID] < newest}


def marked(store: Store, name: str) -> set[Key]:
    return {key for key, row in stored_rows(store, name).items() if DELETED_AT in row}


@pytest.mark.long(reason="the commands of two versions one after the other")
def test_the_next_run_asks_for_what_the_earlier_version_would_have_asked_for(
    grown: Grown, tmp_path: Path
) -> None:
    api, earlier, store = grown
    before = loads_of_rows(store)
    unlisted = {name: no_longer_listed(store, name) for name in FULL_LISTS}
    assert {name: len(unlisted[name]) for name in DELETED} == DELETED
    copies = [tmp_path / name for name in ("other", "alone")]
    for folder in copies:
        folder.mkdir()
    other, alone = map(store.copy, copies)
    asked(api)
    earlier.materialize("*", api, other.settings)
    asked_by_earlier = asked(api)

    run(grown, store, "*")
    assert asked(api) == asked_by_earlier
    assert 0 < sum("/events" in path for path, _ in asked_by_earlier) < 60, (
        "the rest of the fan-out"
    )
    for name in RESOURCES:
        stored, served = stored_rows(store, name), api.rows(name)
        assert marked(store, name) == stored.keys() - served.keys() == unlisted.get(name, set())
        assert_equal({key: stored[key] for key in served}, served)
    after, recorded = loads_of_rows(store), recorded_loads(store)
    for name in ("deployments", "aliases", "environments", "teams_member", "user", "auth_tokens"):
        rewritten = {key for key, load_id in before[name].items() if after[name][key] != load_id}
        assert rewritten == unlisted.get(name, set()), name
    run(grown, store, "*")
    assert (loads_of_rows(store), recorded_loads(store)) == (after, recorded)

    asked(api)
    run(grown, alone, ENVIRONMENTS)
    projects = {parent for parent, _ in before["environments"].keys() - unlisted["environments"]}
    assert {path.split("/")[3] for path, _ in asked(api)} == projects
    assert marked(alone, "environments") == unlisted["environments"]


@pytest.fixture
def as_before(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables as the earlier version has left them, which had no column for marks."""
    with without_marks(monkeypatch):
        project.load_all("projects", "environments", "aliases", "auth_tokens")


@pytest.mark.usefixtures("as_before")
def test_what_an_earlier_version_found_gone_is_marked_however_much_it_is(
    project: Project, demo_api: DemoApi
) -> None:
    store = DuckDbFile(project.file)
    aliases = delete_upstream(demo_api, "aliases", 40)
    projects = delete_upstream(demo_api, "projects", 1)
    leave_behind(store, "aliases", "id", aliases)
    leave_behind(store, "projects", "id", projects)
    leave_behind(store, "environments", "_projects_id", projects)
    with demo_api.counted() as requests:
        project.load_all("environments")
    assert requests == {"environments": len(demo_api.rows("projects"))}, "of those listed alone"
    project.load_all("projects", "aliases", "auth_tokens")
    assert marked(store, "aliases") == aliases
    assert marked(store, "projects") == projects
    environments = project.rows("environments").keys()
    assert marked(store, "environments") == {k for k in environments if k[:1] in projects}
    recorded = recorded_loads(store)
    project.load_all("projects", "environments", "aliases", "auth_tokens")
    assert recorded_loads(store) == recorded, "what has not changed is not written"


@pytest.mark.usefixtures("as_before")
def test_a_list_that_is_much_shorter_than_an_earlier_version_left_it_is_an_error(
    project: Project, demo_api: DemoApi
) -> None:
    delete_upstream(demo_api, "aliases", 40)
    assert not project.load("aliases").success
    assert not marked(DuckDbFile(project.file), "aliases")
