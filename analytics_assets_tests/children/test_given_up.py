"""A fan-out is given up after some bad parents, and goes on where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics_assets.source.limits import Limits
from harness.families import EVENTS, Server, refused, serving
from harness.project import metadata, sentence


@pytest.mark.long(reason="several loads each")
def test_an_endpoint_that_is_down_is_given_up_after_some_parents(tmp_path: Path) -> None:
    server = Server({f"dpl_{number:03}": ["1"] for number in range(300)})
    with serving(server, tmp_path, most_bad_parents=3, connections=4) as (project, api):
        project.load_all("deployments")
        server.wrong = dict.fromkeys(server.parents, refused(503))
        api.asked.clear()
        told = sentence(project, "deployment_events")
        assert told.startswith("GET /v3/deployments/dpl_")
        assert "answered 503 in each of 4 attempts" in told
        assert len(api.asked) < 40
        # Half of them answer: who did is stored, and the next run goes on behind them.
        server.wrong = dict.fromkeys(list(server.parents)[::2], refused(410))
        told = sentence(project, "deployment_events")
        assert "The others were not asked any more (`most_bad_parents` of `api`)." in told
        stored = set(project.rows("deployment_events"))
        assert stored <= server.keys(*server.wrong)
        server.wrong.clear()
        api.asked.clear()
        project.load_all("deployment_events")
        assert set(project.rows("deployment_events")) == server.keys()
        answered = {EVENTS.format(parent) for parent, _ in stored}
        assert sorted(api.paths()) == sorted(
            {EVENTS.format(parent) for parent in server.parents} - answered
        )


def test_refusals_of_those_asked_first_say_nothing_of_the_token_for_the_others(
    tmp_path: Path,
) -> None:
    teams = [f"team_{number:02}" for number in range(12)]
    server = Server({team: ["1"] for team in teams})
    server.wrong = dict.fromkeys(teams[:4], refused(403))
    with serving(server, tmp_path, most_bad_parents=3) as (project, _):
        project.load_all("teams")
        told = sentence(project, "teams_member")
        assert told.startswith("4 of 4 parents asked for teams_member could not be read: the token")
        assert "The others were not asked any more" in told
        assert "was rejected for this endpoint" not in told
        project.load("teams_member")
        assert set(project.rows("teams_member")) == server.keys(*server.wrong)


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("status", [401, 429])
def test_what_meets_all_parents_fails_at_once(tmp_path: Path, status: int) -> None:
    server = Server({"a": ["1"], "b": ["1"]})
    with serving(server, tmp_path, max_retries=0) as (project, api):
        project.load_all("deployments", "deployment_events")
        server.parents |= {"c": ["1"], "d": ["1"]}
        server.wrong = {"c": refused(status), "d": refused(status)}
        project.load_all("deployments")
        api.asked.clear()
        assert f"events answered {status}" in sentence(project, "deployment_events")
        assert len(api.asked) <= 2


@pytest.mark.long(reason="several loads each")
def test_in_full_who_was_not_asked_counts_as_listed_and_is_asked_first(tmp_path: Path) -> None:
    teams = [f"team_{number}" for number in range(8)]
    server = Server({team: ["1"] for team in teams})
    with serving(server, tmp_path, most_bad_parents=2) as (project, api):
        project.load_all("teams", "teams_member")
        server.wrong = dict.fromkeys(teams[:4], refused(403))
        for team in teams[4:]:
            server.parents[team].append("2")
        project.load("teams_member")
        found = project.check("teams_member", "rows_no_longer_listed")["rows_no_longer_listed"]
        assert found.metadata["rows"].value == 0
        project.load("teams_member")
        assert set(project.rows("teams_member")) == server.keys(), "all that could be read"
        api.asked.clear()
        told = sentence(project, "teams_member")
        assert told.startswith("3 of 7 parents of teams_member")
        server.wrong.clear()
        report = metadata(project.load("teams_member"), "teams_member")
        assert "parents_pending" not in report
        assert report["rows_no_longer_listed"] == 0


def test_a_reload_stores_the_siblings_and_the_next_run_asks_for_the_bad_one(
    tmp_path: Path,
) -> None:
    names = ("deployments", "deployment_events")
    window = {"start": "2026-05-01", "end": "2026-07-01"}
    of_window = {"ops": {names[1]: {"config": window}}}
    server = Server({"a": ["1"], "bad": ["1"], "c": ["1"], "lost": ["1"]})
    with serving(server, tmp_path) as (project, api):
        project.load_all(*names)
        for children in server.parents.values():
            children.append("2")
        server.wrong = {"bad": refused(500), "lost": refused(404)}
        assert sentence(project, names[1], run_config=of_window).startswith("1 of 4 parents")
        assert set(project.rows(names[1])) == server.keys() - {("bad", "2"), ("lost", "2")}
        server.wrong.clear()
        api.asked.clear()
        project.load_all(names[1])
        assert sorted(api.paths()) == [EVENTS.format("bad"), EVENTS.format("lost")]
        assert set(project.rows(names[1])) == server.keys()


def test_a_run_that_dies_later_forgets_no_pending_parent(tmp_path: Path) -> None:
    limits = Limits(parents_per_load=4, fewest_parents=4)
    server = Server({f"dpl_{number}": ["1"] for number in range(12)})
    with serving(server, tmp_path, limits=limits) as (project, api):
        project.load_all("deployments")
        in_order = [
            row["id"]
            for row in project.query(
                "select id from analytics.deployments order by _dlt_load_id, _dlt_id"
            )
        ]
        server.wrong = {in_order[1]: refused(404), in_order[2]: refused(500)}
        server.wrong[in_order[9]] = refused(401)
        assert "answered 401" in sentence(project, "deployment_events")
        answered = {in_order[place] for place in (0, 3, 4, 5, 6, 7)}
        assert {parent for parent, _ in project.rows("deployment_events")} == answered
        server.wrong.clear()
        api.asked.clear()
        project.load_all("deployment_events")
        asked = {path.split("/")[3] for path in api.paths()}
        assert asked == set(in_order) - answered
        assert set(project.rows("deployment_events")) == server.keys()
