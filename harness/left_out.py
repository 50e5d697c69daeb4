"""Lets a run of some tests say which it has left out, and why: `pytest -p` loads it as a plugin.

`@pytest.mark.long(reason=...)` says why a test is no part of `make test`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

LONG = "long"

_left: Counter[str] = Counter()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Counts the tests that are left out, in each process of tests."""
    for item in items:
        marker = item.get_closest_marker(LONG)
        if marker is not None:
            _left[marker.kwargs["reason"]] += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hands the counts to the process that has started the others."""
    output: Any = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[LONG] = dict(_left)


class Workers:
    """Takes the counts of the processes of tests: each collects all tests."""

    def pytest_testnodedown(self, node: Any) -> None:
        """Takes those of one that has ended."""
        _left.update(Counter(getattr(node, "workeroutput", {}).get(LONG, {})) - _left)


def pytest_configure(config: pytest.Config) -> None:
    """Listens to processes of tests where there are any."""
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(Workers())


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says what was left out."""
    for reason, tests in sorted(_left.items()):
        terminalreporter.write_line(f"Left to make test-all: {tests} of {reason}.")
