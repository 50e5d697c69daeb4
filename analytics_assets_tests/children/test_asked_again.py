"""The last lines of a build come after its state: its deployment is asked for once more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from analytics_assets.configuration import ANALYTICS, ConfigurationError, validate
from analytics_assets.source import fan_out
from analytics_assets.source.columns import LOAD_ID
from analytics_assets.source.limits import Limits
from harness.configurations import words_of
from harness.families import EVENTS, Server, serving
from harness.project import Project, metadata

CHILD = "deployment_events"
MINUTE = 60_000


def ended(minutes_ago: int) -> dict[str, int]:
    """The times of a deployment that ended so long ago, after half an hour."""
    end = int(time.time() * 1000) - minutes_ago * MINUTE
    return {"ready": end, "buildingAt": end - 25 * MINUTE, "created": end - 30 * MINUTE}


def loads_of(project: Project) -> list[Any]:
    return project.query("select load_id from analytics._dlt_loads order by 1")


@pytest.mark.long(reason="several loads each")
def test_lines_that_come_after_the_end_of_a_build_arrive_and_a_quiet_day_stays_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server({"late": ["1"], "old": ["1"], "dated_ahead": ["1"]})
    server.times = {"late": ended(10), "old": ended(90), "dated_ahead": ended(-3 * 24 * 60)}
    with serving(server, tmp_path) as (project, api):
        project.load_all("deployments", CHILD)
        first = project.rows(CHILD)
        server.parents["late"].append("2")
        api.asked.clear()
        report = metadata(project.load("deployments", CHILD), CHILD)
        assert api.paths() == ["/v6/deployments", EVENTS.format("late")]
        assert set(project.rows(CHILD)) == server.keys()
        assert (report["parents_asked_again"], report["rows_new"]) == (1, 1)
        assert report["rows_unchanged"] == 1
        assert project.rows(CHILD)[("late", "1")][LOAD_ID] == first[("late", "1")][LOAD_ID]

        # After an hour it is asked for a last time, whenever the next run is.
        server.parents["late"].append("3")
        later = int(time.time() * 1000) + 300 * MINUTE
        monkeypatch.setattr(fan_out, "epoch_milliseconds_now", lambda: later)
        project.load_all(CHILD)
        assert set(project.rows(CHILD)) == server.keys()
        api.asked.clear()
        loads = loads_of(project)
        assert "parents_asked_again" not in metadata(project.load(CHILD), CHILD)
        assert api.asked == []
        assert loads_of(project) == loads


def test_of_many_that_ended_the_newest_are_asked_for(tmp_path: Path) -> None:
    server = Server({str(number): ["1"] for number in range(5)})
    server.times = {str(number): ended(10 + number) for number in range(5)}
    with serving(server, tmp_path, limits=Limits(most_again=2)) as (project, api):
        project.load_all("deployments", CHILD)
        api.asked.clear()
        project.load_all(CHILD)
        assert sorted(api.paths()) == [EVENTS.format("0"), EVENTS.format("1")]


WRONG: list[tuple[str, Mapping[str, Any], str]] = [
    (CHILD, {"within_minutes": 0}, "`asked_again.within_minutes` is to be 1 minute or more"),
    (CHILD, {"after": []}, "`asked_again.after` names no field"),
    (CHILD, {"after": ["state"]}, "names `state`, which is no field of the type `number`"),
    (CHILD, {"after": ["ended"]}, "names `ended`, which is no field of the type `number`"),
    (CHILD, {"after": None}, "asked_again"),
    ("teams_member", {}, "stands without a parent that has `endpoint.incremental`"),
    ("projects", {}, "stands without a parent that has `endpoint.incremental`"),
]


@pytest.mark.parametrize(("name", "words", "said"), WRONG, ids=[case[2][:40] for case in WRONG])
def test_a_wrong_word_for_what_is_asked_again_is_refused(
    name: str, words: Mapping[str, Any], said: str
) -> None:
    config = deepcopy(ANALYTICS)
    resource: Any = words_of(config, name)
    resource["asked_again"] = {"within_minutes": 60, "after": ["ready"], **words}
    with pytest.raises(ConfigurationError, match="asked_again") as refused:
        validate(config)
    assert said in str(refused.value)
