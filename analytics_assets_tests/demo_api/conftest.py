"""Servers for the tests: one that all may read from, and others with options of their own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from harness.demo_server import ANCHOR, DemoServer

StartDemo = Callable[..., DemoServer]


@pytest.fixture(scope="session")
def shared_demo() -> Iterator[DemoServer]:
    """Keep one server for all tests; its deployment at place 5 has 250 events."""
    with DemoServer("--anchor", ANCHOR, "--events-of", "5=250") as server:
        yield server


@pytest.fixture
def demo(shared_demo: DemoServer) -> Iterator[DemoServer]:
    """Lend the shared server; a test may order faults and settings, and change no row."""
    shared_demo.control("POST", "requests/reset")
    yield shared_demo
    shared_demo.control("DELETE", "faults")
    shared_demo.control(
        "POST",
        "settings",
        {
            "token": "demo-token",
            "latency": 0,
            "max_limit": None,
            "retry_after": True,
            "events_without_id": False,
            "rate_limits": {"all": None},
        },
    )


@pytest.fixture
def start_demo() -> Iterator[StartDemo]:
    """Start servers with options and stop them after the test."""
    with ExitStack() as servers:
        yield lambda *options: servers.enter_context(DemoServer(*options))
