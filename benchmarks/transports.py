"""What a request costs over the libraries that could carry it: `python -m benchmarks.transports`.

Each asks the demo API for the events of the same deployments, over as many connections, in turn and
round by round. The figure is processor time, and a ratio to libcurl's.
"""

from __future__ import annotations

import asyncio
import importlib.util
import resource
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import aiohttp
from requests import Request, Session

from analytics_assets.source.transfer import Way
from analytics_assets.source.transport import Transport
from harness.demo_server import DemoServer

CONNECTIONS = 32
DEPLOYMENTS = 2_000
ROUNDS = 3
HEADERS = {"Authorization": "Bearer demo-token"}

Ask = Callable[[Sequence[str]], int]
"""Asks for addresses; gives the bytes that came."""


def ask_by_libcurl(urls: Sequence[str]) -> int:
    """The project's own transport."""
    transport = Transport(Way(60.0, verify=True, proxies={}), CONNECTIONS)
    waiting, received = iter(urls), 0
    while True:
        while transport.under_way < CONNECTIONS and (url := next(waiting, None)):
            transport.send(Request("GET", url, headers=HEADERS).prepare())
        if not transport.under_way:
            transport.close()
            return received
        for _, outcome in transport.ended():
            if isinstance(outcome, Exception):
                raise outcome
            received += len(outcome.content)
        transport.wait()


def ask_by_aiohttp(urls: Sequence[str]) -> int:
    """The client of asyncio that most use."""

    async def ask_all() -> int:
        waiting = iter(urls)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(headers=HEADERS, connector=connector) as session:

            async def ask() -> int:
                received = 0
                for url in waiting:
                    async with session.get(url) as response:
                        received += len(await response.read())
                return received

            return sum(await asyncio.gather(*(ask() for _ in range(CONNECTIONS))))

    return asyncio.run(ask_all())


def ask_by_niquests(urls: Sequence[str]) -> int:
    """A successor of requests. It takes the place of urllib3, and so is no part of the set-up."""
    import niquests  # type: ignore[import-not-found]

    async def ask_all() -> int:
        waiting = iter(urls)
        async with niquests.AsyncSession(pool_maxsize=CONNECTIONS) as session:
            session.headers.update(HEADERS)

            async def ask() -> int:
                return sum([len((await session.get(url)).content) for url in waiting])

            return sum(await asyncio.gather(*(ask() for _ in range(CONNECTIONS))))

    return asyncio.run(ask_all())


def ask_by_requests(urls: Sequence[str]) -> int:
    """One request after the other."""
    with Session() as session:
        session.headers.update(HEADERS)
        return sum(len(session.get(url).content) for url in urls)


def main() -> None:
    """Prints a line for each library."""
    with DemoServer("--deployments", str(DEPLOYMENTS), "--events", "30") as demo:
        base = f"http://127.0.0.1:{demo.port}"
        urls = [f"{base}/v3/deployments/{uid}/events?limit=100" for uid in _deployments(demo)]
        asks: dict[str, Ask] = {
            "libcurl": ask_by_libcurl,
            "aiohttp": ask_by_aiohttp,
            "requests": ask_by_requests,
        }
        if importlib.util.find_spec("niquests"):
            asks["niquests"] = ask_by_niquests
        else:
            print("SKIPPED: niquests is not installed.")
        costs: dict[str, list[float]] = {name: [] for name in asks}
        for _ in range(ROUNDS):
            for name, ask in asks.items():
                costs[name].append(_processor_time(partial(ask, urls)))
        unit = statistics.median(costs["libcurl"])
        for name, seconds in costs.items():
            print(f"{name:10} {statistics.median(seconds) / unit:5.2f} times libcurl's")


def _deployments(demo: Any) -> list[str]:
    found: list[str] = []
    cursor = ""
    while len(found) < DEPLOYMENTS:
        body = demo.get(f"/v6/deployments?limit=100{cursor}").json()
        found += [each["uid"] for each in body["deployments"]]
        cursor = f"&until={body['pagination']['next']}"
    return found


def _processor_time(step: Callable[[], int]) -> float:
    def now() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    began = now()
    if not step():
        raise ValueError("Nothing came.")
    return now() - began


if __name__ == "__main__":
    main()
