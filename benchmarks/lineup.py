"""Who is compared, and how each is started; and the sizes of what they load."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.commands import MATERIALIZE
from harness.processes import REPOSITORY

# fmt: off
SIZES: dict[str, list[str]] = {
    "S": [
        "--projects", "300", "--variables", "32", "--teams", "5", "--members", "150",
        "--deployments", "1500", "--events", "30", "--aliases", "5000", "--tokens", "200",
    ],
    "M": [
        "--projects", "3000", "--variables", "32", "--teams", "200", "--members", "150",
        "--deployments", "15000", "--events", "30", "--aliases", "50000", "--tokens", "1000",
    ],
}
# fmt: on
"""Options of the demo API."""

AIRBYTE_PYTHON = REPOSITORY / ".venv-airbyte" / "bin" / "python"
FINDS_AIRBYTE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('airbyte') is None)"


def _nothing_missing() -> str | None:
    return None


@dataclass(frozen=True)
class Contender:
    """A program that loads the nine resources into the tables of the schema `analytics`."""

    name: str
    title: str
    command: Callable[[Path], list[str]]
    """The command that loads into a DuckDB file."""
    missing: Callable[[], str | None] = _nothing_missing
    """Says why it cannot be run here; None if it can."""
    too_large: dict[str, str] | None = None
    """The sizes it is not run at, each with the reason."""

    def reason_to_skip(self, size: str) -> str | None:
        """Why it is not run at a size; None if it is."""
        return (self.too_large or {}).get(size)


def _module(name: str, *options: str, python: Path | str = sys.executable) -> list[str]:
    return [str(python), "-m", f"benchmarks.contenders.{name}", *options]


def _why_airbyte_is_missing() -> str | None:
    hint = "make one with `python -m venv .venv-airbyte && .venv-airbyte/bin/pip install airbyte`"
    if not AIRBYTE_PYTHON.exists():
        return f"it has no environment `.venv-airbyte`: {hint}."
    found = subprocess.run([str(AIRBYTE_PYTHON), "-c", FINDS_AIRBYTE], check=False)
    if found.returncode:
        return f"`.venv-airbyte` holds no airbyte: {hint}."
    return None


LIMIT = Contender(
    "limit", "limit: asyncio client, bulk insert", lambda file: _module("limit", str(file))
)
PROJECT = Contender(
    "project",
    "this project, by the real CLI",
    lambda _: [sys.executable, "-m", "dagster", *MATERIALIZE, "*"],
)
OTHERS = [
    Contender(
        "without_dagster",
        "the same loading without Dagster's runs",
        lambda file: _module("without_dagster", str(file)),
    ),
    Contender(
        "plain_dlt_parquet",
        "plain dlt, Parquet files",
        lambda file: _module("plain_dlt", str(file), "--parquet"),
    ),
    Contender(
        "plain_dlt",
        "plain dlt, its defaults",
        lambda file: _module("plain_dlt", str(file)),
        too_large={"M": "its INSERT statements need many GB of memory"},
    ),
    Contender(
        "airbyte",
        "PyAirbyte, concurrency 20",
        lambda file: _module("airbyte", str(file), python=AIRBYTE_PYTHON),
        missing=_why_airbyte_is_missing,
    ),
]
CONTENDERS = [LIMIT, PROJECT, *OTHERS]
