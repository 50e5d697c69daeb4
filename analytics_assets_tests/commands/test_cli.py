"""`dagster` on the command line, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands import MATERIALIZE, run_cli
from harness.demo_api import RESOURCES, DemoApi
from harness.forked import MODULE
from harness.processes import REPOSITORY
from harness.project import Project, assert_equal, assert_everything_equal


@pytest.mark.long(reason="commands in processes of their own")
def test_any_selection_loads_and_only_then_ends_with_zero(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url)

    def materialize(selection: str) -> int:
        return run_cli(*MATERIALIZE, selection, api=demo_api).returncode

    assert materialize("analytics/environments") == 1, "its parent was never loaded"
    assert materialize("analytics/projects") == 0
    assert materialize("analytics/environments") == 0
    assert materialize("+analytics/teams_member") == 0
    assert {row["table_name"] for row in project.query(TABLES)} == {
        "environments",
        "projects",
        "teams",
        "teams_member",
    }
    demo_api.fail("user", "status", status=501, times=None)
    assert materialize("group:analytics") == 1, "user was not loaded"
    demo_api.heal()
    assert materialize("*") == 0
    assert materialize("+analytics/deployment_events") == 0
    assert_everything_equal(project, demo_api)


TABLES = """
    select distinct table_name from duckdb_columns()
    where schema_name = 'analytics' and table_name not like '\\_dlt%' escape '\\'
"""


@pytest.mark.long(reason="several loads each")
def test_the_example_of_settings_is_read(tmp_path: Path, demo_api: DemoApi) -> None:
    example = (REPOSITORY / ".env.example").read_text()
    settings = example.replace("https://api.example.com", demo_api.url)
    settings = settings.replace("ACCESS_TOKEN=", f"ACCESS_TOKEN={demo_api.token}")
    (tmp_path / ".env").write_text(settings)
    command = [sys.executable, "-m", "dagster", *MATERIALIZE, "analytics/user"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.long(reason="several loads each")
def test_the_definitions_are_valid(demo_api: DemoApi) -> None:
    assert run_cli("definitions", "validate", "-m", MODULE, api=demo_api).returncode == 0


@pytest.mark.long(reason="several loads each")
def test_dg_checks_and_launches_them_too(
    demo_api: DemoApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `dagster` command says that `dg` supersedes it; that works in the repository's folder."""
    monkeypatch.setenv("ANALYTICS_BASE_URL", demo_api.url)
    monkeypatch.setenv("ACCESS_TOKEN", demo_api.token)
    dg = str(Path(sys.executable).with_name("dg"))
    for arguments in (["check", "defs"], ["launch", "--assets", "analytics/user"]):
        run = subprocess.run(
            [dg, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
    assert_equal(Project(tmp_path, demo_api.url).rows("user"), demo_api.rows("user"))


@pytest.mark.long(reason="several loads each")
def test_the_definitions_need_no_setting_and_write_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = (
        "import json, analytics_assets.definitions as d;"
        "specs = d.defs.resolve_all_asset_specs();"
        "print(json.dumps({s.key.to_user_string():"
        " [x.asset_key.to_user_string() for x in s.deps] for s in specs}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    dependencies = json.loads(run.stdout)
    assert sorted(dependencies) == sorted(f"analytics/{name}" for name in RESOURCES)
    assert {key: parents for key, parents in dependencies.items() if parents} == {
        "analytics/environments": ["analytics/projects"],
        "analytics/deployment_events": ["analytics/deployments"],
        "analytics/teams_member": ["analytics/teams"],
    }
    assert [path for path in tmp_path.rglob("*") if path != home] == []
