"""The automation as a whole: a real `dagster dev`, an API that goes down, and `kill -9`.

Nobody presses a button; cadences are of minutes (`short_cadences.py`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from dagster import AssetCheckKey, AssetKey, DagsterInstance, DagsterRunStatus, RunRecord
from dagster._core.definitions.freshness import FreshnessState
from dagster._core.scheduler.instigation import InstigatorState, SensorInstigatorData

from analytics_assets.assets.keys import asset_key
from analytics_assets.automation.incidents import Incident, from_cursor
from analytics_assets.automation.runs import UNFINISHED
from analytics_assets.resources.duckdb_file import is_held_elsewhere
from harness import processes
from harness.demo_api import RESOURCES, TOKEN, DemoApi, Key, settings_of
from harness.processes import REPOSITORY, free_port
from harness.project import Project, assert_everything_equal
from harness.rules import NIGHT
from harness.stores import Row
from harness.webhook import SECRET, Webhook, running_webhook

MINUTE = 60
# Dagster's records are looked up: not too often. What is to come may take a minute for its tick,
# one for its run, and half of one for the sensor that sees it; on a busy machine four times that.
wait_until = partial(processes.wait_until, seconds=10 * MINUTE, pause=1.0)
ALL = [asset_key(name) for name in RESOURCES]
SENSOR, SCHEDULE = "dagster/sensor_name", "dagster/schedule_name"


@dataclass
class Night:
    """`dagster dev` over a demo API, and what Dagster records meanwhile."""

    folder: Path
    api: DemoApi
    webhook: Webhook
    instance: DagsterInstance
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the webserver and the daemon."""
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "dagster", "dev"),
                    *("-m", "harness.short_cadences"),
                    *("--host", "127.0.0.1", "--port", str(free_port())),
                ],
                env={
                    **os.environ,
                    **settings_of(self.api),
                    "PYTHONPATH": str(REPOSITORY),
                    "DAGSTER_HOME": str(self.folder / "home"),
                    "ANALYTICS_AUTOMATION": "on",
                    "ANALYTICS_ALERT_WEBHOOK": self.webhook.url,
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Ends all its processes as a crash does: webserver, daemon, code server and runs."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def freshness(self) -> dict[AssetKey, FreshnessState]:
        """The state of each asset."""
        records = self.instance.get_freshness_state_records(ALL)
        return {key: record.freshness_state for key, record in records.items()}

    def is_all_fresh(self) -> bool:
        """Whether all assets were loaded, and none is stale or shown as a warning."""
        return self.freshness() == dict.fromkeys(ALL, FreshnessState.PASS)

    def runs(self, since: float = 0) -> list[RunRecord]:
        """The runs begun since a moment, the oldest first."""
        records = self.instance.get_run_records(ascending=True)
        return [run for run in records if run.create_timestamp.timestamp() > since]

    def has_run_of(self, tag: str, value: str, since: float = 0) -> bool:
        """Whether a run of a schedule or a sensor has succeeded."""
        return any(
            run.dagster_run.tags.get(tag) == value and run.dagster_run.is_success
            for run in self.runs(since)
        )


class ReaderBetweenLoads(Project):
    """Reads a warehouse that is loaded meanwhile: a load has the file to itself."""

    def rows(self, resource: str) -> dict[Key, Row]:
        """All stored rows of a resource, as soon as no load holds the file."""
        rows: dict[Key, Row] = {}

        def is_read() -> bool:
            try:
                rows.update(super(ReaderBetweenLoads, self).rows(resource))
            except duckdb.IOException as error:
                if not is_held_elsewhere(error):
                    raise
                return False
            return True

        wait_until(is_read)
        return rows


@pytest.fixture
def night(tmp_path: Path, demo_api: DemoApi) -> Iterator[Night]:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(REPOSITORY / "dagster.yaml", home)
    with running_webhook() as webhook, DagsterInstance.from_config(str(home)) as instance:
        night = Night(tmp_path, demo_api, webhook, instance)
        night.start()
        try:
            yield night
        finally:
            night.kill()


@pytest.mark.xdist_group(NIGHT)
@pytest.mark.long(reason="a night alone, played in minutes")
def test_a_warehouse_left_alone_keeps_itself_fresh_through_an_outage_and_a_crash(
    night: Night,
) -> None:
    project = ReaderBetweenLoads(night.folder, night.api.url)
    wait_until(night.is_all_fresh)
    assert_everything_equal(project, night.api)
    wait_until(lambda: night.has_run_of(SCHEDULE, "minutely"))

    _assert_a_new_deployment_arrives_within_two_ticks(night, project)
    _assert_what_is_left_alone_goes_stale_and_is_loaded(night)
    assert night.webhook.texts == [], "what heals itself is no incident"

    down_since = time.time()
    night.api.control("POST", "/requests/reset")
    night.api.fail("all", "status", status=503, times=None)
    # A crash between the telling and the cursor would tell it again: that is at least once.
    wait_until(lambda: night.webhook.texts and _open_incidents(night))
    wait_until(lambda: _is_running(night))
    night.kill()
    killed = [run.dagster_run.run_id for run in night.runs() if _is_unfinished(run)]
    assert killed
    night.start()
    wait_until(lambda: _have_failed(night, killed))
    wait_until(lambda: "stale_or_missing" in _requesters(night, down_since))
    _assert_attempts_are_bounded(night, down_since)

    night.api.heal()
    night.api.add_deployments(3)
    healed_at = time.time()
    wait_until(lambda: night.is_all_fresh() and _have_loaded_since(night, healed_at))
    wait_until(lambda: not _open_incidents(night))
    assert_everything_equal(project, night.api)
    alert, recovery = night.webhook.texts
    assert alert.startswith("*analytics_assets needs attention*")
    assert "answered 503" in alert or "is stale" in alert
    assert recovery.startswith("*analytics_assets is well again*")
    _assert_no_tick_was_doubled_or_lost(night)
    _assert_checks_ran_with_each_load(night)
    _assert_no_secret(night)


def _assert_a_new_deployment_arrives_within_two_ticks(night: Night, project: Project) -> None:
    wait_until(lambda: night.has_run_of(SENSOR, "new_deployments"))
    wait_until(lambda: not any(map(_is_unfinished, night.runs())))
    created = time.time()
    (uid,) = night.api.add_deployments(events=4)
    # The schedule leaves deployments alone here: it is the sensor that loads them.
    wait_until(lambda: night.has_run_of(SENSOR, "new_deployments", since=created))
    ticks = [tick for tick in _ticks(night, "new_deployments") if tick > created]
    first_run = next(
        run.create_timestamp.timestamp()
        for run in night.runs(created)
        if run.dagster_run.tags.get(SENSOR) == "new_deployments"
    )
    assert len([tick for tick in ticks if tick < first_run]) <= 2
    assert (uid,) in project.rows("deployments")
    assert {key for key in project.rows("deployment_events") if key[0] == uid}


def _assert_what_is_left_alone_goes_stale_and_is_loaded(night: Night) -> None:
    user = asset_key("user")
    wait_until(lambda: night.freshness()[user] is FreshnessState.FAIL)
    stale = time.time()
    wait_until(lambda: night.freshness()[user] is FreshnessState.PASS)
    assert any(
        run.dagster_run.tags.get(SENSOR) == "stale_or_missing"
        and user in (run.dagster_run.asset_selection or set())
        for run in night.runs(stale - MINUTE)
    )


def _assert_attempts_are_bounded(night: Night, since: float) -> None:
    """One run a minute at most of the schedule, and of the sensor that retries."""
    minutes = (time.time() - since) / MINUTE + 1
    runs = _requesters(night, since)
    assert set(runs) <= {"minutely", "stale_or_missing"}, "new_deployments skips its ticks"
    assert all(count <= minutes for count in runs.values()), runs
    # Six roots, four attempts each.
    requests = night.api.control("GET", "/requests")["counts"]
    assert sum(requests.values()) <= sum(runs.values()) * 6 * 4 + minutes * 2, requests


def _requesters(night: Night, since: float) -> Counter[str | None]:
    """The schedules and sensors that have requested runs since a moment, and how many."""
    return Counter(
        run.dagster_run.tags.get(SCHEDULE) or run.dagster_run.tags.get(SENSOR)
        for run in night.runs(since)
    )


def _assert_no_tick_was_doubled_or_lost(night: Night) -> None:
    tags = [run.dagster_run.tags for run in night.runs()]
    scheduled = [tag[".dagster/scheduled_execution_time"] for tag in tags if SCHEDULE in tag]
    assert len(scheduled) == len(set(scheduled))
    keys = [tag["dagster/run_key"] for tag in tags if tag.get(SENSOR) == "new_deployments"]
    assert len(keys) == len(set(keys))
    minutes = sorted({int(tick // MINUTE) for tick in _ticks(night, "minutely")})
    gaps = [later - earlier for earlier, later in pairwise(minutes)]
    assert set(gaps) == {1}, "each minute has its tick, that of the crash too"
    assert not [run for run in night.runs() if _is_unfinished(run) and _is_old(run)]


def _assert_checks_ran_with_each_load(night: Night) -> None:
    """Whoever requested the load: the schedule, or one of the two sensors."""
    records = night.instance.get_asset_records(ALL)
    loads = {record.asset_entry.asset_key: record.asset_entry.last_run_id for record in records}
    keys = [AssetCheckKey(asset, "key_is_unique") for asset in ALL]
    found = night.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    assert {key.asset_key: record.run_id for key, record in found.items()} == loads


def _assert_no_secret(night: Night) -> None:
    written = [night.folder / "log", *(night.folder / "home").rglob("*")]
    for file in written:
        if file.is_file():
            content = file.read_bytes()
            assert TOKEN.encode() not in content, file
            assert SECRET.encode() not in content, file
    assert TOKEN not in str(night.webhook.bodies)


def _instigator(night: Night, name: str) -> InstigatorState:
    (state,) = [
        state for state in night.instance.all_instigator_state() if state.instigator_name == name
    ]
    return state


def _ticks(night: Night, name: str) -> list[float]:
    state = _instigator(night, name)
    ticks = night.instance.get_ticks(state.instigator_origin_id, state.selector_id)
    return [tick.timestamp for tick in ticks]


def _open_incidents(night: Night) -> list[Incident]:
    """What the sensor that alerts remembers to have told."""
    data = _instigator(night, "alerts").instigator_data
    return from_cursor(data.cursor if isinstance(data, SensorInstigatorData) else None)


def _is_unfinished(run: RunRecord) -> bool:
    return run.dagster_run.status in UNFINISHED


def _is_old(run: RunRecord) -> bool:
    return time.time() - run.create_timestamp.timestamp() > 2 * MINUTE


def _is_running(night: Night) -> bool:
    return any(run.dagster_run.status is DagsterRunStatus.STARTED for run in night.runs())


def _have_failed(night: Night, run_ids: list[str]) -> bool:
    runs = [night.instance.get_run_by_id(run_id) for run_id in run_ids]
    return all(run and run.is_finished for run in runs)


def _have_loaded_since(night: Night, moment: float) -> bool:
    """Whether each asset was loaded since."""
    records = night.instance.get_asset_records(ALL)
    events = [record.asset_entry.last_materialization for record in records]
    return all(event and event.timestamp > moment for event in events)
