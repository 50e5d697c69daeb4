"""A disk that is full or read-only is named, and costs no row."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from analytics_assets.source.errors import sentence_of
from harness.demo_api import DemoApi, running_demo_api
from harness.killed import Outcome, Runs
from harness.project import assert_equal, stored_rows
from harness.stores import WAREHOUSE, DuckDbFile

NAMES = ("deployments", "deployment_events", "user")
SUDO = ["sudo", "--non-interactive"] if os.geteuid() and shutil.which("sudo") else []


@dataclass(frozen=True)
class Disk:
    """A small disk."""

    path: Path

    def fill(self, leave: int) -> None:
        """Takes all of it but so many bytes."""
        with (self.path / "filler").open("wb") as filler:
            filler.write(b"\0" * (shutil.disk_usage(self.path).free - leave))

    def empty(self) -> None:
        """Gives back what `fill` took."""
        (self.path / "filler").unlink()

    def remount(self, mode: str) -> None:
        """Makes it read-only by `ro`, and writable by `rw`."""
        subprocess.run([*SUDO, "mount", "-o", f"remount,{mode}", self.path], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk that a test can fill; only root can mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    options = f"size=32m,uid={os.getuid()}"
    mounted = subprocess.run(
        [*SUDO, "mount", "-t", "tmpfs", "-o", options, "tmpfs", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED, a full disk: mounting one needs root. {mounted.stderr}")
    try:
        yield Disk(path)
    finally:
        subprocess.run([*SUDO, "umount", "--lazy", path], check=True)


@pytest.fixture
def api() -> Iterator[DemoApi]:
    """An API with few rows."""
    with running_demo_api("--deployments", "30", "--events", "3") as api:
        yield api


def assert_each_says(outcome: Outcome, pattern: str) -> None:
    """Holds the one line with which each asset fails against a pattern."""
    assert outcome.failures
    for name, said in outcome.failures.items():
        sentence = sentence_of(said.partition("Failure: ")[2]).strip()
        assert re.fullmatch(pattern.replace("NAME", name), sentence)


def assert_loaded(file: Path, api: DemoApi) -> None:
    for name in NAMES:
        assert_equal(stored_rows(DuckDbFile(file), name), api.rows(name))


WHAT_TO_DO = "Free some of it, then materialize NAME again: nothing is lost that was loaded."


@pytest.mark.long(reason="runs that are stopped or killed")
@pytest.mark.parametrize(
    ("is_first", "leave"),
    [(True, 0), (True, 8_192), (True, 300_000), (False, 0)],
    ids=["no file", "half a file", "a few rows", "incremental"],
)
def test_a_full_disk_of_the_warehouse_is_named_and_costs_no_row(
    tmp_path: Path, runs: Runs, api: DemoApi, disk: Disk, is_first: bool, leave: int
) -> None:
    file = disk.path / WAREHOUSE
    held = {}
    if not is_first:
        assert runs.run(tmp_path, api.url, *NAMES, store=DuckDbFile(file)).code == 0
        held = {name: stored_rows(DuckDbFile(file), name) for name in NAMES}
        api.add_deployments(30)
    disk.fill(leave)
    assert_each_says(
        runs.run(tmp_path, api.url, *NAMES, store=DuckDbFile(file)),
        rf"The disk of the warehouse is full: .*Could not write file \"{file}(\.wal)?\": No space "
        rf"left on device\. {WHAT_TO_DO}",
    )
    assert {name: stored_rows(DuckDbFile(file), name) for name in held} == held
    disk.empty()
    assert runs.run(tmp_path, api.url, *NAMES, store=DuckDbFile(file)).code == 0
    assert_loaded(file, api)


def test_a_full_disk_of_temporary_files_is_named_and_costs_no_row(
    tmp_path: Path, runs: Runs, api: DemoApi, disk: Disk
) -> None:
    # Enough for Python, which takes another folder when it can write nothing at all.
    disk.fill(leave=8_192)
    assert_each_says(
        runs.run(tmp_path, api.url, *NAMES, temporary=disk.path),
        rf"The disk of {disk.path}, the folder of temporary files \(TMPDIR\), is full: .*No space "
        rf"left on device.* {WHAT_TO_DO}",
    )
    disk.empty()
    assert runs.run(tmp_path, api.url, *NAMES, temporary=disk.path).code == 0
    assert_loaded(tmp_path / WAREHOUSE, api)


@pytest.mark.long(reason="several loads each")
def test_a_read_only_disk_is_named_and_costs_no_row(
    tmp_path: Path, runs: Runs, api: DemoApi, disk: Disk
) -> None:
    file = disk.path / WAREHOUSE
    assert runs.run(tmp_path, api.url, "user", store=DuckDbFile(file)).code == 0
    disk.remount("ro")
    assert_each_says(
        runs.run(tmp_path, api.url, *NAMES, store=DuckDbFile(file)),
        rf"The DuckDB file {file} cannot be written \(Read-only file system\): let this user write "
        r"it and its folder, or name another one in DESTINATION__DUCKDB__CREDENTIALS\.",
    )
    assert_equal(stored_rows(DuckDbFile(file), "user"), api.rows("user"))
    disk.remount("rw")
    assert runs.run(tmp_path, api.url, *NAMES, store=DuckDbFile(file)).code == 0
    assert_loaded(file, api)
