"""Requests that are sent before they are asked for cost no row, no second request and no time."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timezone
from pathlib import Path

from analytics_assets.configuration import ANALYTICS, read_api
from analytics_assets.source.client import ANSWERS_AHEAD
from harness.configurations import endpoint_words
from harness.demo_api import DemoApi, running_demo_api
from harness.project import Project, assert_equal, metadata

PARENTS = 200


def test_each_request_of_a_fan_out_is_sent_once_whatever_its_number_of_pages(
    tmp_path: Path,
) -> None:
    with running_demo_api("--teams", "40", "--members", "7", "--max-limit", "3") as api:
        project = Project(tmp_path, api.url)
        project.load_all("teams")
        with api.counted() as requests:
            project.load_all("teams_member")
        # Three pages of each, and a look at the first one again.
        assert requests == {"teams_member": 40 * 4}
        assert_equal(project.rows("teams_member"), api.rows("teams_member"))


def test_a_redirect_of_a_request_sent_ahead_is_followed(
    project: Project, demo_api: DemoApi
) -> None:
    project.load_all("deployments")
    for (parent,) in list(demo_api.rows("deployments"))[5:15]:
        moved = f"/v3/deployments/{parent}/events?limit=100&moved=1"
        demo_api.fail("deployment_events", "redirect", location=moved, parent=parent)
    project.load_all("deployment_events")
    assert_equal(project.rows("deployment_events"), demo_api.rows("deployment_events"))


def test_what_failed_ahead_waits_for_its_retry_together(tmp_path: Path) -> None:
    failed, backoff = 20, 0.5
    with running_demo_api("--deployments", str(PARENTS), "--events", "1") as api:
        project = Project(tmp_path, api.url, backoff_factor=backoff)
        project.load_all("deployments")
        api.fail("deployment_events", "status", status=503, times=failed)
        loaded = metadata(project.load("deployment_events"), "deployment_events")
        sent = [entry["at"] for entry in api.log("deployment_events")]
        assert loaded["retries"] == failed
        assert sent[-1] - sent[0] < failed * backoff / 2
        assert_equal(project.rows("deployment_events"), api.rows("deployment_events"))


def test_a_last_page_without_a_row_that_is_wanted_costs_no_other_row(tmp_path: Path) -> None:
    """The API does not heed the first moment asked for, so that its last pages are too old."""
    config = deepcopy(ANALYTICS)
    endpoint_words(config, "deployments")["incremental"]["start_param"] = "ignored"
    with running_demo_api("--deployments", "300", "--max-limit", "7") as api:
        served = api.rows("deployments")
        moments = sorted(row["created"] for row in served.values())
        start = moments[len(moments) // 2] // 86_400_000 * 86_400_000
        project = Project(tmp_path, api.url, read_api(config), start_date=iso_day(start))
        project.load_all("deployments")
        wanted = {key: row for key, row in served.items() if row["created"] >= start}
        assert_equal(project.rows("deployments"), wanted)


def iso_day(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).date().isoformat()


def test_no_more_is_asked_ahead_of_a_slow_answer_where_all_others_are_errors(
    tmp_path: Path,
) -> None:
    connections = 4
    with running_demo_api("--deployments", str(PARENTS), "--events", "1") as api:
        project = Project(tmp_path, api.url, connections=connections)
        project.load_all("deployments")
        api.fail("deployment_events", "hang", seconds=1, times=1)
        api.fail("deployment_events", "status", status=403, times=None)
        with api.counted() as requests:
            assert not project.load("deployment_events").success
        assert requests["deployment_events"] <= (ANSWERS_AHEAD + 2) * connections
