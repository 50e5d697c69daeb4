"""What the page of an asset says: of the asset, and of each of its materializations."""

from __future__ import annotations

import base64
import json
import linecache
import logging
import re
import sys
import time
from collections import Counter
from copy import deepcopy
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetSpec,
    CodeReferencesMetadataValue,
    TableColumnLineage,
    TableMetadataValue,
    TableSchema,
)
from dlt.common import logger as dlt_logger
from PIL import Image

from analytics_assets.assets.dlt_log import dlt_logs_to
from analytics_assets.assets.preview import LONGEST_VALUE
from analytics_assets.configuration import ANALYTICS, Api, read_api
from analytics_assets.definitions import build_definitions
from analytics_assets.pictures.figure import LARGEST
from analytics_assets.source import telling
from harness.configurations import ANALYTICS_API
from harness.demo_api import RESOURCES, DemoApi, own_id, running_demo_api
from harness.project import FirstLoad, Project, assert_equal, metadata
from harness.stores import Row

DAY = 86_400_000


@pytest.fixture(scope="module")
def specs() -> dict[str, AssetSpec]:
    """The specs of all assets, by the names of their resources."""
    found = build_definitions(ANALYTICS).resolve_all_asset_specs()
    return {spec.key.path[-1]: spec for spec in found}


@pytest.mark.parametrize("name", RESOURCES)
def test_an_asset_says_what_it_is_where_it_comes_from_and_whom_to_ask(
    specs: dict[str, AssetSpec], name: str
) -> None:
    spec, resource = specs[name], ANALYTICS_API.resources[name]
    assert resource.description in str(spec.description)
    assert "`" not in str(spec.description), "the list of assets shows it as it is"
    assert "](" not in str(spec.description)
    assert spec.owners == ["team:data"]
    assert {"dlt", "rest_api"} <= spec.kinds
    assert spec.tags["cadence"] == resource.cadence["name"]
    incremental = name in ("deployments", "deployment_events")
    assert spec.tags["load"] == ("incremental" if incremental else "full_list")
    assert spec.metadata["dagster/table_name"] == f"analytics.{name}"
    assert spec.metadata["api_documentation"].value.startswith("https://")
    assert str(spec.metadata["endpoint"]).startswith("GET /v")


@pytest.mark.parametrize("name", RESOURCES)
def test_the_link_to_the_code_leads_to_the_configuration(
    specs: dict[str, AssetSpec], name: str
) -> None:
    references: CodeReferencesMetadataValue = specs[name].metadata["dagster/code_references"]
    (reference,) = references.code_references
    file, line = reference.source.rsplit(":", maxsplit=1)
    assert f'"name": "{name}"' in linecache.getline(file, int(line))


def test_columns_have_types_keys_descriptions_and_lineage(specs: dict[str, AssetSpec]) -> None:
    members = specs["teams_member"].metadata
    schema: TableSchema = members["dagster/column_schema"]
    columns = {column.name: column for column in schema.columns}
    assert {name: columns[name].type for name in ("_teams_id", "confirmed", "createdAt")} == {
        "_teams_id": "text",
        "confirmed": "bool",
        "createdAt": "bigint",
    }
    required = {name for name, column in columns.items() if not column.constraints.nullable}
    assert required == {"_teams_id", "id", "_dlt_load_id", "_dlt_id"}
    keys = [name for name, c in columns.items() if "primary key" in c.constraints.other]
    assert keys == list(ANALYTICS_API.resources["teams_member"].key)
    described = {name for name, column in columns.items() if column.description}
    assert {"_teams_id", "role", "createdAt", "_version", "_dlt_id", "_dlt_load_id"} <= described
    lineage: TableColumnLineage = members["dagster/column_lineage"]
    assert {
        (column, dep.asset_key.path[-1], dep.column_name)
        for column, deps in lineage.deps_by_column.items()
        for dep in deps
    } == {("_teams_id", "teams", "id"), ("team_id", "teams", "id")}
    with_lineage = {name for name, s in specs.items() if "dagster/column_lineage" in s.metadata}
    assert with_lineage == {
        name for name, resource in ANALYTICS_API.resources.items() if resource.parent
    }


def test_the_columns_are_those_of_the_table_and_spelled_as_it_spells_them(
    specs: dict[str, AssetSpec], project: Project, all_loaded: FirstLoad
) -> None:
    for name in RESOURCES:
        schema: TableSchema = specs[name].metadata["dagster/column_schema"]
        of_table = f"select column_name from duckdb_columns() where table_name = '{name}'"  # noqa: S608
        stored = {row["column_name"] for row in project.query(of_table)}
        assert stored <= {column.name for column in schema.columns}, name
        # The UI writes all names in lower case where a materialization has them, too.
        assert "dagster/column_schema" not in metadata(all_loaded.result, name)


def counts(loaded: dict[str, Any]) -> tuple[int, int, int]:
    return loaded["rows_new"], loaded["rows_changed"], loaded["rows_unchanged"]


def test_a_load_tells_new_changed_and_unchanged_rows_apart(
    project: Project, demo_api: DemoApi, all_loaded: FirstLoad
) -> None:
    held = {name: len(demo_api.rows(name)) for name in RESOURCES}
    assert {name: counts(metadata(all_loaded.result, name)) for name in RESOURCES} == {
        name: (count, 0, 0) for name, count in held.items()
    }
    newest = max(demo_api.rows("deployments").values(), key=lambda row: int(row["created"]))
    renamed = {"set": {"name": "renamed"}}
    demo_api.control("POST", f"/rows/deployments?id={own_id(newest)}", **renamed)
    ((team,), *_) = demo_api.rows("teams")
    demo_api.control("POST", f"/rows/teams?id={team}", **renamed)
    demo_api.add_deployments(2)

    second = project.load("projects", "teams", "teams_member", "deployments", "deployment_events")
    assert counts(metadata(second, "teams")) == (0, 1, held["teams"] - 1)
    assert counts(metadata(second, "projects")) == (0, 0, held["projects"])
    assert counts(metadata(second, "teams_member")) == (0, 0, held["teams_member"])
    new, changed, unchanged = counts(metadata(second, "deployments"))
    assert (new, changed) == (2, 1)
    assert unchanged > 0, "the look-back asks for them again"
    new, changed, unchanged = counts(metadata(second, "deployment_events"))
    assert new == len(demo_api.rows("deployment_events")) - held["deployment_events"]
    assert changed == 0
    again = [key for key in demo_api.rows("deployment_events") if key[0] == own_id(newest)]
    assert unchanged == len(again), "the events of the one that was renamed are asked for again"


def test_rows_that_come_twice_are_counted_once(tmp_path: Path) -> None:
    """Where `until` is inclusive, the rows at the boundary of two pages come on both."""
    with running_demo_api("--inclusive-until", "--max-limit", "20") as api:
        project = Project(tmp_path, api.url)
        held = len(api.rows("aliases"))
        assert counts(metadata(project.load("aliases"), "aliases")) == (held, 0, 0)
        assert counts(metadata(project.load("aliases"), "aliases")) == (0, 0, held)


def test_a_load_counts_what_it_sent_and_received(project: Project, demo_api: DemoApi) -> None:
    demo_api.fail("projects", "status", status=503, times=2)
    with demo_api.counted() as requests:
        loaded = metadata(project.load("projects"), "projects")
    assert (loaded["requests"], loaded["retries"]) == (requests["projects"], 2)
    body = json.dumps(demo_api.get("/v9/projects", limit=100), separators=(",", ":"))
    assert 0 < loaded["bytes_received"] <= 2 * len(body.encode())
    phases = [loaded[f"seconds_{phase}"] for phase in ("extracting", "normalizing", "loading")]
    assert 0 < sum(phases) <= loaded["seconds"]


@pytest.mark.long(reason="several loads each")
def test_the_watermark_moves_with_what_is_loaded(project: Project, demo_api: DemoApi) -> None:
    def newest() -> float:
        created = (row["created"] for row in demo_api.rows("deployments").values())
        return float(max(created)) / 1000

    first = project.load("deployments", "deployment_events")
    loaded = metadata(first, "deployments")
    assert "watermark_before" not in loaded, "nothing was loaded before"
    assert loaded["watermark_after"] == newest()
    before = newest()
    demo_api.add_deployments(1)
    second = project.load("deployments", "deployment_events")
    loaded = metadata(second, "deployments")
    assert (loaded["watermark_before"], loaded["watermark_after"]) == (before, newest())
    assert before < newest()
    events = metadata(second, "deployment_events")
    assert events["watermark_before"] == metadata(first, "deployment_events")["watermark_after"]
    assert events["watermark_before"] < events["watermark_after"] <= time.time()
    assert "watermark_after" not in metadata(project.load("teams"), "teams")
    nothing_new = metadata(project.load("deployment_events"), "deployment_events")
    assert nothing_new["watermark_before"] == nothing_new["watermark_after"]


def shown(loaded: dict[str, Any]) -> list[Row]:
    preview: TableMetadataValue = loaded["newest_rows"]
    return [dict(record.data) for record in preview.records]


def test_the_preview_shows_the_newest_rows(
    project: Project, all_loaded: FirstLoad, demo_api: DemoApi
) -> None:
    for name, time_field in {"deployments": "created", "aliases": "createdAt"}.items():
        rows = sorted(demo_api.rows(name).values(), key=lambda row: -int(row[time_field]))[:5]
        previewed = shown(metadata(all_loaded.result, name))
        assert [row["id"] for row in previewed] == [own_id(row) for row in rows]
    assert len(shown(metadata(all_loaded.result, "user"))) == 1
    texts = [value for row in previewed for value in row.values() if isinstance(value, str)]
    assert max(map(len, texts)) <= LONGEST_VALUE


def storing_secrets() -> Api:
    config = deepcopy(ANALYTICS)
    for resource in config["resources"]:
        if "withheld" in resource:
            resource["store_withheld"] = True
    return read_api(config)


@pytest.mark.long(reason="several loads each")
def test_no_preview_shows_a_secret_that_is_stored(tmp_path: Path) -> None:
    with running_demo_api("--secret-prefix", "hush-") as api:
        project = Project(tmp_path, api.url, storing_secrets())
        result = project.load("projects", "environments")
        stored = [row.get("value") for row in project.rows("environments").values()]
        assert any(str(value).startswith("hush-") for value in stored), "it is to be stored"
        for name in ("projects", "environments"):
            assert "hush-" not in str(metadata(result, name)), name


PICTURE = re.compile(r"!\[(.*)\]\(data:image/png;base64,(.*)\)")


def picture(loaded: dict[str, Any], name: str) -> tuple[str, Image.Image]:
    """What a picture says in words, and the picture."""
    found = PICTURE.fullmatch(loaded[name])
    assert found
    assert len(loaded[name]) <= LARGEST == 60_000
    return found[1], Image.open(BytesIO(base64.b64decode(found[2])))


@pytest.fixture
def today_api() -> Any:
    """A demo API whose newest rows are of today."""
    with running_demo_api("--anchor", datetime.now(timezone.utc).isoformat()) as api:
        yield api


@pytest.mark.usefixtures("pictures")
def test_the_pictures_of_deployments_show_the_last_30_days(
    tmp_path: Path, today_api: DemoApi
) -> None:
    project = Project(tmp_path, today_api.url)
    loaded = metadata(project.load("deployments"), "deployments")
    today = int(time.time() * 1000) // DAY
    rows = [
        row for row in today_api.rows("deployments").values() if row["created"] // DAY > today - 30
    ]
    said, image = picture(loaded, "deployments_per_day")
    told = {state: int(count) for count, state in re.findall(r"(\d+) ([A-Z]+)", said)}
    assert told == Counter(row["state"] for row in rows)
    assert image.mode == "RGBA", "the ground of either theme shows through"
    said, _ = picture(loaded, "build_time")
    built = {row["name"] for row in rows if row.get("ready") and row.get("buildingAt")}
    assert set(re.findall(r"([\w-]+) \d+ s", said)) == built

    nothing_new = metadata(project.load("deployments"), "deployments")
    assert not {"deployments_per_day", "build_time"} & set(nothing_new), "they have not changed"


@pytest.mark.long(reason="limits and time-outs that are waited for")
@pytest.mark.usefixtures("pictures")
def test_the_timeline_shows_the_requests_and_the_waits(tmp_path: Path) -> None:
    limit = "deployment_events=40/4"
    with running_demo_api("--deployments", "60", "--rate-limit", limit) as api:
        project = Project(tmp_path, api.url)
        project.load_all("deployments")
        loaded = metadata(project.load("deployment_events"), "deployment_events")
    said, _ = picture(loaded, "timeline")
    requests, _, waited = re.findall(r"[\d.]+", said)
    assert int(requests) == loaded["requests"]
    assert float(waited) > 0
    assert float(waited) == pytest.approx(loaded["seconds_waited"], abs=0.1)


@pytest.mark.usefixtures("pictures")
def test_without_the_plotting_library_there_are_no_pictures(
    tmp_path: Path, today_api: DemoApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    loaded = metadata(Project(tmp_path, today_api.url).load("deployments"), "deployments")
    assert loaded["rows_new"] > 0
    assert not {"deployments_per_day", "build_time", "timeline"} & set(loaded)


def lines_of(name: str, log: str) -> list[str]:
    """What a load said at INFO and above."""
    said = rf" - (?:INFO|WARNING|ERROR) - \S+ - \S+ - {name} - (.*)"
    return re.findall(said, log)


@pytest.mark.long(reason="several loads each")
def test_the_log_says_what_is_asked_for_since_when_and_what_came(
    project: Project, demo_api: DemoApi, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ("deployments", "deployment_events", "teams")
    project.load_all(*names)
    first = capfd.readouterr().err
    demo_api.fail("deployments", "status", status=503, times=1)
    project.load_all(*names)
    second = capfd.readouterr().err
    assert all(2 <= len(lines_of(name, log)) < 15 for name in names for log in (first, second))
    asked, since, again, came = lines_of("deployments", second)
    assert asked == "GET /v6/deployments: what is newer than 3 days before its newest row."
    assert again.startswith("GET /v6/deployments answered 503: it is asked again, 1 of 4 attempts")
    assert since == "Asked for what is newer than 2026-05-29 11:59 UTC."
    assert came.startswith("0 rows new, 0 changed, ")
    # Lists of events that are null, and columns without a value yet, are so on purpose.
    assert "Extracted data is None" not in first
    assert "did not receive any data" not in first


def test_lines_that_repeat_become_ever_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour of a line each second is told in seven."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    told: list[float] = []
    tell = telling.Sparsely(lambda _: told.append(now))
    for second in range(3600):
        now = float(second)
        tell("waiting")
    assert told == [0.0, 10.0, 40.0, 130.0, 400.0, 1210.0]


def test_warnings_of_dlt_reach_the_log_of_the_run_once(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.load_all("user")
    log: Any = logging.getLogger("a_run")
    with caplog.at_level(logging.INFO, "a_run"), dlt_logs_to(log):
        for _ in range(3):
            dlt_logger.warning("a table has changed its mind")
        dlt_logger.warning("The columns did not receive any data during this load: x")
    assert [entry for entry in caplog.record_tuples if entry[0] == log.name] == [
        ("a_run", logging.WARNING, "dlt: a table has changed its mind")
    ]


@pytest.mark.long(reason="several loads each")
def test_stored_secrets_are_stored_whole(tmp_path: Path) -> None:
    """`store_withheld` keeps what `withheld` names; all else is as it was."""
    with running_demo_api() as api:
        project = Project(tmp_path, api.url, storing_secrets())
        project.load_all("teams", "aliases")
        assert_equal(project.rows("teams"), api.rows("teams"))
