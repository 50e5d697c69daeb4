"""One parent that does not answer costs its siblings nothing, and is not forgotten."""

from __future__ import annotations

import time
from collections import Counter
from copy import deepcopy
from pathlib import Path

import pytest
from dagster import AssetCheckSeverity

from analytics_assets.checks import answers
from analytics_assets.configuration import ANALYTICS, ResourceConfig, read_api
from harness.configurations import words_of
from harness.families import EVENTS, MEMBERS, NOW, Server, listing, refused, serving
from harness.project import Project, metadata, sentence
from harness.scripted import Answer, Asked, scripted_api
from harness.stores import Store

HOUR = 3_600_000

KEYS: ResourceConfig = {
    **words_of(ANALYTICS, "teams_member"),
    "name": "keys",
    "primary_key": ["_teams_member_id", "id"],
    "endpoint": {"path": "/v1/members/{resources.teams_member.id}/keys", "data_selector": "keys"},
    "fields": {"id": "string"},
    "filled_from": {},
    "times": [],
    "column_descriptions": {},
}
FAMILIES = [("teams", "teams_member", MEMBERS), ("deployments", "deployment_events", EVENTS)]
FAULTS = {
    "forbidden": refused(403),
    "expired": refused(410),
    "wrong": refused(400),
    "broken": refused(500),
    "html": Answer(b"<html>"),
    "no_list": Answer({"error": {"message": "no"}}),
}
RETRIED = {"broken", "html"}


@pytest.mark.long(reason="several loads each")
@pytest.mark.parametrize(("parent", "child", "path"), FAMILIES, ids=["in full", "by time"])
def test_parents_that_do_not_answer_cost_their_siblings_nothing_and_are_asked_again(
    tmp_path: Path, parent: str, child: str, path: str
) -> None:
    children = {name: ["1", "2"] for name in ["first", *FAULTS, "last"]}
    server = Server(children, dict(FAULTS))
    with serving(server, tmp_path) as (project, api):
        project.load_all(parent)
        for asked in (8, 6 if parent == "deployments" else 8):
            api.asked.clear()
            told = sentence(project, child)
            assert told.startswith(f"6 of {asked} parents of {child} could not be read: ")
            assert set(project.rows(child)) == server.keys(*FAULTS)
            counts = Counter(api.paths())
            assert len(counts) == asked
            for name in FAULTS:
                assert counts[path.format(name)] in ((2, 4) if name in RETRIED else (1,))
        server.wrong.clear()
        api.asked.clear()
        project.load_all(child)
        assert set(project.rows(child)) == server.keys()
        wanted = FAULTS if parent == "deployments" else children
        assert Counter(api.paths()) == Counter(path.format(name) for name in wanted), "each once"
        api.asked.clear()
        assert "parents_pending" not in metadata(project.load(child), child)
        assert parent == "teams" or api.asked == []


SAID = {
    "forbidden": "the token may not read bad: GET {} answered 403 (Not authorized). "
    "What the others answered is stored. Each run asks for these again, and fails until they are "
    "answered. Give the token in ACCESS_TOKEN that access, or ask why it has none.",
    "broken": "bad: GET {} answered 500 (Not authorized). Each run asks for these again, and fails "
    "until they are answered. Materialize deployment_events again when the API is well.",
    "no_list": "bad: GET {} answered 200 without the declared list `$`: it has the keys ['error']. "
    "If the API has renamed it, change `data_selector` in the configuration. Each run asks for "
    "these again, and fails until they are answered. Materialize deployment_events again when the "
    "API is well.",
}


@pytest.mark.long(reason="several loads each")
def test_a_bad_parent_is_named_and_a_rejected_token_is_told_from_it(tmp_path: Path) -> None:
    server = Server({"good": ["1"], "bad": ["1"]})
    path = EVENTS.format("bad")
    with serving(server, tmp_path) as (project, _):
        project.load_all("deployments")
        server.wrong = dict.fromkeys(server.parents, FAULTS["forbidden"])
        told = sentence(project, "deployment_events")
        assert "answered 403: the token in ACCESS_TOKEN was rejected for this endpoint" in told
        del server.wrong["good"]
        for fault, said in SAID.items():
            server.wrong["bad"] = FAULTS[fault]
            told = sentence(project, "deployment_events")
            assert told.partition(" could not be read: ")[2] == said.format(path)


@pytest.mark.long(reason="several loads each")
def test_a_404_that_passes_is_asked_for_again(tmp_path: Path) -> None:
    server = Server({"a": ["e0"], "b": ["e0"]}, {"a": refused(404)})
    with serving(server, tmp_path) as (project, api):
        loaded = project.load("deployments", "deployment_events")
        report = metadata(loaded, "deployment_events")
        assert report["parents_pending"] == 1
        assert "parents_gone" not in report
        project.load_all("deployments", "deployment_events")
        assert set(project.rows("deployment_events")) == server.keys("a")
        assert project.check("deployment_events", "parents_answered")["parents_answered"].passed
        with pytest.MonkeyPatch.context() as patch:
            tomorrow = int(time.time() * 1000) + 25 * HOUR
            patch.setattr(answers, "epoch_milliseconds_now", lambda: tomorrow)
            found = project.check("deployment_events", "parents_answered")["parents_answered"]
            assert not found.passed
            assert found.severity is AssetCheckSeverity.WARN
            assert "a (answered 404, since 20" in str(found.description)
        server.wrong.clear()
        api.asked.clear()
        project.load_all("deployment_events")
        assert api.paths() == [EVENTS.format("a")]
        assert set(project.rows("deployment_events")) == server.keys()
        project.load_all("deployment_events")
        assert api.paths() == [EVENTS.format("a")]


@pytest.mark.long(reason="several loads each")
def test_a_404_while_the_list_lags_makes_nobody_gone(tmp_path: Path) -> None:
    server = Server({"a": ["1"], "b": ["1"]}, {"a": refused(404)})
    with serving(server, tmp_path) as (project, api):
        project.load_all("deployments")
        children = server.parents.pop("a")
        report = metadata(project.load("deployment_events"), "deployment_events")
        assert (report.get("parents_gone"), report["parents_pending"]) == (None, 1)
        server.parents["a"] = children
        server.wrong.clear()
        project.load_all("deployments", "deployment_events")
        assert set(project.rows("deployment_events")) == server.keys()
        # Who is not there in two runs is gone.
        server.parents["c"] = ["1"]
        server.times["c"] = {"created": NOW + HOUR}
        project.load_all("deployments")
        del server.parents["c"]
        for gone, pending in [(None, 1), (1, None)]:
            report = metadata(project.load("deployment_events"), "deployment_events")
            assert (report.get("parents_gone"), report.get("parents_pending")) == (gone, pending)
        api.asked.clear()
        project.load_all("deployment_events")
        assert api.asked == []


@pytest.mark.long(reason="several loads each")
def test_who_is_no_longer_listed_is_gone_and_not_asked_again(tmp_path: Path) -> None:
    server = Server({"a": ["1"], "b": ["1"], "c": ["1"]}, {"b": refused(500)})
    with serving(server, tmp_path) as (project, api):
        project.load_all("deployments")
        assert not project.load("deployment_events").success
        del server.parents["b"]
        server.wrong.clear()
        report = metadata(project.load("deployment_events"), "deployment_events")
        assert (report["parents_gone"], report.get("parents_pending")) == (1, None)
        api.asked.clear()
        project.load_all("deployment_events")
        assert api.asked == []
        # Of parents that are listed in full, the latest list tells.
        server.wrong = {"c": refused(403)}
        project.load_all("teams")
        assert not project.load("teams_member").success
        server.wrong.clear()
        del server.parents["c"]
        report = metadata(project.load("teams", "teams_member"), "teams_member")
        assert (report["parents_gone"], report.get("parents_pending")) == (1, None)
        assert MEMBERS.format("c") not in api.paths()[-2:]


@pytest.mark.long(reason="several loads each")
def test_rows_of_a_bad_parent_count_as_listed(tmp_path: Path, store: Store) -> None:
    server = Server({"a": ["1"], "b": ["1", "2"]})
    checks = ("rows_did_not_fall", "rows_no_longer_listed")
    with serving(server, tmp_path, store=store) as (project, _):
        project.load_all("teams", "teams_member")
        for wrong, missing in [(["b"], 1), (["a", "b"], 1), ([], 0)]:
            server.wrong = dict.fromkeys(wrong, refused(403))
            # The last list that `a` answered decides, not those that it did not.
            server.parents["a"] = ["2"] if wrong == ["b"] else ["1", "2"]
            project.load("teams_member")
            found = project.check("teams_member", *checks)
            assert found["rows_did_not_fall"].passed
            assert found["rows_no_longer_listed"].metadata["rows"].value == missing
        server.parents["b"] = ["2"]
        report = metadata(project.load("teams_member"), "teams_member")
        assert report["rows_no_longer_listed"] == 1


@pytest.mark.long(reason="several loads each")
def test_a_later_page_that_fails_ends_the_list_of_its_parent_alone(tmp_path: Path) -> None:
    children = {
        name: ["1", "2", "3", "4", "5"] for name in ("a", "broken", "cycle", "no_list", "z")
    }
    server = Server(dict(children), limit=2)
    server.wrong_pages = {
        ("broken", 2): refused(500),
        ("cycle", 2): listing("members", [{"uid": "3", "createdAt": NOW}], 2),
        ("no_list", 4): Answer({"envs": []}),
    }
    with serving(server, tmp_path) as (project, _):
        project.load_all("teams")
        told = sentence(project, "teams_member")
        assert told.startswith("3 of 5 parents of teams_member could not be read: ")
        assert "the API's cursor did not advance" in told
        stored = set(project.rows("teams_member"))
        assert server.keys("broken", "cycle", "no_list") <= stored <= server.keys()
        server.wrong_pages.clear()
        report = metadata(project.load("teams_member"), "teams_member")
        assert set(project.rows("teams_member")) == server.keys()
        assert report["rows_no_longer_listed"] == 0


def test_a_row_without_its_key_ends_the_list_of_its_parent_alone(tmp_path: Path) -> None:
    config = deepcopy(ANALYTICS)
    words_of(config, "teams_member")["primary_key"] = ["_teams_id", "id", "role"]
    server = Server({"a": ["1"], "bad": ["1"]})
    for team, role in [("a", {"role": "OWNER"}), ("bad", {})]:
        member = {"uid": "1", "createdAt": NOW, **role}
        server.wrong_pages[team, 0] = listing("members", [member])
    with serving(server, tmp_path, api=read_api(config)) as (project, _):
        project.load_all("teams")
        told = sentence(project, "teams_member")
        assert told.startswith("1 of 2 parents of teams_member could not be read: bad: ")
        assert "has a row without `role`" in told
        assert set(project.rows("teams_member")) == server.keys("bad")


def test_a_list_that_cannot_be_had_makes_nobody_gone(tmp_path: Path) -> None:
    server = Server({"a": ["1"], "b": ["1"]})
    down: list[str] = []

    def answer(asked: Asked) -> Answer:
        return refused(500) if asked.path in down else server.answer(asked)

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url)
        project.load_all("deployments")
        del server.parents["a"]
        down.append("/v6/deployments")
        report = metadata(project.load("deployment_events"), "deployment_events")
        assert (report.get("parents_gone"), report["parents_pending"]) == (None, 1)
        down.clear()
        report = metadata(project.load("deployment_events"), "deployment_events")
        assert (report["parents_gone"], report.get("parents_pending")) == (1, None)


@pytest.mark.long(reason="several loads each")
def test_grandchildren_below_a_bad_parent_are_asked_for_all_the_same(tmp_path: Path) -> None:
    config = deepcopy(ANALYTICS)
    config["resources"].append(KEYS)
    server = Server({"a": ["a1", "a2"], "b": ["b1", "b2"]})
    asked_keys: list[str] = []

    def answer(asked: Asked) -> Answer:
        if not asked.path.endswith("/keys"):
            return server.answer(asked)
        asked_keys.append(asked.path.split("/")[3])
        return listing("keys", [{"id": "key"}])

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url, read_api(config))
        project.load_all("teams", "teams_member", "keys")
        server.wrong = {"b": refused(403)}
        server.parents["a"] = ["a1"]
        assert not project.load("teams_member").success
        asked_keys.clear()
        project.load_all("keys")
        assert sorted(asked_keys) == ["a1", "b1", "b2"]
        found = project.check("keys", "parents_exist")["parents_exist"]
        assert found.metadata["rows_of_deleted_parents"].value == 1
