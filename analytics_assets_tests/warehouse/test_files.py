"""What a warehouse of files alone can do to a load: two at once, files that pile up, refusals."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from filelock import FileLock

from analytics_assets.resources import Warehouse
from analytics_assets.resources.delta_files import MOST_FILES
from harness import canaries
from harness.commands import MATERIALIZE, assert_ended_well, start_cli
from harness.demo_api import DemoApi
from harness.processes import wait_until
from harness.project import Project, assert_equal, assert_everything_equal, sentence
from harness.stores import DeltaFolder, choose

PATIENCE = 120
A_MONTH = 30 * 86_400


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeltaFolder:
    """An empty warehouse of files that the settings name."""
    files = DeltaFolder.in_folder(tmp_path)
    choose(files, monkeypatch)
    return files


def names_of(table: DeltaTable) -> set[str]:
    return {Path(uri).name for uri in table.file_uris()}


def test_first_loads_that_begin_at_once_lose_no_row(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder
) -> None:
    selections = ["analytics/teams*"] * 2 + ["analytics/projects"]
    logs = [tmp_path / f"log_{number}" for number in range(len(selections))]
    processes = [
        start_cli(*MATERIALIZE, selection, api=demo_api, log=log)
        for selection, log in zip(selections, logs, strict=True)
    ]
    assert_ended_well(processes, logs, PATIENCE)
    project = Project(tmp_path, demo_api.url, store=files)
    assert_everything_equal(project, demo_api, "teams", "teams_member", "projects")


def test_a_load_that_waits_too_long_for_another_one_says_so(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder
) -> None:
    project = Project(tmp_path, demo_api.url, store=files, warehouse=Warehouse(patience=1))
    project.load_all("teams")
    with FileLock(files.folder / "analytics.user.lock"):
        said = sentence(project, "user")
        project.load_all("teams")
    assert said == (
        "Another load of analytics.user is under way, and still was after 1 s: wait for its end, "
        "or end it, and materialize again."
    )
    project.load_all("user")


def test_a_load_holds_its_lock_until_it_ends(files: DeltaFolder) -> None:
    lock = FileLock(files.folder / "analytics.user.lock", blocking=False)
    with Warehouse().opened_to_load("user", logging.getLogger()), pytest.raises(TimeoutError):
        lock.acquire()
    lock.acquire()
    lock.release()


def test_a_load_that_has_waited_is_later_than_what_it_waited_for(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder
) -> None:
    Project(tmp_path, demo_api.url, store=files).load_all("user")
    records = files.folder / "analytics" / "_dlt_loads"
    (first,) = records.iterdir()
    record = json.loads(first.read_text())
    ((person,),) = demo_api.rows("user")
    demo_api.control("POST", f"/rows/user?id={person}", set={"username": "changed"})
    ahead, log = time.time() + 20, tmp_path / "log"
    with FileLock(files.folder / "analytics.user.lock"):
        process = start_cli(*MATERIALIZE, "analytics/user", api=demo_api, log=log)
        wait_until(lambda: "Another load of analytics.user" in log.read_text(), PATIENCE)
        other = json.dumps({**record, "load_id": str(ahead)})
        (records / f"user__{ahead}.jsonl").write_text(other)
    assert process.wait(PATIENCE) == 0
    newest = max(json.loads(file.read_text())["load_id"] for file in records.iterdir())
    assert float(newest) > ahead


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize("name", ["my files", "a#b", "pr\N{LATIN SMALL LETTER U WITH DIAERESIS}f"])
@pytest.mark.parametrize("address", [str, Path.as_uri], ids=["path", "url"])
def test_a_folder_may_be_called_anything_and_named_by_path_or_url(
    tmp_path: Path,
    demo_api: DemoApi,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    address: Callable[[Path], str],
) -> None:
    folder = tmp_path / name
    monkeypatch.setenv("ANALYTICS_DESTINATION", "filesystem")
    monkeypatch.setenv("DESTINATION__FILESYSTEM__BUCKET_URL", address(folder))
    project = Project(tmp_path, demo_api.url, store=DeltaFolder(folder))
    for _ in range(2):
        project.load_all("user")
    assert_equal(project.rows("user"), demo_api.rows("user"))


def test_files_do_not_pile_up(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESTINATION__FILESYSTEM__MAX_STATE_FILES", "2")
    folder = files.folder / "analytics"
    project = Project(tmp_path, demo_api.url, store=files, most_rows_gone=1.0)
    project.load_all("teams")
    table = DeltaTable(folder / "teams")
    row_schema = table.to_pyarrow_table().schema
    # As years of loads leave them.
    row = table.to_pyarrow_table().to_pylist()[0]
    for number in range(MOST_FILES):
        of_load = {"id": f"of load {number}", "_dlt_id": f"digest {number}"}
        added = pa.Table.from_pylist([{**row, **of_load}], row_schema)
        write_deltalake(table, added, mode="append")
    ((team,), *_) = demo_api.rows("teams")
    for number in range(3):
        demo_api.control("POST", f"/rows/teams?id={team}", set={"description": f"{number}"})
        project.load_all("teams")
    stored = project.rows("teams")
    assert len(stored) == MOST_FILES + len(demo_api.rows("teams"))
    assert len(names_of(DeltaTable(folder / "teams"))) <= 3
    assert len(list((folder / "_dlt_loads").iterdir())) == 2
    assert_equal({key: stored[key] for key in demo_api.rows("teams")}, demo_api.rows("teams"))


def test_what_was_replaced_or_never_finished_is_deleted_after_a_week(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder
) -> None:
    project = Project(tmp_path, demo_api.url, store=files)
    project.load_all("teams")
    folder = files.folder / "analytics" / "teams"
    old, new = folder / "part-old.parquet", folder / "part-new.parquet"
    for orphan in (old, new):
        orphan.touch()
    a_month_ago = time.time() - A_MONTH
    os.utime(old, (a_month_ago, a_month_ago))
    project.load_all("teams")
    assert not old.exists()
    assert new.exists()
    assert_equal(project.rows("teams"), demo_api.rows("teams"))


def test_a_table_that_cannot_be_written_is_an_error_in_the_library_s_words(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder
) -> None:
    project = Project(tmp_path, demo_api.url, store=files)
    project.load_all("teams")
    table = DeltaTable(files.folder / "analytics" / "teams")
    table.alter.add_constraint({"refused": "name <> 'refused'"})
    (key, *_) = demo_api.rows("teams")
    demo_api.control("POST", f"/rows/teams?id={key[0]}", set={"name": "refused"})
    said = sentence(project, "teams")
    assert said.startswith("The warehouse did not take the rows of teams: ")
    assert "Traceback" not in said
    assert "job_id" not in said


def test_a_folder_that_is_not_named_is_asked_for(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DESTINATION__FILESYSTEM__BUCKET_URL")
    said = sentence(Project(tmp_path, demo_api.url, store=files), "user")
    assert said.startswith("The warehouse cannot be opened: Its place is missing")
    assert said.endswith("Check ANALYTICS_DESTINATION and DESTINATION__FILESYSTEM__BUCKET_URL.")


def test_without_its_library_the_extra_is_named(
    tmp_path: Path, demo_api: DemoApi, files: DeltaFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    monkeypatch.delitem(sys.modules, "analytics_assets.resources.delta_files")
    assert sentence(Project(tmp_path, demo_api.url, store=files), "user") == (
        "ANALYTICS_DESTINATION names filesystem, for which deltalake is missing: install this "
        "package with its extra `filesystem`."
    )


def test_a_destination_shows_no_option_that_may_be_a_secret(
    files: DeltaFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = json.dumps({"aws_secret_access_key": canaries.TOKEN})
    monkeypatch.setenv("DESTINATION__FILESYSTEM__DELTALAKE_STORAGE_OPTIONS", options)
    warehouse = Warehouse()
    with warehouse.opened(logging.getLogger()):
        assert canaries.TOKEN not in repr(warehouse.open_dataset("user"))
