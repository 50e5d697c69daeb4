"""The README is true: its queries run, its table and its settings are the code's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from analytics_assets import configuration
from analytics_assets.automation import switch
from analytics_assets.checks.factory import DESCRIPTIONS
from analytics_assets.configuration import ANALYTICS, validate
from analytics_assets.configuration.analytics import HOURLY
from analytics_assets.configuration.lineage import (
    endpoint_of,
    key_columns,
    parent_name,
    resource_named,
)
from analytics_assets.definitions import build_definitions
from analytics_assets.resources import alert_webhook, api, warehouse
from analytics_assets_tests.demo_api.server import REPOSITORY
from analytics_assets_tests.support import Project
from analytics_assets_tests.test_history import WINDOW, of_window

MATERIALIZE = ".venv/bin/dagster asset materialize -m analytics_assets.definitions --select"
README = (REPOSITORY / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def rows_of_table(header: str) -> list[list[str]]:
    table = README.partition(f"| {header} |")[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


@pytest.mark.long
def test_every_query_answers_rows(project: Project) -> None:
    project.load_all()
    queries = blocks("sql")
    assert len(queries) == 3
    for query in queries:
        assert project.query(query), query


def test_the_table_of_resources_is_the_configuration() -> None:
    told = {
        name.strip("`"): (re.sub(r"\{.*?\}", "{id}", path).strip("`"), keys, parent.strip("`"))
        for name, path, keys, _, parent in rows_of_table("table")
    }
    assert told == {
        str(resource["name"]): (
            re.sub(r"\{.*?\}", "{id}", str(endpoint_of(resource)["path"])),
            ", ".join(f"`{column}`" for column in key_columns(ANALYTICS, resource)),
            parent_name(resource) or "",
        )
        for resource in ANALYTICS["resources"]
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
        "DESTINATION__DUCKDB__CREDENTIALS",
        "DESTINATION__<NAME>__CREDENTIALS",
    }


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
        f"{MATERIALIZE} '*'": "test_any_selection_loads",
        f"{MATERIALIZE} '+analytics/deployment_events'": "test_any_selection_loads",
        ".venv/bin/dagster-webserver --workspace workspace.yaml --host 127.0.0.1 --port 3000": (
            "test_the_ui_shows_nine_assets_with_three_edges"
        ),
        ".venv/bin/dagster-daemon run --workspace workspace.yaml": (
            "test_the_ui_shows_nine_assets_with_three_edges"
        ),
        ".venv/bin/dagster job execute -m analytics_assets.definitions -j reload_history "
        "--config window.yaml": "test_a_window_is_loaded_again_from_the_command_line",
    }
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for command in "".join(blocks("sh")).splitlines():
        assert command in ci or f"def {run_by_tests[command]}" in tests, command


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
        "job `reload_history`",
    }
    loaded = {
        row[0].split("`")[1]: set(re.findall(r"`(\w+)`", row[2])) for row in rows_of_table("what")
    }
    for name in {str(resource["name"]) for resource in ANALYTICS["resources"]}:
        assert name in loaded[resource_named(ANALYTICS, name)["cadence"]["name"]]


def test_the_table_of_checks_names_each_check() -> None:
    assert {row[0].strip("`") for row in rows_of_table("check")} == set(DESCRIPTIONS)


def test_the_services_start_the_commands_that_are_tested() -> None:
    commands = "".join(blocks("sh"))
    started = re.findall(r"ExecStart=/srv/analytics_assets/(.*)", "".join(blocks("ini")))
    assert len(started) == 2
    assert all(command in commands for command in started)


def test_the_window_in_the_readme_is_the_one_that_is_tested() -> None:
    (window,) = blocks("yaml")
    assert yaml.safe_load(window) == of_window(WINDOW)


def test_the_configuration_module_is_where_the_readme_says() -> None:
    for path in re.findall(r"\]\((analytics_assets/[^)]+)\)", README):
        assert (REPOSITORY / path).exists(), path
    assert configuration.__file__


def test_each_promise_names_a_test_that_exists() -> None:
    promises = (REPOSITORY / "docs" / "reliability.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", promises))
    tests = "".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py"))
    assert named
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []
    rows = [line for line in promises.splitlines() if line.startswith("| ")]
    assert all("`test_" in row for row in rows if not row.startswith("| fault"))
