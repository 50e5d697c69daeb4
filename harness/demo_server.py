"""A demo API in a process of its own, and the requests that the tests make of it."""

import subprocess
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import requests

from harness.processes import REPOSITORY

COMMAND = (sys.executable, "-m", "analytics_assets.demo_api")
ANCHOR = "2025-06-02T12:00:00Z"
ANCHOR_MS = 1_748_865_600_000

LISTS = {
    "projects": ("/v9/projects", "projects"),
    "teams": ("/v2/teams", "teams"),
    "deployments": ("/v6/deployments", "deployments"),
    "auth_tokens": ("/v5/user/tokens", "tokens"),
    "aliases": ("/v4/aliases", "aliases"),
    "environments": ("/v9/projects/{}/env", "envs"),
    "teams_member": ("/v2/teams/{}/members", "members"),
}
PARENTS = {"environments": "projects", "teams_member": "teams"}

Row = dict[str, Any]


class DemoServer:
    """A running server; close it, or use it as a context manager, which kills it and is faster."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", *options],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.announcement = self.process.stdout.readline()
        self.url = next(word for word in self.announcement.split() if word.startswith("http"))
        self._session = requests.Session()
        self._session.headers["Authorization"] = "Bearer demo-token"

    def __enter__(self) -> "DemoServer":
        """Lend the server to a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Kill the server."""
        self._session.close()
        self.process.kill()
        self.process.communicate()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rsplit(":", 1)[1])

    def close(self) -> tuple[int, str]:
        """Stop it; return its exit code and what it wrote to stderr."""
        self._session.close()
        self.process.terminate()
        _, errors = self.process.communicate(timeout=10)
        return self.process.returncode, errors

    def get(self, path: str, **params: object) -> requests.Response:
        """Ask with the right token, following no redirect."""
        return self._session.get(
            self.url + path,
            params={name: str(value) for name, value in params.items()},
            timeout=10,
            allow_redirects=False,
        )

    def control(self, method: str, path: str, body: object = None, **params: str) -> Any:
        """Use a control route, which must succeed; return its answer."""
        url = f"{self.url}/_demo/{path}"
        response = requests.request(method, url, json=body, params=params, timeout=10)
        assert response.status_code == 200, response.text
        return response.json()

    def pages(self, path: str, **params: object) -> Iterator[Row]:
        """Follow the cursor from the first page to the last."""
        while True:
            page = self.get(path, **params).json()
            yield page
            following = page["pagination"]["next"]
            if following is None:
                return
            params["until"] = following

    def rows(self, operation: str, parent: str = "", **params: object) -> list[Row]:
        """Read a list to its end."""
        path, key = LISTS[operation]
        pages = self.pages(path.format(parent), **params)
        return [row for page in pages for row in page[key]]

    def parents(self, operation: str) -> list[str]:
        """The ids to fill into a path: one empty one for what is no child."""
        if operation not in PARENTS:
            return [""]
        return [row["id"] for row in self.rows(PARENTS[operation], limit=100)]
