"""A server nobody here wrote: npm's `emulate`, which serves five of the nine resources."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from harness.commands import MATERIALIZE, run_cli
from harness.demo_api import PATHS, TOKEN, DemoApi
from harness.processes import REPOSITORY, TIMEOUT, free_port
from harness.project import Project, assert_equal, failures
from harness.stores import Row

HERE = Path(__file__).parent
PROGRAM = REPOSITORY / "node_modules" / "emulate" / "dist" / "index.js"
SERVED = ["teams", "user", "deployments", "deployment_events", "teams_member"]

pytestmark = pytest.mark.skipif(
    not (shutil.which("node") and PROGRAM.exists()),
    reason="emulate is not there: install Node.js with npm, then run `make test` again",
)


@pytest.fixture(scope="module")
def emulate() -> Iterator[DemoApi]:
    """Starts emulate with two teams and 120 deployments of three events without id each."""
    port = free_port()
    command = ["node", "--import", str(HERE / "emulate" / "loopback.mjs"), str(PROGRAM)]
    command += ["--service", "vercel", "--port", str(port)]
    command += ["--seed", str(HERE / "emulate" / "seed.yaml")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            api = Emulate(f"http://127.0.0.1:{port}")
            _wait_for(api)
            for number in range(120):
                _post(api, "/v13/deployments", name="shop" if number % 2 else "docs")
            yield api
        finally:
            server.terminate()


class Emulate(DemoApi):
    """It has none of the demo's own routes: its rows are asked for page by page."""

    def _list(self, resource: str, parent: str = "") -> list[Row]:
        path, selector = PATHS[resource]
        body = self.get(path.format(parent), limit=100)
        rows = body[str(selector)]
        if isinstance(rows, dict):
            return [rows]
        while (cursor := (body.get("pagination") or {}).get("next")) is not None:
            body = self.get(path.format(parent), limit=100, until=cursor)
            rows = [*rows, *body[str(selector)]]
        return list(rows)


def _wait_for(api: DemoApi) -> None:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        try:
            api.get("/v2/user")
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(api.url)


def _post(api: DemoApi, path: str, **body: Any) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    requests.post(api.url + path, json=body, headers=headers, timeout=TIMEOUT).raise_for_status()


@pytest.mark.long(reason="several loads each")
def test_five_resources_load_completely_and_the_other_four_fail_alone(
    tmp_path: Path, emulate: DemoApi
) -> None:
    project = Project(tmp_path, emulate.url)
    result = project.load()
    said = failures(result)
    assert sorted(said) == ["aliases", "auth_tokens", "projects"]
    for text in said.values():
        # The server's own words stand in between.
        assert "answered 404" in text
        assert ": the API at ANALYTICS_BASE_URL does not serve this request" in text
    assert (
        "environments needs the rows of projects"
        in failures(project.load("environments"))["environments"]
    )
    for resource in ("teams", "user", "deployments", "teams_member"):
        assert_equal(project.rows(resource), emulate.rows(resource))
    events = project.query("select _deployments_id, type, serial from analytics.deployment_events")
    assert sorted(tuple(row.values()) for row in events) == sorted(
        (uid, event["type"], event["serial"])
        for (uid,) in emulate.rows("deployments")
        for event in emulate.get(f"/v3/deployments/{uid}/events", limit=100)
    )
    assert len(events) == 3 * 120


@pytest.mark.long(reason="commands in processes of their own")
def test_the_cli_ends_with_exit_code_one(emulate: DemoApi) -> None:
    run = run_cli(*MATERIALIZE, "*", api=emulate)
    assert run.returncode == 1
    assert "GET /v4/aliases answered 404" in run.stderr + run.stdout
    assert run_cli(*MATERIALIZE, "analytics/teams", api=emulate).returncode == 0
