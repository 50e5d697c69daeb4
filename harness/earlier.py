"""An earlier version of the project, taken out of the repository's history, as a user ran it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from dlt.common.schema.typing import TColumnSchema

from analytics_assets.configuration import Resource
from analytics_assets.source import load
from analytics_assets.source.columns import DELETED_AT
from analytics_assets.source.table_columns import declared_columns
from harness.commands import MATERIALIZE
from harness.demo_api import DemoApi, Key, settings_of
from harness.processes import REPOSITORY, wait_until
from harness.stores import DuckDbFile

COMMIT = "9fab3db"
"""The last one that wrote all rows of a full list anew with each load."""


@contextmanager
def without_marks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loads of this process make tables as that version did, without a column for marks."""

    def declared(resource: Resource) -> dict[str, TColumnSchema]:
        columns = declared_columns(resource)
        del columns[DELETED_AT]
        return columns

    with monkeypatch.context() as patch:
        patch.setattr(load, "declared_columns", declared)
        yield


def leave_behind(store: DuckDbFile, name: str, column: str, gone: Iterable[Key]) -> None:
    """Lets rows have an earlier load than all others, as that version left those that were gone.

    Args:
        store: The warehouse.
        name: The table.
        column: The column that tells those rows.
        gone: Its values in them.
    """
    values = ", ".join(f"'{value}'" for (value,) in gone)
    store.run(f"UPDATE analytics.{name} SET _dlt_load_id = '1.0' WHERE {column} IN ({values})")  # noqa: S608


@dataclass(frozen=True)
class EarlierVersion:
    """Its code in a folder, run with the packages of this version.

    Attributes:
        folder: Where its code is.
    """

    folder: Path

    @classmethod
    def into(cls, folder: Path) -> EarlierVersion:
        """Takes it out of the history into a folder.

        Skips the test, by name, where that is not at hand, as in a download without history.
        """
        archive = subprocess.run(
            ["git", "archive", COMMIT, "analytics_assets"],
            cwd=REPOSITORY,
            capture_output=True,
            check=False,
        )
        if archive.returncode:
            pytest.skip(f"The history is missing that has {COMMIT}: clone the whole repository")
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        return cls(folder)

    def materialize(self, names: str, api: DemoApi, settings: Mapping[str, str]) -> None:
        """Loads some assets, by a selection as Dagster takes it."""
        self.run(*MATERIALIZE, names, api=api, settings=settings)

    def run(self, *arguments: str, api: DemoApi, settings: Mapping[str, str]) -> None:
        """Runs `dagster`, which must succeed."""
        process = self._start(arguments, api, settings)
        assert process.wait(timeout=300) == 0, self._log.read_text()[-5000:]

    def kill_once(
        self, condition: Callable[[], object], names: str, api: DemoApi, settings: Mapping[str, str]
    ) -> None:
        """Begins to load some assets, and kills it once a condition is true."""
        process = self._start([*MATERIALIZE, names], api, settings)
        wait_until(lambda: condition() or process.poll() is not None)
        assert process.poll() is None, self._log.read_text()[-5000:]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def _start(
        self, arguments: Sequence[str], api: DemoApi, settings: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._log.open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dagster", *arguments],
                cwd=self.folder,
                env={
                    **os.environ,
                    **settings_of(api),
                    **settings,
                    "PYTHONPATH": str(self.folder),
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
