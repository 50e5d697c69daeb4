"""What a load costs the API, counted at the server."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.demo_api import DemoApi
from harness.project import Project


@pytest.mark.long(reason="several loads each")
@pytest.mark.usefixtures("all_loaded")
def test_a_run_with_nothing_new_asks_for_lists_and_the_children_of_mutable_parents(
    project: Project, demo_api: DemoApi
) -> None:
    with demo_api.counted() as requests:
        project.load_all()
    assert Counter(requests) == Counter(
        projects=1,
        teams=1,
        user=1,
        deployments=1,
        auth_tokens=1,
        aliases=1,
        environments=len(demo_api.rows("projects")),
        teams_member=len(demo_api.rows("teams")),
    )


@pytest.mark.long(reason="all nine resources, several times")
@pytest.mark.usefixtures("all_loaded")
def test_one_new_deployment_adds_one_events_request(project: Project, demo_api: DemoApi) -> None:
    with demo_api.counted() as idle:
        project.load_all()
    demo_api.add_deployments(1)
    with demo_api.counted() as requests:
        project.load_all()
    assert Counter(requests) - Counter(idle) == Counter(deployment_events=1)


@pytest.mark.usefixtures("all_loaded")
def test_a_deployments_request_asks_since_the_look_back(
    project: Project, demo_api: DemoApi
) -> None:
    newest = max(row["created"] for row in demo_api.rows("deployments").values())
    demo_api.control("POST", "/requests/reset")
    project.load_all("deployments")
    (entry,) = demo_api.control("GET", "/requests")["log"]
    three_days = 3 * 24 * 60 * 60 * 1000
    assert entry["query"] == {"limit": "100", "since": str(newest - three_days)}
