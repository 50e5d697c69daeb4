"""Where steps run: settings choose the executor, and each ends its run with what was loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_assets.configuration import ANALYTICS
from analytics_assets.definitions import build_definitions
from analytics_assets.source.errors import SettingError
from harness.commands import MATERIALIZE, run_cli
from harness.demo_api import DemoApi
from harness.project import Project, assert_everything_equal
from harness.stores import PostgresDatabase

ON_A_SERVER = {"ANALYTICS_DESTINATION": "postgres"}
ON_A_NAMED_SERVER = {
    "ANALYTICS_DESTINATION": "central",
    "DESTINATION__CENTRAL__DESTINATION_TYPE": "postgres",
}
BROKER = dict.fromkeys(("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"), "redis://127.0.0.1:1/0")


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(
    ("settings", "executor"),
    [
        ({}, "in_process"),
        ({"ANALYTICS_EXECUTOR": "multiprocess"}, "multiprocess"),
        (ON_A_SERVER, "in_process"),
        ({"ANALYTICS_DESTINATION": "snowflake"}, "in_process"),
        ({**ON_A_SERVER, "ANALYTICS_EXECUTOR": "multiprocess"}, "multiprocess"),
        ({**ON_A_SERVER, **BROKER}, "celery"),
        ({**ON_A_NAMED_SERVER, **BROKER}, "celery"),
        ({**ON_A_SERVER, **BROKER, "ANALYTICS_EXECUTOR": "multiprocess"}, "multiprocess"),
    ],
)
def test_the_settings_choose_the_executor(
    settings: dict[str, str], executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    definitions = build_definitions(ANALYTICS)
    assert definitions.get_implicit_global_asset_job_def().executor_def.name == executor


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"ANALYTICS_EXECUTOR": "thread"}, "ANALYTICS_EXECUTOR is none of in_process, multi"),
        (BROKER, "Steps on celery need PostgreSQL, where loads of a table take turns: name it"),
        *(
            ({"ANALYTICS_DESTINATION": name, "ANALYTICS_EXECUTOR": executor}, "need PostgreSQL")
            for name in ("duckdb", "filesystem", "sqlalchemy", "snowflake")
            for executor in ("celery", "k8s")
        ),
        ({**ON_A_SERVER, "ANALYTICS_EXECUTOR": "celery"}, "need a broker: set CELERY_BROKER_URL"),
        ({**ON_A_SERVER, **BROKER, "CELERY_RESULT_BACKEND": ""}, "set CELERY_RESULT_BACKEND"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(
    settings: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError, match=said):
        build_definitions(ANALYTICS)


def test_each_step_may_have_a_process_and_the_run_has_one_table(
    tmp_path: Path,
    demo_api: DemoApi,
    database: PostgresDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANALYTICS_EXECUTOR", "multiprocess")
    (tmp_path / "dagster.yaml").write_text("python_logs: {python_log_level: DEBUG}")
    run = run_cli(*MATERIALIZE, "+analytics/teams_member", api=demo_api)
    assert run.returncode == 0, run.stderr[-2000:]
    assert "in subprocess" in run.stderr or "Launching subprocess" in run.stderr
    heading, *lines = run.stdout.splitlines()
    assert heading.startswith("asset ")
    assert [line.split()[0] for line in lines] == ["teams", "teams_member"]
    project = Project(tmp_path, demo_api.url, store=database)
    assert_everything_equal(project, demo_api, "teams", "teams_member")
