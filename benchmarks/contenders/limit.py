"""How fast it can be: an asyncio client that keeps the rows in memory and inserts them in bulk.

It has no retries, no types, no state, no history: it is a limit, not an alternative.
`python -m benchmarks.contenders.limit WAREHOUSE.duckdb`
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import duckdb
import orjson
import pyarrow as pa

CONNECTIONS = 32
ROWS_PER_INSERT = 50_000

Rows = list[dict[str, Any]]

LISTS = {
    "projects": ("/v9/projects", "projects"),
    "teams": ("/v2/teams", "teams"),
    "deployments": ("/v6/deployments", "deployments"),
    "auth_tokens": ("/v5/user/tokens", "tokens"),
    "aliases": ("/v4/aliases", "aliases"),
}
CHILDREN = {
    "environments": ("projects", "id", "/v9/projects/{}/env", "envs"),
    "teams_member": ("teams", "id", "/v2/teams/{}/members", "members"),
    "deployment_events": ("deployments", "uid", "/v3/deployments/{}/events", None),
}


class Api:
    """The API, over a bounded number of connections."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, path: str, params: dict[str, Any]) -> Any:
        """One answer."""
        async with self._session.get(path, params=params) as response:
            response.raise_for_status()
            return orjson.loads(await response.read())

    async def pages(self, path: str, selector: str | None) -> AsyncIterator[Rows]:
        """The pages of a list, one after the other."""
        params: dict[str, Any] = {"limit": 100}
        while True:
            body = await self.get(path, params)
            if selector is None:
                yield body or []
                return
            yield body[selector]
            cursor = (body.get("pagination") or {}).get("next")
            if cursor is None:
                return
            params = {"limit": 100, "until": cursor}


class Table:
    """A table that is filled in bulk."""

    def __init__(self, warehouse: duckdb.DuckDBPyConnection, name: str) -> None:
        self._warehouse = warehouse
        self._name = name
        self._rows: Rows = []

    def add(self, rows: Rows) -> None:
        """Takes rows; inserts once there are enough."""
        self._rows += rows
        if len(self._rows) >= ROWS_PER_INSERT:
            self.flush()

    def flush(self) -> None:
        """Inserts what there is."""
        rows, self._rows = self._rows, []
        if not rows:
            return
        names = {name: None for row in rows for name in row}
        table = pa.table({name: _column([row.get(name) for row in rows]) for name in names})
        self._warehouse.register("batch", table)
        self._warehouse.execute(f"CREATE TABLE IF NOT EXISTS {self._name} AS FROM batch LIMIT 0")
        (known,) = self._warehouse.execute(
            f"SELECT list(column_name) FROM (DESCRIBE {self._name})"
        ).fetchall()[0]
        for name in names:
            if name not in known:
                self._warehouse.execute(f'ALTER TABLE {self._name} ADD COLUMN "{name}" VARCHAR')
        self._warehouse.execute(f"INSERT INTO {self._name} BY NAME FROM batch")


def _column(values: list[Any]) -> pa.Array:
    return pa.array(
        [v if v is None or isinstance(v, str) else orjson.dumps(v).decode() for v in values],
        pa.string(),
    )


async def load(api: Api, warehouse: duckdb.DuckDBPyConnection) -> None:
    """Loads all nine resources, each as soon as its parent is there."""

    async def load_list(name: str) -> list[Rows]:
        table, pages = Table(warehouse, name), []
        async for page in api.pages(*LISTS[name]):
            pages.append(page)
            table.add(page)
        table.flush()
        return pages

    async def load_children(name: str, parents: list[Rows]) -> None:
        _, field, path, selector = CHILDREN[name]
        table = Table(warehouse, name)
        pending = iter([row[field] for page in parents for row in page])

        async def work() -> None:
            for parent in pending:
                async for page in api.pages(path.format(parent), selector):
                    for row in page:
                        row["_parent"] = parent
                    table.add(page)

        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        table.flush()

    async def load_with_children(name: str) -> None:
        pages = await load_list(name)
        await asyncio.gather(
            *(
                load_children(child, pages)
                for child, (parent, *_) in CHILDREN.items()
                if parent == name
            )
        )

    async def load_user() -> None:
        table = Table(warehouse, '"user"')
        table.add([(await api.get("/v2/user", {}))["user"]])
        table.flush()

    await asyncio.gather(load_user(), *(load_with_children(name) for name in LISTS))


async def main() -> None:
    """Loads into the file named."""
    headers = {"Authorization": f"Bearer {os.environ['ACCESS_TOKEN']}"}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    with duckdb.connect(sys.argv[1]) as warehouse:
        warehouse.execute("CREATE SCHEMA IF NOT EXISTS analytics; USE analytics")
        async with aiohttp.ClientSession(
            os.environ["ANALYTICS_BASE_URL"], headers=headers, connector=connector
        ) as session:
            await load(Api(session), warehouse)


if __name__ == "__main__":
    asyncio.run(main())
