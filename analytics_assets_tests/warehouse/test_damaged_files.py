"""A DuckDB file that cannot be read is named, with what to do, and left as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from analytics_assets.resources.duckdb_damage import explain_damage
from harness.demo_api import DemoApi
from harness.project import Project, assert_equal, sentence
from harness.rights import held_to_permissions
from harness.stores import make_old

BLOCK, FIRST_BLOCK = 262_144, 3 * 4096
ROWS = "from range(200000) numbers(i)"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of several blocks, and a log of what was written last."""
    folder = tmp_path_factory.mktemp("grown")
    file = folder / "writing.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"create table t as select i, md5(i::text) as word {ROWS}")
        connection.execute("checkpoint")
        for number in range(9):
            connection.execute("insert into t select ?, md5(i::text) from range(99) n(i)", [number])
        for path in (file, log_of(file)):
            shutil.copy(path, folder / path.name.replace("writing", "warehouse"))
    return folder / "warehouse.duckdb"


def log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")


def overwrite(file: Path, place: float, count: int = BLOCK) -> None:
    """Puts other bytes in a file, from a share of its length on."""
    with file.open("r+b") as opened:
        opened.seek(int(file.stat().st_size * place))
        opened.write(os.urandom(count))


def change_version(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(12)
        opened.write((99).to_bytes(8, "little"))


def make_sqlite(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("create table t (i)")


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def put_foreign_log(file: Path) -> None:
    """The log of another DuckDB file."""
    other = file.with_name("other.duckdb")
    with duckdb.connect(str(other)) as connection:
        connection.execute("create table other as select 1 as i")
        connection.execute("checkpoint")
        connection.execute("insert into other values (2)")
        shutil.copy(log_of(other), log_of(file))


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("end", lambda file: overwrite(file, 0.9), "The DuckDB file {file} is damaged: IO Error: Corr"),
    ("header", lambda file: overwrite(file, 0.0001, 99), "The DuckDB file {file} is damaged: IO"),
    ("half", lambda file: os.truncate(file, 1_000_000), "The DuckDB file {file} is damaged: IO"),
    ("headers alone", lambda file: os.truncate(file, 9000), "The DuckDB file {file} is damaged:"),
    ("zeros", lambda file: file.write_bytes(bytes(99_999)), "The DuckDB file {file} is damaged:"),
    ("text", lambda file: file.write_text("somebody's"), "The file {file} is no DuckDB file"),
    ("SQLite", make_sqlite, "The file {file} is no DuckDB file, and was left as it is: name"),
    ("newer", change_version, "The DuckDB file {file} was written by a newer DuckDB (version 99"),
    ("folder", make_folder, "The DuckDB file {file} is a folder: name a file in DESTINATION__D"),
    (
        "garbage log",
        lambda file: log_of(file).write_bytes(os.urandom(999)),
        "The write-ahead log {file}.wal is damaged: it is none of DuckDB's. Restore a backup",
    ),
    (
        "text log",
        lambda file: log_of(file).write_text("x"),
        "The write-ahead log {file}.wal is damaged: it is none of DuckDB's. Restore a backup",
    ),
    (
        "broken log",
        lambda file: overwrite(log_of(file), 0.5, 9),
        "The write-ahead log {file}.wal is damaged: IO Error: Failure while replaying",
    ),
    ("foreign log", put_foreign_log, "The write-ahead log {file}.wal is damaged: INTERNAL"),
]


@pytest.mark.parametrize(
    ("damage", "said"), [damage[1:] for damage in DAMAGES], ids=[damage[0] for damage in DAMAGES]
)
def test_a_file_that_cannot_be_read_is_named_and_left_alone(
    tmp_path: Path, grown: Path, damage: Callable[[Path], object], said: str
) -> None:
    for path in (grown, log_of(grown)):
        shutil.copy(path, tmp_path)
    project = Project(tmp_path, "http://127.0.0.1:1")
    damage(project.file)
    before = contents(tmp_path)
    make_old(project.file)
    told = sentence(project, "user")
    assert told.startswith(said.format(file=project.file))
    assert "Check ANALYTICS_DESTINATION" not in told
    assert "\n" not in told
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[Path, bytes | None]:
    """All files of a folder, and None for a folder in it."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


def test_a_damage_that_a_load_comes_upon_is_named(tmp_path: Path, demo_api: DemoApi) -> None:
    project = Project(tmp_path, demo_api.url)
    project.load_all("projects", "user")
    with duckdb.connect(str(project.file), read_only=True) as connection:
        blocks = connection.execute(
            "select distinct block_id from pragma_storage_info('analytics.projects')"
            " where block_id >= 0"
        ).fetchall()
    assert blocks
    with project.file.open("r+b") as opened:
        for (block,) in blocks:
            opened.seek(FIRST_BLOCK + block * BLOCK + 99)
            opened.write(os.urandom(99))
    said = sentence(project, "projects")
    assert said.startswith(f"The DuckDB file {project.file} is damaged: ")


@pytest.mark.long(reason="several loads each")
def test_without_its_damaged_log_a_file_loads_again_what_came_after(
    tmp_path: Path, demo_api: DemoApi
) -> None:
    project = Project(tmp_path, demo_api.url)
    project.load_all("deployments")
    with duckdb.connect(str(project.file)) as connection:
        connection.execute("checkpoint")
    copy = project.file.read_bytes()
    demo_api.add_deployments(3)
    project.load_all("deployments")
    project.file.write_bytes(copy)
    log_of(project.file).write_bytes(os.urandom(999))
    assert "or move the log away" in sentence(project, "deployments")
    log_of(project.file).unlink()
    project.load_all("deployments")
    assert_equal(project.rows("deployments"), demo_api.rows("deployments"))


@pytest.mark.parametrize("reason", ["Permission denied", "Read-only file system"])
def test_a_file_that_may_not_be_written_is_named(tmp_path: Path, reason: str) -> None:
    """As DuckDB says it, also of the log beside."""
    file = tmp_path / "warehouse.duckdb"
    for path in (file, log_of(file)):
        error = duckdb.IOException(f'IO Error: Cannot open file "{path}": {reason}')
        assert explain_damage(error, file) == (
            f"The DuckDB file {file} cannot be written ({reason}): let this user write it and its "
            "folder, or name another one in DESTINATION__DUCKDB__CREDENTIALS."
        )


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, project: Project) -> None:
    tmp_path.chmod(0o500)
    with held_to_permissions():
        said = sentence(project, "user")
    tmp_path.chmod(0o700)
    assert said.startswith(f"The DuckDB file {project.file} cannot be written (Permission denied)")
