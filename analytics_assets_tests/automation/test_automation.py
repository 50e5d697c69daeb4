"""Schedules, sensors and alerts, each asked alone; `test_a_night_alone.py` runs them together."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextvars import copy_context
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import (
    AssetMaterialization,
    DagsterInstance,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    SensorDefinition,
    build_schedule_context,
    build_sensor_context,
    evaluate_automation_conditions,
)
from dagster._core.definitions.freshness import (
    FreshnessState,
    FreshnessStateChange,
    TimeWindowFreshnessPolicy,
)
from dagster._core.definitions.sensor_definition import SensorExecutionData

from analytics_assets.assets.keys import asset_key
from analytics_assets.automation.incidents import (
    SECONDS_TO_JOIN,
    Incident,
    Problem,
    as_cursor,
    follow,
    from_cursor,
)
from analytics_assets.automation.new_records import LONGEST_PAUSE
from analytics_assets.configuration import ANALYTICS
from analytics_assets.definitions import build_definitions
from analytics_assets.resources import AlertWebhook, AnalyticsApi
from analytics_assets.source.errors import SettingError
from harness.configurations import ANALYTICS_API
from harness.demo_api import RESOURCES, TOKEN, DemoApi
from harness.project import Project
from harness.reloads import as_window, reload_past
from harness.webhook import SECRET, Webhook, running_webhook


def test_each_cadence_is_a_schedule_that_loads_parents_and_children_in_one_run() -> None:
    definitions = build_definitions(ANALYTICS)
    loaded = {}
    for schedule in definitions.get_repository_def().schedule_defs:
        job = definitions.resolve_job_def(schedule.job_name)
        names = {key.path[-1] for key in job.asset_layer.selected_asset_keys}
        loaded[schedule.name] = (schedule.cron_schedule, schedule.execution_timezone, names)
    assert loaded == {
        "quarter_hourly": ("*/15 * * * *", "UTC", {"deployments", "deployment_events"}),
        "hourly": (
            "5 * * * *",
            "UTC",
            {"projects", "environments", "teams", "teams_member", "aliases"},
        ),
        "daily": ("35 3 * * *", "UTC", {"user", "auth_tokens"}),
    }


@pytest.mark.parametrize(("word", "runs"), [(None, False), ("off", False), ("ON", True)])
def test_schedules_and_sensors_start_stopped_unless_the_automation_is_on(
    word: str | None, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if word:
        monkeypatch.setenv("ANALYTICS_AUTOMATION", word)
    repository = build_definitions(ANALYTICS).get_repository_def()
    assert {schedule.default_status for schedule in repository.schedule_defs} == {
        DefaultScheduleStatus.RUNNING if runs else DefaultScheduleStatus.STOPPED
    }
    sensors = {sensor.name: sensor.default_status for sensor in repository.sensor_defs}
    assert sensors == dict.fromkeys(
        ("stale_or_missing", "new_deployments", "alerts"),
        DefaultSensorStatus.RUNNING if runs else DefaultSensorStatus.STOPPED,
    )


def test_a_word_that_is_neither_on_nor_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANALYTICS_AUTOMATION", "true")
    with pytest.raises(SettingError, match="ANALYTICS_AUTOMATION is neither on nor off: 'true'"):
        build_definitions(ANALYTICS)


def test_each_asset_has_the_freshness_policy_of_its_cadence() -> None:
    specs = build_definitions(ANALYTICS).resolve_all_asset_specs()
    windows = {}
    for spec in specs:
        policy = spec.freshness_policy
        assert isinstance(policy, TimeWindowFreshnessPolicy)
        assert policy.warn_window
        windows[spec.key.path[-1]] = (
            policy.warn_window.to_timedelta().total_seconds() / 60,
            policy.fail_window.to_timedelta().total_seconds() / 60,
        )
    assert windows == {
        name: (resource.cadence["warn_after"], resource.cadence["fail_after"])
        for name, resource in ANALYTICS_API.resources.items()
    }


class Ticks:
    """The ticks of one sensor, each with the cursor that the last one left."""

    def __init__(self, name: str, instance: DagsterInstance, **resources: Any) -> None:
        self.instance = instance
        self._resources = resources
        self._repository = build_definitions(ANALYTICS).get_repository_def()
        self._sensor: SensorDefinition = self._repository.get_sensor_def(name)
        self._cursor: str | None = None

    def tick(self) -> SensorExecutionData:
        """Evaluates the sensor once."""
        with build_sensor_context(
            instance=self.instance,
            cursor=self._cursor,
            resources=self._resources,
            repository_def=self._repository,
            sensor_name=self._sensor.name,
        ) as context:
            found = self._sensor.evaluate_tick(context)
        self._cursor = found.cursor
        return found

    def reason(self) -> str:
        """Why a tick requests nothing."""
        found = self.tick()
        assert not found.run_requests
        return str(found.skip_message)


@pytest.fixture
def watching(demo_api: DemoApi) -> Ticks:
    api = AnalyticsApi(base_url=demo_api.url, access_token=TOKEN)
    return Ticks("new_deployments", DagsterInstance.ephemeral(), api=api)


@pytest.mark.long(reason="several loads each")
def test_a_new_deployment_is_seen_with_one_request_and_asked_for_once(
    watching: Ticks, demo_api: DemoApi
) -> None:
    (first,) = watching.tick().run_requests or []
    with demo_api.counted() as requests:
        assert watching.reason() == "No new record of deployments."
    assert requests == {"deployments": 1}
    assert demo_api.log("deployments")[-1]["query"] == {"limit": "1"}
    (uid,) = demo_api.add_deployments()
    (second,) = watching.tick().run_requests or []
    assert uid in str(second.run_key)
    assert first.run_key != second.run_key
    assert {key.path[-1] for key in second.asset_selection or []} == {
        "deployments",
        "deployment_events",
    }
    assert watching.reason() == "No new record of deployments."


def test_a_newest_deployment_that_is_deleted_makes_no_older_one_new(
    watching: Ticks, demo_api: DemoApi
) -> None:
    (uid,) = demo_api.add_deployments()
    assert watching.tick().run_requests
    demo_api.control("DELETE", f"/rows/deployments?id={uid}")
    assert watching.reason() == "No new record of deployments."


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (401, "GET /v6/deployments answered 401: the token in ACCESS_TOKEN was rejected"),
        (403, "GET /v6/deployments answered 403: the token in ACCESS_TOKEN was rejected"),
        (503, "GET /v6/deployments answered 503. What is in the warehouse stays"),
    ],
)
def test_an_answer_that_is_none_skips_the_tick_after_one_request_and_says_why(
    watching: Ticks, demo_api: DemoApi, status: int, reason: str
) -> None:
    demo_api.fail("deployments", "status", status=status)
    with demo_api.counted() as requests:
        assert watching.reason().startswith(reason)
    assert requests == {"deployments": 1}
    assert watching.tick().run_requests, "the next tick asks again"


def test_an_api_that_does_not_answer_skips_the_tick() -> None:
    api = AnalyticsApi(base_url="http://127.0.0.1:9", access_token=TOKEN)
    reason = Ticks("new_deployments", DagsterInstance.ephemeral(), api=api).reason()
    assert reason.startswith("GET /v6/deployments found no server (Connection refused)")
    assert TOKEN not in reason


def test_the_sensor_waits_as_long_as_the_api_asks(watching: Ticks, demo_api: DemoApi) -> None:
    demo_api.fail("deployments", "status", status=429, headers={"Retry-After": "600"})
    assert "answered 429" in watching.reason()
    with demo_api.counted() as requests:
        assert watching.reason().startswith("The API asked to wait until 20")
    assert requests == {}


def test_a_wrong_header_does_not_end_the_asking(watching: Ticks, demo_api: DemoApi) -> None:
    headers = {"Retry-After": "99999999999"}
    demo_api.fail("deployments", "status", status=429, headers=headers)
    assert "answered 429" in watching.reason()
    pause = datetime.fromisoformat(watching.reason().split()[-1].rstrip(".")).timestamp()
    assert pause - time.time() <= LONGEST_PAUSE


def test_a_deployment_dated_in_the_future_does_not_hide_the_next_one(
    watching: Ticks, demo_api: DemoApi
) -> None:
    future = int(time.time() * 1000) + 10**10
    demo_api.control("POST", "/rows/deployments/add", uid="dpl_future", created=future)
    assert watching.tick().run_requests
    demo_api.control("DELETE", "/rows/deployments?id=dpl_future")
    now = int(time.time() * 1000) + 1000
    demo_api.control("POST", "/rows/deployments/add", uid="dpl_next", created=now)
    assert watching.tick().run_requests


def test_a_run_that_is_not_done_is_not_asked_for_again(watching: Ticks, demo_api: DemoApi) -> None:
    watching.instance.create_run_for_job(
        build_definitions(ANALYTICS).resolve_job_def("load_quarter_hourly"),
        tags={"dagster/sensor_name": "new_deployments"},
    )
    assert watching.reason() == "The run for the last new record has not finished."


def test_what_is_missing_is_asked_for_at_once_and_then_at_the_pace_of_retries() -> None:
    definitions = build_definitions(ANALYTICS)
    noon = datetime(2026, 6, 1, 12, 1, tzinfo=timezone.utc)

    def requested(instance: DagsterInstance, *minutes: int) -> list[int]:
        """How many assets are asked for, so many minutes later each time."""
        numbers, cursor = [], None
        for later in minutes:
            result = evaluate_automation_conditions(
                definitions,
                instance,
                cursor=cursor,
                evaluation_time=noon + timedelta(minutes=later),
            )
            numbers.append(result.total_requested)
            cursor = result.cursor
        return numbers

    with DagsterInstance.ephemeral() as instance:
        assert requested(instance, 0, 1, 15, 16) == [9, 0, 9, 0]
        for name in RESOURCES:
            instance.report_runless_asset_event(AssetMaterialization(asset_key(name)))
        assert requested(instance, 20, 30, 45) == [0, 0, 0]


def test_a_schedule_whose_run_is_not_done_skips_its_tick(tmp_path: Path) -> None:
    repository = build_definitions(ANALYTICS).get_repository_def()
    schedule = repository.get_schedule_def("daily")

    def evaluate() -> None:
        with DagsterInstance.local_temp(str(tmp_path)) as instance:
            context = build_schedule_context(instance, repository_def=repository)
            assert schedule.evaluate_tick(context).run_requests
            instance.create_run_for_job(
                build_definitions(ANALYTICS).resolve_job_def("load_daily"),
                tags={"dagster/schedule_name": "daily"},
            )
            skipped = schedule.evaluate_tick(context)
            assert not skipped.run_requests
            assert skipped.skip_message == "The last run of this schedule has not finished."

    # Dagster would leave a context variable behind that refers to the instance.
    copy_context().run(evaluate)


BROKEN = Problem("broken", "run-1")
ALONE = Problem("broken", "run-1", stands_alone=True)
INCIDENT = Incident(1000.0, {"a": BROKEN}, [])


@pytest.mark.parametrize(
    ("states", "now", "begun", "over", "left"),
    [
        ({"a": BROKEN}, 1001.0, None, [], [["a"]]),
        ({}, 1001.0, None, [], [["a"]]),
        ({"a": None}, 1001.0, None, [["a"]], []),
        ({"a": BROKEN, "b": BROKEN}, 1001.0, None, [], [["a", "b"]]),
        ({"a": None, "b": BROKEN}, 1001.0, ["b"], [["a"]], [["b"]]),
        ({"a": BROKEN, "b": ALONE}, 1001.0, ["b"], [], [["a"], ["b"]]),
        ({"b": BROKEN}, 1000.0 + SECONDS_TO_JOIN, ["b"], [], [["a"], ["b"]]),
        ({"a": None, "b": BROKEN}, 1000.0 + SECONDS_TO_JOIN, ["b"], [["a"]], [["b"]]),
    ],
    ids=[
        "lasts",
        "unknown",
        "over",
        "joined",
        "goes on with another",
        "stands alone",
        "another",
        "both",
    ],
)
def test_an_incident_begins_once_and_ends_once(
    states: dict[str, Any], now: float, begun: Any, over: Any, left: Any
) -> None:
    change = follow(from_cursor(as_cursor([INCIDENT])), states, now)
    assert (sorted(change.begun.problems) if change.begun else None) == begun
    assert [incident.healed for incident in change.over] == over
    assert [sorted(incident.problems) for incident in change.open] == left


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with running_webhook() as webhook:
        yield webhook


@pytest.fixture
def alerts(webhook: Webhook) -> Ticks:
    """The sensor that alerts, over records of its own."""
    alert_webhook = AlertWebhook(url=webhook.url)
    return Ticks("alerts", DagsterInstance.ephemeral(), alert_webhook=alert_webhook)


def test_a_failed_load_is_told_once_and_its_recovery_once(
    tmp_path: Path, demo_api: DemoApi, webhook: Webhook, alerts: Ticks
) -> None:
    project = Project(tmp_path, demo_api.url, instance=alerts.instance)
    project.load_all("user")
    assert alerts.reason() == "Nothing new to tell."
    demo_api.fail("user", "status", status=403, times=None)
    project.load("user")
    webhook.status = 500
    assert alerts.reason() == "The webhook answered 500: check ANALYTICS_ALERT_WEBHOOK."
    webhook.status = 302
    assert alerts.reason() == "The webhook answered 302: check ANALYTICS_ALERT_WEBHOOK."
    webhook.status = 200
    failed = project.load("user").run_id
    assert alerts.reason() == "Told."
    assert alerts.reason() == "Nothing new to tell."
    demo_api.heal()
    project.load_all("user")
    assert alerts.reason() == "Told."
    assert alerts.reason() == "Nothing new to tell."
    assert webhook.texts == [
        "*analytics_assets needs attention*\n"
        "• analytics/user was not loaded: GET /v2/user answered 403: the token in ACCESS_TOKEN was "
        "rejected for this endpoint (Not authorized). Check that it is the right one and has not "
        "expired, give it that access, or leave user out of the selection. "
        f"<http://127.0.0.1:3000/runs/{failed}|Open the run>",
        "*analytics_assets is well again* after 1 min: the load of analytics/user",
    ]
    assert TOKEN not in json.dumps(webhook.bodies)


@pytest.mark.long(reason="several loads each")
def test_a_reload_that_failed_is_told_until_its_asset_is_loaded(
    tmp_path: Path, demo_api: DemoApi, webhook: Webhook, alerts: Ticks
) -> None:
    project = Project(tmp_path, demo_api.url, instance=alerts.instance)
    project.load_all("deployments", "deployment_events")
    demo_api.fail("deployment_events", "status", status=403, times=None)
    window = as_window(start="2026-05-01", end="2026-06-01")
    failed = reload_past(demo_api.url, instance=alerts.instance, run_config=window)
    assert not failed.success
    assert alerts.reason() == "Told."
    assert alerts.reason() == "Nothing new to tell."
    demo_api.heal()
    project.load_all("deployments", "deployment_events")
    assert alerts.reason() == "Told."
    alert, recovery = webhook.texts
    assert "analytics/deployment_events was not loaded: 11 of 11 parents asked for" in alert
    assert "analytics/deployments was" not in alert, "it was loaded"
    assert f"runs/{failed.run_id}|" in alert
    assert recovery.endswith("the load of analytics/deployment_events")


def lose_a_row(project: Project) -> None:
    """Deletes a row in the warehouse, which the next load brings again."""
    with duckdb.connect(str(project.file)) as warehouse:
        warehouse.execute(
            "DELETE FROM analytics.aliases WHERE id = (SELECT min(id) FROM analytics.aliases)"
        )


@pytest.mark.long(reason="several loads each")
def test_a_check_that_fails_is_told_and_its_recovery_too(
    tmp_path: Path, demo_api: DemoApi, webhook: Webhook, alerts: Ticks
) -> None:
    project = Project(tmp_path, demo_api.url, instance=alerts.instance)
    project.load_all("aliases")
    lose_a_row(project)
    project.check("aliases")
    assert alerts.reason() == "Told."
    project.load_all("aliases")
    project.check("aliases")
    assert alerts.reason() == "Told."
    alert, recovery = webhook.texts
    assert "analytics/aliases:rows_did_not_fall failed: aliases has 59 rows, and had 60" in alert
    assert "|Open the run>" in alert
    assert recovery.endswith("the check analytics/aliases:rows_did_not_fall")


@pytest.mark.long(reason="several loads each")
def test_a_recovery_is_told_though_the_next_run_is_already_under_way(
    tmp_path: Path, demo_api: DemoApi, webhook: Webhook, alerts: Ticks
) -> None:
    project = Project(tmp_path, demo_api.url, instance=alerts.instance)
    project.load_all("aliases")
    demo_api.fail("user", "status", status=403, times=None)
    lose_a_row(project)
    project.load("user")
    project.check("aliases")
    assert alerts.reason() == "Told."
    demo_api.heal()
    project.load_all("user", "aliases")
    project.check("aliases")
    job = build_definitions(ANALYTICS).resolve_implicit_global_asset_job_def()
    unfinished = alerts.instance.create_run_for_job(job)
    planned = alerts.instance.get_asset_records([asset_key("user")])[0].asset_entry.last_run_id
    assert planned == unfinished.run_id
    assert alerts.reason() == "Told."
    recovery = webhook.texts[-1]
    assert recovery.startswith("*analytics_assets is well again*")
    assert "the load of analytics/user" in recovery
    assert "the check analytics/aliases:rows_did_not_fall" in recovery


def test_an_asset_that_stays_stale_is_told(webhook: Webhook, alerts: Ticks) -> None:
    user = asset_key("user")

    def turn(state: FreshnessState, minutes_ago: float) -> None:
        changed = time.time() - minutes_ago * 60
        event = FreshnessStateChange(
            key=user,
            new_state=state,
            previous_state=FreshnessState.UNKNOWN,
            state_change_timestamp=changed,
        )
        alerts.instance._report_runless_asset_event(event)

    turn(FreshnessState.FAIL, minutes_ago=1)
    assert alerts.reason() == "Nothing new to tell.", "it is being loaded"
    turn(FreshnessState.FAIL, minutes_ago=4)
    assert alerts.reason() == "Told."
    turn(FreshnessState.PASS, minutes_ago=0)
    assert alerts.reason() == "Told."
    alert, recovery = webhook.texts
    assert "analytics/user is stale: it was last loaded at" in alert
    assert recovery.endswith("the freshness of analytics/user")


def test_a_child_that_was_skipped_says_so(
    tmp_path: Path, demo_api: DemoApi, webhook: Webhook, alerts: Ticks
) -> None:
    demo_api.fail("teams", "status", status=403, times=None)
    Project(tmp_path, demo_api.url, instance=alerts.instance).load("teams", "teams_member")
    assert alerts.reason() == "Told."
    (text,) = webhook.texts
    assert "analytics/teams was not loaded: GET /v2/teams answered 403" in text
    assert "analytics/teams_member was not loaded: what it is made from was not." in text


def test_a_webhook_that_is_down_or_missing_harms_nothing_and_is_not_named() -> None:
    instance = DagsterInstance.ephemeral()
    assert (
        "is not set: nobody is told"
        in Ticks("alerts", instance, alert_webhook=AlertWebhook()).reason()
    )
    run = (
        build_definitions(ANALYTICS)
        .resolve_job_def("load_daily")
        .execute_in_process(
            instance=instance,
            run_config={"resources": {"api": {"config": {"max_retries": 0}}}},
            raise_on_error=False,
        )
    )
    assert not run.success, "no address is set"
    down = AlertWebhook(url=f"http://127.0.0.1:9/{SECRET}")
    reason = Ticks("alerts", instance, alert_webhook=down).reason()
    assert reason == "The webhook did not answer (ConnectionError): check ANALYTICS_ALERT_WEBHOOK."
    assert SECRET not in repr(down)
