"""A long list is read in several stretches of time at once, and holds what the server holds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from analytics_assets.source.stretches import FEW_PAGES, split
from harness.demo_api import running_demo_api
from harness.project import Project, assert_equal, metadata

DEPLOYMENTS = 300
PAGE = 5
PAGES = DEPLOYMENTS // PAGE
LONG = ["--deployments", str(DEPLOYMENTS), "--max-limit", str(PAGE)]
LATENCY = 50


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("options", [[], ["--inclusive-until"]], ids=["exclusive", "inclusive"])
def test_a_long_list_equals_the_server_in_a_few_requests_more(
    tmp_path: Path, options: list[str]
) -> None:
    with running_demo_api(*LONG, *options) as api:
        project = Project(tmp_path, api.url)
        with api.counted() as requests:
            project.load_all("deployments", "aliases")
        assert_equal(project.rows("deployments"), api.rows("deployments"))
        assert_equal(project.rows("aliases"), api.rows("aliases"))
        assert PAGES <= requests["deployments"] <= 2 * PAGES


@pytest.mark.long(reason="several loads each")
def test_pages_of_several_stretches_are_under_way_at_once(tmp_path: Path) -> None:
    with running_demo_api(*LONG, "--latency", str(LATENCY)) as api:
        project = Project(tmp_path, api.url)
        project.load_all("deployments")
        sent = [entry["at"] for entry in api.log("deployments")]
    alone = sent[: FEW_PAGES + 1]
    assert all(later - earlier >= LATENCY / 1000 for earlier, later in pairwise(alone))
    together = sent[FEW_PAGES:]
    assert together[-1] - together[0] < len(together) * LATENCY / 1000 / 2


@pytest.mark.long(reason="several loads each")
def test_a_short_list_is_read_page_by_page(tmp_path: Path) -> None:
    # Each page but the first begins with the last row of the one before.
    rows = PAGE + (PAGE - 1) * (FEW_PAGES - 1)
    with running_demo_api("--deployments", str(rows), "--max-limit", str(PAGE)) as api:
        loaded = metadata(Project(tmp_path, api.url).load("deployments"), "deployments")
        assert loaded["requests"] == FEW_PAGES
        assert all("since" not in entry["query"] for entry in api.log("deployments"))


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("kind", ["reset", "cut", "html"])
def test_a_page_of_a_stretch_that_fails_once_costs_no_row(tmp_path: Path, kind: str) -> None:
    with running_demo_api(*LONG) as api:
        api.fail("deployments", kind, after=PAGES // 2)
        project = Project(tmp_path, api.url)
        project.load_all("deployments")
        assert_equal(project.rows("deployments"), api.rows("deployments"))


def test_a_page_of_a_stretch_that_keeps_failing_loads_no_half_list(tmp_path: Path) -> None:
    with running_demo_api(*LONG) as api:
        api.fail("deployments", "status", status=503, after=PAGES // 2, times=None)
        project = Project(tmp_path, api.url)
        assert not project.load("deployments").success
        assert project.query("select * from duckdb_tables() where table_name = 'deployments'") == []
        api.heal()
        project.load_all("deployments")
        assert_equal(project.rows("deployments"), api.rows("deployments"))


@pytest.mark.parametrize("since", [None, 40])
def test_stretches_follow_each_other_without_a_gap(since: int | None) -> None:
    stretches = split([1000, 990, 980], since, beginning=100)
    assert stretches[0][1] == 980
    assert all(older[1] == newer[0] for newer, older in pairwise(stretches))
    assert stretches[-1][0] == (None if since is None else since + 1)
