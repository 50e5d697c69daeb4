"""`reload_history` and windows: what is past is loaded again, and what comes next is not moved."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from dagster import ExecuteInProcessResult

from analytics_assets.configuration import ANALYTICS
from analytics_assets.definitions import build_definitions
from analytics_assets.source.limits import Limits
from harness.commands import run_cli
from harness.demo_api import DemoApi, settings_of
from harness.forked import MODULE
from harness.project import Project, assert_equal, sentence
from harness.reloads import WINDOW, as_window, created_within, reload_past, spoil_oldest

MONTH = "2026-05-01"
START, END = (
    int(datetime(2026, month, 1, tzinfo=timezone.utc).timestamp() * 1000) for month in (5, 6)
)
RELOADED = ("deployments", "deployment_events")


def of_window(window: dict[str, str]) -> dict[str, Any]:
    return {"ops": {name: {"config": window} for name in RELOADED}}


def reload_month(api: DemoApi) -> ExecuteInProcessResult:
    return reload_past(api.url, partition_key=MONTH)


def created_in_month(api: DemoApi) -> set[str]:
    return created_within(api, START, END)


def asked(api: DemoApi) -> set[str]:
    """The deployments whose events were asked for."""
    return {entry["path"].split("/")[3] for entry in api.log("deployment_events")}


def spoil_an_old_deployment(api: DemoApi) -> str:
    """Changes a deployment of the month that no look-back reaches, at the server."""
    return spoil_oldest(api, START, END)


@pytest.mark.usefixtures("all_loaded")
def test_a_month_is_asked_for_exactly_and_what_was_changed_in_it_arrives(
    project: Project, demo_api: DemoApi
) -> None:
    uid = spoil_an_old_deployment(demo_api)
    for operation in RELOADED:
        project.load_all(operation)
    assert project.rows("deployments")[(uid,)].get("late") is None, "beyond the look-back"
    demo_api.control("POST", "/requests/reset")
    assert reload_month(demo_api).success
    pages = [entry["query"] for entry in demo_api.log("deployments")]
    assert {page["since"] for page in pages} == {str(START - 1)}
    assert pages[0]["until"] == str(END)
    assert all(START < int(page["until"]) <= END for page in pages)
    assert asked(demo_api) == created_in_month(demo_api)
    assert len(asked(demo_api)) == len(demo_api.log("deployment_events"))
    assert project.rows("deployments")[(uid,)]["late"] == "yes"
    for name in RELOADED:
        assert_equal(project.rows(name), demo_api.rows(name))


def test_the_first_and_the_last_millisecond_of_a_month_belong_to_it(
    project: Project, demo_api: DemoApi
) -> None:
    for moment in (START - 1, START, END - 1, END):
        demo_api.control("POST", "/rows/deployments/add", uid=f"dpl_{moment}", created=moment)
    project.load_all("deployments", run_config={"ops": {"deployments": {"config": WINDOW}}})
    loaded = {uid for (uid,) in project.rows("deployments")}
    assert {f"dpl_{START}", f"dpl_{END - 1}"} <= loaded
    assert f"dpl_{END}" not in loaded
    assert {uid for uid in loaded if uid != f"dpl_{START - 1}"} == created_in_month(demo_api)


def requests_of_the_next_run(
    project: Project, api: DemoApi
) -> Counter[tuple[str, tuple[tuple[str, str], ...]]]:
    api.control("POST", "/requests/reset")
    project.load_all(*RELOADED)
    entries = [*api.log("deployments"), *api.log("deployment_events")]
    return Counter((entry["path"], tuple(sorted(entry["query"].items()))) for entry in entries)


@pytest.mark.long(reason="several loads each")
def test_the_next_run_asks_for_what_it_would_have_asked_for_without_the_reload(
    tmp_path: Path, demo_api: DemoApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two projects, one with a reload in between, with parents that were not asked for yet."""
    projects = {}
    for name in ("with", "without"):
        folder = tmp_path / name
        folder.mkdir()
        projects[name] = Project(folder, demo_api.url)

    def use(name: str) -> Project:
        file = str(tmp_path / name / "warehouse.duckdb")
        monkeypatch.setenv("DESTINATION__DUCKDB__CREDENTIALS", file)
        return projects[name]

    for name in projects:
        use(name).load_all(*RELOADED)
    pending = demo_api.add_deployments(2)
    for name in projects:
        use(name).load_all("deployments")
    changed = spoil_an_old_deployment(demo_api)
    use("with")
    assert reload_month(demo_api).success
    assert changed in asked(demo_api)
    assert projects["with"].rows("deployments")[(changed,)]["late"] == "yes"
    expected = requests_of_the_next_run(use("without"), demo_api)
    assert asked(demo_api) == set(pending)
    assert requests_of_the_next_run(use("with"), demo_api) == expected
    # The list, and the events of builds that have ended just now, which may still come.
    assert requests_of_the_next_run(use("with"), demo_api).total() == 1 + len(pending)
    assert asked(demo_api) == set(pending)
    for name in RELOADED:
        assert_equal(projects["with"].rows(name), demo_api.rows(name))


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_a_window_ahead_of_the_cursor_has_nothing_asked_for_twice(
    project: Project, demo_api: DemoApi
) -> None:
    """What is newer than the schedule's cursor must not make its look-back look new."""
    newest = max(row["created"] for row in demo_api.rows("deployments").values())
    late = newest + 5 * 24 * 3_600_000
    demo_api.control("POST", "/rows/deployments/add", uid="dpl_late", created=late)
    project.load_all(*RELOADED, run_config=of_window({"start": "2026-06-01", "end": "2026-07-01"}))
    assert ("dpl_late",) in project.rows("deployments")
    demo_api.control("POST", "/requests/reset")
    project.load_all(*RELOADED)
    assert asked(demo_api) == set()


@pytest.mark.usefixtures("all_loaded")
def test_a_reload_whose_events_fail_leaves_them_to_the_next_run(
    project: Project, demo_api: DemoApi
) -> None:
    changed = spoil_an_old_deployment(demo_api)
    demo_api.fail("deployment_events", "status", status=403, times=None, after=3)
    assert not reload_month(demo_api).success
    demo_api.heal()
    demo_api.control("POST", "/requests/reset")
    project.load_all(*RELOADED)
    assert asked(demo_api) == {changed}
    for name in RELOADED:
        assert_equal(project.rows(name), demo_api.rows(name))


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_a_month_of_many_parents_is_committed_in_batches(
    tmp_path: Path, project: Project, demo_api: DemoApi
) -> None:
    rows = demo_api.rows("deployments")
    some = sorted(row["created"] for (uid,), row in rows.items())[50:70]
    window = {
        side: datetime.fromtimestamp(moment / 1000, timezone.utc).isoformat()
        for side, moment in zip(("start", "end"), (some[0], some[-1] + 1), strict=True)
    }
    spoiled = demo_api.rows("deployments")
    uid = next(uid for (uid,), row in spoiled.items() if row["created"] == some[0])
    demo_api.control("POST", f"/rows/deployments?id={uid}", set={"late": "yes"})
    demo_api.control("POST", "/requests/reset")
    in_batches = Project(tmp_path, demo_api.url, limits=Limits(parents_per_load=7))
    in_batches.load_all(*RELOADED, run_config=of_window(window))
    expected = {uid for (uid,), row in rows.items() if some[0] <= row["created"] <= some[-1]}
    assert asked(demo_api) == expected
    assert len(demo_api.log("deployment_events")) == len(expected), "each once"
    with demo_api.counted() as requests:
        project.load_all("deployment_events")
    assert requests == {}


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"start": "2026-05-01"}, "A window to load again has a `start` and an `end`: give both."),
        ({"start": "May", "end": "2026-06-01"}, "'May' is no ISO date: write it like 2026-05-31."),
        (
            {"start": "2026-06-01", "end": "2026-06-01"},
            "A window begins before it ends: 2026-06-01 is not before 2026-06-01.",
        ),
    ],
)
def test_a_wrong_window_is_refused_in_one_sentence(
    project: Project, window: dict[str, str], words: str
) -> None:
    run_config = {"ops": {"deployments": {"config": window}}}
    assert sentence(project, "deployments", run_config=run_config) == words


def test_a_resource_without_history_takes_no_window() -> None:
    job = build_definitions(ANALYTICS).resolve_implicit_global_asset_job_def()
    ops: Any = job.run_config_schema.config_type.fields["ops"].config_type.fields  # type: ignore[attr-defined]
    configs = {name: op.config_type.fields["config"].config_type for name, op in ops.items()}
    takers = {name for name, config in configs.items() if "start" in getattr(config, "fields", {})}
    assert takers == set(RELOADED)


@pytest.mark.long(reason="commands in processes of their own")
def test_a_window_is_loaded_again_from_the_command_line(tmp_path: Path, demo_api: DemoApi) -> None:
    config = tmp_path / "window.yaml"
    config.write_text(json.dumps(as_window(**WINDOW)))
    job = ["job", "execute", "-m", MODULE, "-j", "reload_history", "--config", str(config)]
    run = run_cli(*job, api=demo_api)
    assert run.returncode == 0, run.stderr
    assert asked(demo_api) == created_in_month(demo_api)
    assert settings_of(demo_api)["ACCESS_TOKEN"] not in run.stderr
    assert run.stdout.count("requests") == 1, "one table of what was loaded"
