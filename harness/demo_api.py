"""The demo API over HTTP: what it holds, and what a test orders it to do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from harness.demo_server import LISTS, DemoServer
from harness.demo_server import PARENTS as LIST_PARENTS
from harness.processes import TIMEOUT
from harness.stores import Row

SMALL = (
    *("--projects", "8", "--variables", "3", "--members", "4"),
    *("--deployments", "130", "--events", "4"),
)
"""Options of a server whose loads are short; deployments have two pages all the same."""

FEW = ("--projects", "4", "--deployments", "30", "--aliases", "7", "--members", "5")
"""Options of a server with few rows: loads of all nine are short."""

TOKEN = "test-token"  # noqa: S105 - opens only the servers that tests start
ANCHOR = "2026-06-01T12:00:00+00:00"

Key = tuple[str, ...]
WITHHELD = ("protectionBypass", "passwordProtection", "inviteCode")
"""Whole fields that are not stored."""

# The paths and list keys of the demo's tests, and the two operations that are no paged list.
PATHS: dict[str, tuple[str, str | None]] = {
    **LISTS,
    "user": ("/v2/user", "user"),
    "deployment_events": ("/v3/deployments/{}/events", None),
}
PARENTS = {**LIST_PARENTS, "deployment_events": "deployments"}
RESOURCES = list(PATHS)


@dataclass(frozen=True)
class DemoApi:
    """A running demo API."""

    url: str
    token: str = TOKEN
    _session: requests.Session = dataclasses.field(default_factory=requests.Session, repr=False)

    def get(self, path: str, **params: Any) -> Any:
        """The body of a GET request."""
        response = self._session.get(
            self.url + path,
            params=params,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=TIMEOUT,
        )
        response.raise_for_status()
        return response.json()

    def rows(self, resource: str) -> dict[Key, Row]:
        """All rows the server holds of a resource, by key, whatever its pages would hold."""
        if resource not in PARENTS:
            return {(own_id(row),): neutral(row) for row in self._list(resource)}
        return {
            (parent_id, own_id(row)): neutral(row)
            for (parent_id,) in self.rows(PARENTS[resource])
            for row in self._list(resource, parent_id)
        }

    def _list(self, resource: str, parent: str = "") -> list[Row]:
        rows: list[Row] = self.control("GET", f"/rows/{resource}?parent={quote(parent, safe='')}")
        return rows

    def control(self, method: str, path: str, **json_body: Any) -> Any:
        """Asks the demo's own control routes."""
        url = f"{self.url}/_demo{path}"
        response = requests.request(method, url, json=json_body, timeout=TIMEOUT)
        response.raise_for_status()
        return response.json() if response.content else None

    def add_deployments(self, count: int = 1, **options: Any) -> list[str]:
        """Creates deployments, newer than all others; returns their ids."""
        uids: list[str] = self.control("POST", "/deployments", count=count, **options)["uids"]
        return uids

    def add_projects(self, *rows: Row) -> None:
        """Adds rows to the list of projects, byte for byte."""
        for place, row in enumerate(rows):
            body = json.dumps({"id": f"prj_{place}", "createdAt": place + 1, **row}).encode()
            url = f"{self.url}/_demo/rows/projects/add"
            requests.post(url, data=body, timeout=TIMEOUT).raise_for_status()

    def fail(self, operation: str, kind: str, **options: Any) -> None:
        """Makes an operation fail as the kind of fault says."""
        self.control("POST", "/faults", operation=operation, kind=kind, **options)

    def heal(self) -> None:
        """Ends all faults."""
        self.control("DELETE", "/faults")

    def log(self, operation: str) -> list[Row]:
        """The requests of an operation that the server has seen, oldest first."""
        log: list[Row] = self.control("GET", "/requests")["log"]
        return [entry for entry in log if entry["operation"] == operation]

    def reset(self) -> None:
        """Begins anew, with the rows of the start and no fault."""
        self.control("POST", "/reset")

    @contextmanager
    def counted(self) -> Iterator[dict[str, int]]:
        """Counts the requests of each operation inside the block, at the server."""
        counts: dict[str, int] = {}
        self.control("POST", "/requests/reset")
        yield counts
        counts.update(self.control("GET", "/requests")["counts"])


@contextmanager
def running_demo_server(*options: str) -> Iterator[tuple[DemoServer, DemoApi]]:
    """A demo API of its own, and the process that serves it."""
    with DemoServer("--token", TOKEN, "--anchor", ANCHOR, *options) as server:
        yield server, DemoApi(server.url)


@contextmanager
def running_demo_api(*options: str) -> Iterator[DemoApi]:
    """A demo API of its own, in a process of its own."""
    with running_demo_server(*options) as (_, api):
        yield api


def own_id(row: Mapping[str, Any]) -> str:
    """The id of a row as the API gives it, whatever it calls it."""
    payload = row.get("payload") or {}
    return str(row.get("id") or row.get("uid") or payload["id"])


def neutral(row: Row) -> Row:
    """The row as the warehouse is to hold it.

    Without what is withheld; a variable's single target is an array of one.
    """
    kept = {field: value for field, value in row.items() if field not in WITHHELD}
    if "key" in row:
        kept.pop("value", None)
        kept["target"] = [row["target"]] if isinstance(row["target"], str) else row["target"]
    if "env" in row:
        kept["env"] = [{**variable, "value": None} for variable in row["env"]]
    if hooks := (row.get("link") or {}).get("deployHooks"):
        emptied = [{**hook, "id": None, "url": None} for hook in hooks]
        kept["link"] = {**row["link"], "deployHooks": emptied}
    return kept


def settings_of(api: DemoApi) -> dict[str, str]:
    """The two settings that a user needs to load an API."""
    return {"ANALYTICS_BASE_URL": api.url, "ACCESS_TOKEN": api.token}
