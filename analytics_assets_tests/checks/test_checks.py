"""Each asset check passes on what was loaded, and fails on what was made wrong on purpose."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity

from analytics_assets.checks import build_checks
from harness.configurations import ANALYTICS_API
from harness.demo_api import RESOURCES, DemoApi
from harness.project import FirstLoad, Project, failures

ERROR, WARN = AssetCheckSeverity.ERROR, AssetCheckSeverity.WARN


@pytest.fixture
def stored(all_loaded: FirstLoad) -> Project:
    """The loaded warehouse, which a test may spoil, with Dagster's records of its load."""
    return all_loaded.project


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("name", RESOURCES)
def test_all_checks_pass_on_what_was_loaded(stored: Project, name: str) -> None:
    found = stored.check(name)
    assert {check: result.description for check, result in found.items() if not result.passed} == {}
    resource = ANALYTICS_API.resources[name]
    assert set(found) == {
        "key_is_unique",
        "keys_are_distinct",
        "columns_are_declared",
        "secrets_are_decided",
        "rows_did_not_fall",
        *(["parents_exist", "parents_answered"] if resource.parent else []),
        *(["times_are_plausible"] if resource.times else []),
        *(["rows_no_longer_listed"] if resource.is_listed_in_full else []),
    }


def test_each_asset_has_its_checks_in_a_step_of_its_own() -> None:
    assert [step.op.name for step in build_checks(ANALYTICS_API)] == [
        f"{name}_checks" for name in ANALYTICS_API.resources
    ]


def spoil(folder: Path, *statements: str) -> None:
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def shown(found: AssetCheckEvaluation) -> str:
    """What a check's metadata shows as tables."""
    tables: list[Any] = [v for key, v in found.metadata.items() if key.startswith("sample_of_")]
    return str([record.data for table in tables for record in table.records])


DAY = 86_400_000
NEXT_WEEK = int(time.time() * 1000) + 7 * DAY

SPOILED = [
    ("teams", "key_is_unique", ERROR, ["insert into {} select * from {} limit 1"], "1 key of"),
    (
        "teams",
        "key_is_unique",
        ERROR,
        [
            "alter table {} alter column id drop not null",
            "update {} set id = null where id = '{id}'",
        ],
        "1 key of",
    ),
    ("teams", "key_is_unique", ERROR, ["update {} set id = '' where id = '{id}'"], "1 key of"),
    (
        "teams_member",
        "key_is_unique",
        ERROR,
        ["insert into {} select * from {} where id = '{id}' and _teams_id = '{parent}'"],
        "1 key of",
    ),
    (
        "environments",
        "parents_exist",
        ERROR,
        ["delete from analytics.projects where id = '{parent}'"],
        "of environments without a row of projects",
    ),
    (
        "environments",
        "parents_exist",
        WARN,
        ["update analytics.projects set _deleted_at = 1767225600000 where id = '{parent}'"],
        "of environments whose projects the API no longer lists",
    ),
    (
        "deployment_events",
        "parents_exist",
        ERROR,
        ["delete from analytics.deployments where id = '{parent}'"],
        "without a row of deployments",
    ),
    (
        "auth_tokens",
        "columns_are_declared",
        WARN,
        ['alter table {} add column "newField" text'],
        "new: newField",
    ),
    (
        "auth_tokens",
        "columns_are_declared",
        WARN,
        ['alter table {} add column "expiresAt__v_text" text'],
        "of another type: expiresAt__v_text",
    ),
    (
        "auth_tokens",
        "columns_are_declared",
        WARN,
        ['alter table {} drop column "origin"'],
        "missing: origin",
    ),
    (
        "aliases",
        "times_are_plausible",
        WARN,
        ["update {} set \"createdAt\" = 1262303999999 where id = '{id}'"],
        "1 row of aliases with a createdAt that is missing, before 2010 or after tomorrow",
    ),
    (
        "deployment_events",
        "times_are_plausible",
        WARN,
        ["update {} set created = {week} where id = '{id}' and _deployments_id = '{parent}'"],
        "1 row of",
    ),
    (
        "deployments",
        "times_are_plausible",
        WARN,
        ["update {} set \"createdAt\" = null where id = '{id}'"],
        "1 row of",
    ),
    (
        "deployments",
        "rows_did_not_fall",
        ERROR,
        ["delete from {} where id = '{id}'"],
        "something else than this project deletes rows",
    ),
]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize(
    ("name", "check", "severity", "statements", "words"),
    SPOILED,
    ids=[f"{case[0]} {case[1]} {case[4][:30]}" for case in SPOILED],
)
def test_a_check_fails_on_what_was_made_wrong_and_shows_it(
    stored: Project,
    tmp_path: Path,
    name: str,
    check: str,
    severity: AssetCheckSeverity,
    statements: list[str],
    words: str,
) -> None:
    *parent, own = min(stored.rows(name))
    names = {"id": own, "parent": parent[0] if parent else "", "week": NEXT_WEEK}
    table = f"analytics.{name}"
    spoil(tmp_path, *(text.replace("{}", table).format(**names) for text in statements))
    found = stored.check(name, check)
    assert set(found) == {check}, "one check alone"
    assert not found[check].passed
    assert found[check].severity == severity
    assert words in str(found[check].description)
    if check == "times_are_plausible":
        assert own in shown(found[check])
    if check == "parents_exist":
        assert parent[0] in shown(found[check])


def load_tokens_and_delete_one_upstream(project: Project, api: DemoApi) -> str:
    project.load_all("auth_tokens")
    (gone,) = min(project.rows("auth_tokens"))
    api.control("DELETE", f"/rows/auth_tokens?id={gone}")
    return gone


def test_a_row_that_is_no_longer_listed_is_counted_and_shown(
    project: Project, demo_api: DemoApi
) -> None:
    gone = load_tokens_and_delete_one_upstream(project, demo_api)
    project.load_all("auth_tokens")
    found = project.check("auth_tokens")
    assert [check for check, result in found.items() if not result.passed] == []
    assert found["rows_no_longer_listed"].metadata["rows"].value == 1
    assert gone in shown(found["rows_no_longer_listed"])


def test_rows_that_vanished_between_two_loads_are_seen_after_the_second(
    project: Project, tmp_path: Path, demo_api: DemoApi
) -> None:
    gone = load_tokens_and_delete_one_upstream(project, demo_api)
    spoil(tmp_path, f"delete from analytics.auth_tokens where id = '{gone}'")  # noqa: S608
    project.load_all("auth_tokens")
    assert not project.check("auth_tokens", "rows_did_not_fall")["rows_did_not_fall"].passed


def test_a_table_that_was_never_loaded_is_named(project: Project) -> None:
    result = project.run_checks("user")
    assert not result.success
    (said,) = failures(result).values()
    assert "user was never loaded. Materialize analytics/user first." in said
