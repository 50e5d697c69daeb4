"""`make demo`, run twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.demo_api import RESOURCES


def run_demo() -> dict[str, list[str]]:
    run = subprocess.run(
        [sys.executable, "-m", "analytics_assets.demo"], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in run.stdout.splitlines() if line]
    return {words[0]: words[1:] for words in lines}


@pytest.mark.long(reason="commands in processes of their own")
def test_the_demo_loads_everything_and_then_only_what_is_new(tmp_path: Path) -> None:
    """Its own API into its own file, whatever the user has set for theirs."""
    (tmp_path / ".env").write_text(
        "ANALYTICS_BASE_URL=http://127.0.0.1:9\n"
        "DESTINATION__DUCKDB__CREDENTIALS=data/warehouse.duckdb\n"
    )
    first = run_demo()
    assert set(RESOURCES) <= set(first)
    assert all(int(first[name][0]) == int(first[name][1]) > 0 for name in RESOURCES)
    second = run_demo()
    for name in RESOURCES:
        rows, changed = int(second[name][0]), int(second[name][1]) + int(second[name][2])
        assert rows >= int(first[name][0])
        assert changed < 50, f"{name} loaded what it had"
    assert (tmp_path / "data" / "demo" / "warehouse.duckdb").exists()
    assert not (tmp_path / "data" / "warehouse.duckdb").exists()
