"""The documents are true: their queries and commands run, their tables are the code's."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from dlt.sources.rest_api.typing import EndpointResource

from analytics_assets.automation import switch
from analytics_assets.checks.factory import DESCRIPTIONS
from analytics_assets.configuration import ANALYTICS, ApiConfig, ResourceConfig, validate
from analytics_assets.configuration.analytics import HOURLY
from analytics_assets.definitions import build_definitions
from analytics_assets.execution import executor
from analytics_assets.resources import Warehouse, alert_webhook, api, warehouse
from harness import bookshop_definitions
from harness.cluster import MAKE_TABLES
from harness.commands import MATERIALIZE as MATERIALIZE_CLI
from harness.commands import run_cli
from harness.configurations import ANALYTICS_API
from harness.demo_api import DemoApi, running_demo_api
from harness.processes import REPOSITORY
from harness.project import Project
from harness.reloads import WINDOW, as_window
from harness.rules import LONG
from harness.stores import PostgresDatabase, Row

MATERIALIZE = ".venv/bin/dagster asset materialize -m analytics_assets.definitions --select"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def rows_of_table(header: str) -> list[list[str]]:
    table = TEXT.partition(f"| {header} |")[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


def test_every_query_answers_the_same_rows_on_duckdb_and_postgresql(
    tmp_path: Path, database: PostgresDatabase
) -> None:
    with running_demo_api("--anchor", datetime.now(timezone.utc).isoformat()) as api:
        # Someone who never deployed anything.
        ((team,), *_) = api.rows("teams")
        idle = {"uid": "idle", "username": "idle", "createdAt": 1_780_000_000_000}
        api.control("POST", f"/rows/teams_member/add?parent={team}", **idle)
        on_a_server = Project(tmp_path, api.url, store=database)
        in_a_file = Project(tmp_path, api.url, warehouse=Warehouse(destination="duckdb"))
        on_a_server.load_all()
        in_a_file.load_all()
    queries = blocks("sql")
    assert len(queries) == 9
    for query in queries:
        rows = comparable(in_a_file.query(query))
        assert rows, query
        assert comparable(on_a_server.query(query)) == rows, query
    (without_project,) = [query for query in queries if "Members without a project" in query]
    assert [row["username"] for row in in_a_file.query(without_project)] == ["idle"]


def comparable(rows: Iterable[Row]) -> list[dict[str, str]]:
    """Rows in an order of their own: each sorts text as it likes, and numbers have other types."""
    numbers = (int, float, Decimal)
    texts = [
        {name: str(float(v) if isinstance(v, numbers) else v) for name, v in row.items()}
        for row in rows
    ]
    return sorted(texts, key=lambda row: sorted(row.items()))


def test_the_table_of_resources_is_the_configuration() -> None:
    told = {
        name.strip("`"): (re.sub(r"\{.*?\}", "{id}", path).strip("`"), keys, parent.strip("`"))
        for name, path, keys, _, parent in rows_of_table("table")
    }
    assert told == {
        name: (
            re.sub(r"\{.*?\}", "{id}", resource.path),
            ", ".join(f"`{column}`" for column in resource.key),
            resource.parent.resource.name if resource.parent else "",
        )
        for name, resource in ANALYTICS_API.resources.items()
    }


def test_the_table_of_settings_names_each_setting() -> None:
    told = {row[0].strip("`") for row in rows_of_table("setting")}
    assert told == {
        api.BASE_URL,
        api.ACCESS_TOKEN,
        api.ALLOW_PLAIN_HTTP,
        api.TEAM_ID,
        api.START_DATE,
        switch.AUTOMATION,
        alert_webhook.ALERT_WEBHOOK,
        alert_webhook.DAGSTER_URL,
        warehouse.DESTINATION,
        executor.EXECUTOR,
        "DESTINATION__DUCKDB__CREDENTIALS",
        "DESTINATION__FILESYSTEM__BUCKET_URL",
        "DESTINATION__<NAME>__CREDENTIALS",
    }


def test_the_words_of_the_configuration_are_all_there() -> None:
    own = set(ResourceConfig.__annotations__) - set(EndpointResource.__annotations__)
    assert {row[0].strip("`") for row in rows_of_table("word")} == own
    assert {row[0].strip("`") for row in rows_of_table("top-level key")} == set(
        ApiConfig.__annotations__
    )


def test_the_definitions_of_another_api_are_those_that_are_tested() -> None:
    (example,) = blocks("py")
    tested = Path(bookshop_definitions.__file__).read_text()
    assert all(line in tested for line in example.splitlines())


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_anchor_is_a_heading() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", page.read_text()):
            linked = (page.parent / target).read_text() if target else page.read_text()
            headings = re.findall(r"^#+ (.*)$", linked, flags=re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}


@pytest.mark.long(reason="several loads each")
def test_the_records_of_dagster_can_be_migrated_and_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, demo_api: DemoApi
) -> None:
    """With an empty DAGSTER_HOME, too, the next run goes on from what the warehouse holds."""

    def run_in(home: str, *command: str) -> str:
        folder = tmp_path / home
        folder.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / "deploy" / "dagster.yaml", folder)
        monkeypatch.setenv("DAGSTER_HOME", str(folder))
        run = run_cli(*command, api=demo_api, timeout=120)
        assert run.returncode == 0, run.stderr
        return run.stdout

    load = [*MATERIALIZE_CLI, "analytics/deployments"]
    run_in("old", *load)
    run_in("old", "instance", "migrate")
    for home in ("old", "new"):
        told = run_in(home, *load)
        count = len(demo_api.rows("deployments"))
        assert re.search(rf"deployments +{count} +0 +0 ", told), "nothing is loaded twice"


def test_the_example_of_an_endpoint_is_a_valid_one() -> None:
    (example,) = blocks("python")
    resource: Any = eval(example, {"HOURLY": HOURLY})  # noqa: S307 - the README's own text
    resources: Any = [*ANALYTICS["resources"], resource]
    validate({**ANALYTICS, "resources": resources})


def test_every_command_is_run_by_a_test_or_by_ci() -> None:
    """The commands below are run with these very arguments, each where it says."""
    ci = (REPOSITORY / ".ci" / "run").read_text()
    run_by_tests = {
        "cp .env.example .env": "test_the_example_of_settings_is_read",
        "make dev": "test_the_ui_shows_nine_assets_with_three_edges",
        ".venv/bin/python -m analytics_assets.move data/warehouse.duckdb": (
            "test_a_moved_warehouse_is_the_same_and_its_next_run_incremental"
        ),
        ".venv/bin/dagster instance migrate": "test_the_records_of_dagster_can_be_migrated",
        f"{MATERIALIZE} '*'": "test_any_selection_loads",
        f"{MATERIALIZE} '+analytics/deployment_events'": "test_any_selection_loads",
        ".venv/bin/dagster-webserver --workspace workspace.yaml --host 127.0.0.1 --port 3000": (
            "test_webserver_and_daemon_of_production_do_the_same"
        ),
        ".venv/bin/dagster-daemon run --workspace workspace.yaml": (
            "test_webserver_and_daemon_of_production_do_the_same"
        ),
        ".venv/bin/dagster job execute -m analytics_assets.definitions -j accept_findings": (
            "test_the_command_accepts_and_the_next_run_is_green"
        ),
        ".venv/bin/dagster job execute -m analytics_assets.definitions -j reload_history "
        "--config window.yaml": "test_a_window_is_loaded_again_from_the_command_line",
    }
    tests = text_of_all_tests()
    for command in "".join(blocks("sh")).splitlines():
        assert command in ci or f"def {run_by_tests[command]}" in tests, command


def text_of_all_tests() -> str:
    tests = (REPOSITORY / "analytics_assets_tests").rglob("test_*.py")
    return "".join(path.read_text() for path in tests)


def test_a_cluster_is_started_as_the_tests_start_theirs() -> None:
    start = f"honcho run {MAKE_TABLES}\nhoncho -f deploy/cluster/Procfile start\n"
    assert start in TEXT


def test_the_table_of_triggers_is_the_definitions() -> None:
    repository = build_definitions(ANALYTICS).get_repository_def()
    told = {row[0] for row in rows_of_table("what")}
    assert told == {
        *(f"schedule `{schedule.name}`" for schedule in repository.schedule_defs),
        *(
            f"sensor `{sensor.name}`"
            for sensor in repository.sensor_defs
            if sensor.name != "alerts"
        ),
        *(f"job `{name}`" for name in repository.job_names if name.startswith("reload_")),
    }
    loaded = {
        row[0].split("`")[1]: set(re.findall(r"`(\w+)`", row[2])) for row in rows_of_table("what")
    }
    for name, resource in ANALYTICS_API.resources.items():
        assert name in loaded[resource.cadence["name"]]


def test_the_table_of_checks_names_each_check() -> None:
    assert {row[0].strip("`") for row in rows_of_table("check")} == set(DESCRIPTIONS)


def test_the_services_start_the_commands_that_are_tested() -> None:
    commands = "".join(blocks("sh"))
    started = re.findall(r"ExecStart=/srv/analytics_assets/(.*)", "".join(blocks("ini")))
    assert len(started) == 2
    assert all(command in commands for command in started)


def test_the_window_in_the_readme_is_the_one_that_is_tested() -> None:
    (window,) = blocks("yaml")
    assert yaml.safe_load(window) == as_window(**WINDOW)


PROMISES = REPOSITORY / "docs" / "reliability.md"
ELSEWHERE = ("A server or files as destination", "A cluster")
"""Its sections on what needs more than DuckDB."""


def promises(*without: str) -> Iterator[list[str]]:
    """The tests that each line of the promises names."""
    section = ""
    for line in PROMISES.read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith("| fault") and section not in without:
            yield re.findall(r"`(test_\w+)`", line)


def test_each_promise_names_a_test_that_exists() -> None:
    tests = text_of_all_tests()
    assert all(promises())
    named = sorted({name for names in promises() for name in names})
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_each_promise_on_duckdb_is_held_by_a_short_test(request: pytest.FixtureRequest) -> None:
    config = request.config
    if config.args != config.getini("testpaths") or config.option.keyword:
        pytest.skip("only a run of all tests knows which are short")
    short = {
        item.name.partition("[")[0]
        for item in request.session.items
        if not item.get_closest_marker(LONG)
    }
    assert [names for names in promises(*ELSEWHERE) if not short & set(names)] == []
