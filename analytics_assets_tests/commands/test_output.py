"""What cannot be printed decides nothing: the run has stored its rows, and ends as it went."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from analytics_assets.output import lenient
from harness.commands import MATERIALIZE
from harness.demo_api import TOKEN, DemoApi, settings_of
from harness.forked import MODULE
from harness.processes import REPOSITORY
from harness.project import Project
from harness.scripted import Answer, Asked, scripted_api
from harness.stores import WAREHOUSE, DeltaFolder, DuckDbFile

DAGSTER = [sys.executable, "-m", "dagster"]
PROJECT = {"id": "prj_a", "\N{CYRILLIC SMALL LETTER PE}": 1}
COLUMN = '"\N{CYRILLIC SMALL LETTER PE}"'
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def list_projects(_: Asked) -> Answer:
    return Answer({"projects": [PROJECT], "pagination": None})


def run_in_shell(
    command: list[str], redirection: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Runs a command with a redirection; of a pipe the exit code is the first that is not 0."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{shlex.join(command)} {redirection}"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


OUTPUTS = [
    pytest.param("", {"PYTHONIOENCODING": "latin-1"}, id="latin-1"),
    pytest.param(
        "", ASCII, id="ascii", marks=pytest.mark.long(reason="commands in processes of their own")
    ),
    pytest.param("| true", {}, id="no reader"),
    pytest.param(
        ">/dev/full 2>&1",
        {},
        id="full",
        marks=pytest.mark.long(reason="commands in processes of their own"),
    ),
    pytest.param(
        ">&-",
        {},
        id="no stdout",
        marks=pytest.mark.long(reason="commands in processes of their own"),
    ),
    pytest.param("2>&-", {}, id="no stderr"),
    pytest.param(
        "2>&1 | head -1",
        {},
        id="head",
        marks=pytest.mark.long(reason="commands in processes of their own"),
    ),
]


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(("redirection", "language"), OUTPUTS)
def test_what_cannot_be_printed_fails_no_run(
    tmp_path: Path, redirection: str, language: dict[str, str]
) -> None:
    with scripted_api(list_projects) as api:
        settings = {**language, **settings_of(DemoApi(api.url))}
        run = run_in_shell([*DAGSTER, *MATERIALIZE, "analytics/projects"], redirection, **settings)
    assert run.returncode == 0, run.stderr
    assert "Exception ignored" not in run.stderr, run.stderr
    if not redirection:
        assert "(new: \\u043f)" in run.stdout
    rows = DuckDbFile.in_folder(tmp_path).query(f"select id, {COLUMN} from analytics.projects")  # noqa: S608
    assert rows == [PROJECT]


@pytest.mark.long(reason="commands in processes of their own")
def test_a_job_whose_output_nobody_reads_ends_well(demo_api: DemoApi, tmp_path: Path) -> None:
    window = '{"start": "2026-05-01", "end": "2026-05-02"}'
    (tmp_path / "window.yaml").write_text(f"ops: {{window: {{config: {window}}}}}")
    arguments = ["job", "execute", "-m", MODULE, "-j", "reload_history", "--config", "window.yaml"]
    run = run_in_shell([*DAGSTER, *arguments], "| true", **settings_of(demo_api))
    assert run.returncode == 0, run.stderr
    assert Project(tmp_path, demo_api.url).rows("deployments")


def test_a_move_whose_output_nobody_reads_moves_all(tmp_path: Path) -> None:
    target = DeltaFolder.in_folder(tmp_path)
    with scripted_api(list_projects) as api:
        Project(tmp_path, api.url, access_token=TOKEN).load_all("projects")
    command = [sys.executable, "-m", "analytics_assets.move", str(tmp_path / WAREHOUSE)]
    settings = {**target.settings, "PYTHONPATH": str(REPOSITORY)}
    moved = run_in_shell(command, ">/dev/full", **settings)
    assert moved.returncode == 0, moved.stderr
    assert target.query(f"select id, {COLUMN} from analytics.projects") == [PROJECT]  # noqa: S608


@pytest.mark.long(reason="commands in processes of their own")
def test_a_demo_whose_output_nobody_reads_ends_well() -> None:
    demo = run_in_shell([sys.executable, "-m", "analytics_assets.demo"], "| true")
    assert demo.returncode == 0, demo.stderr
    assert "Exception ignored" not in demo.stderr


def test_letters_without_a_place_are_escaped_and_a_gone_reader_is_no_error() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="latin-1") as pipe, lenient(pipe) as stream:
        print("\N{CYRILLIC SMALL LETTER PE} \xe9", file=stream)
        assert os.read(reader, 99) == b"\\u043f \xe9\n"
        os.close(reader)
        print("nobody reads this", file=stream)


def test_a_stream_that_is_not_the_systems_own_is_written_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with lenient(sys.stdout) as stream:
        print("here", file=stream)
    assert capsys.readouterr().out == "here\n"
