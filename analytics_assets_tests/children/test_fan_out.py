"""A fan-out over thousands of parents commits as it goes, and says how far it is."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from pathlib import Path
from signal import SIGKILL

import pytest

from analytics_assets.source.columns import LOAD_ID
from analytics_assets.source.limits import LIMITS, Limits
from harness.commands import MATERIALIZE, start_cli
from harness.demo_api import DemoApi, Key, running_demo_api
from harness.killed import FEW_PARENTS, REQUEST, Death, Runs
from harness.processes import wait_until
from harness.project import Project, assert_equal, stored_rows
from harness.stores import DuckDbFile, Row

DEPLOYMENTS = 5_000
PATIENCE = 300
ASKED_BEFORE_DEATH = DEPLOYMENTS * 8 // 10
PROGRESS = re.compile(
    r"deployment_events: (\d+) of (\d+) parents? asked, (\d+) requests a second, (\d+) s left\."
)


@pytest.mark.long(reason="runs that are stopped or killed")
def test_a_fan_out_killed_at_80_percent_asks_for_the_rest_and_one_load_at_most(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_demo_api("--deployments", str(DEPLOYMENTS), "--events", "1") as api:
        project = Project(tmp_path, api.url, limits=Limits(quiet_seconds=0.5))
        project.load_all("deployments")
        # The last request of a load is never answered: the most is lost that can be.
        api.fail("deployment_events", "hang", after=ASKED_BEFORE_DEATH - 1, times=None)
        kill_when_asked(api, ASKED_BEFORE_DEATH, tmp_path)
        api.heal()
        capfd.readouterr()
        started = time.monotonic()
        with api.counted() as requests:
            project.load_all("deployment_events")
        seconds = time.monotonic() - started
        told = capfd.readouterr().err
        assert_equal(project.rows("deployment_events"), api.rows("deployment_events"))
    asked = requests["deployment_events"]
    assert asked <= DEPLOYMENTS - ASKED_BEFORE_DEATH + LIMITS.parents_per_load
    lines = [tuple(map(int, numbers)) for numbers in PROGRESS.findall(told)]
    assert 1 <= len(lines) <= seconds / 0.5
    assert {total for _, total, _, _ in lines} == {asked}
    done, total, rate, left = lines[-1]
    assert left == pytest.approx((total - done) / rate, rel=0.1, abs=1)


def test_a_fan_out_that_is_killed_asks_again_for_one_load_at_most(
    tmp_path: Path, runs: Runs
) -> None:
    death = Death("extract", 80, waits=False, what=REQUEST)
    with running_demo_api("--deployments", "100", "--events", "1") as api:
        assert runs.run(tmp_path, api.url, "deployments").code == 0
        assert runs.run(tmp_path, api.url, "deployment_events", death=death).code == -SIGKILL
        with api.counted() as requests:
            assert runs.run(tmp_path, api.url, "deployment_events").code == 0
        rows = stored_rows(DuckDbFile.in_folder(tmp_path), "deployment_events")
        assert_equal(rows, api.rows("deployment_events"))
    assert requests["deployment_events"] <= 100 - death.moment + FEW_PARENTS.parents_per_load


@pytest.mark.long(reason="several loads each")
def test_the_more_rows_parents_have_the_fewer_are_loaded_together(tmp_path: Path) -> None:
    limits = Limits(parents_at_first=4, rows_per_load=1_000)
    with running_demo_api("--deployments", "120", "--events", "40") as api:
        project = Project(tmp_path, api.url, limits=limits)
        project.load_all("deployments", "deployment_events")
        rows = project.rows("deployment_events")
        assert_equal(rows, api.rows("deployment_events"))
    first, *later = Counter(row[LOAD_ID] for _, row in sorted(rows.items(), key=load_of)).values()
    assert first < 4 * 60
    assert len(later) >= len(rows) / 2_000
    assert max(later) < 2_000


def load_of(item: tuple[Key, Row]) -> str:
    return str(item[1][LOAD_ID])


def kill_when_asked(api: DemoApi, count: int, folder: Path) -> None:
    """Starts a run of the events on the command line, and kills it after so many requests."""
    log = folder / "log"
    selection = [*MATERIALIZE, "analytics/deployment_events"]
    with start_cli(*selection, api=api, log=log, TMPDIR=str(folder)) as process:

        def is_asked() -> bool:
            assert process.poll() is None, "the run has ended"
            counts = api.control("GET", "/requests")["counts"]
            return bool(counts.get("deployment_events", 0) >= count)

        wait_until(is_asked, PATIENCE)
        os.killpg(process.pid, SIGKILL)
