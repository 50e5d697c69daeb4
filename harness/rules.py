"""Rules for all tests: which are long, and which share a process. `pytest -p` loads it as a plugin.

`@pytest.mark.long(reason=...)` says why a test is no part of `make test`, and
`@pytest.mark.long_but_first(reason=...)` why that has the first case of a test alone. What needs
another warehouse than DuckDB is long by itself.

In CI, where the environment variable of that name is set, a test that is skipped fails.

What a fixture starts once for each process of tests, and that takes long to start, is started by
one of them alone: the tests that use it are a group.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

import pytest

LONG = "long"
LONG_BUT_FIRST = "long_but_first"
OTHER_WAREHOUSES = {"postgres", "files"}
"""Fixtures, and parameters of fixtures, that stand for them."""
ELSEWHERE = "PostgreSQL and files as destination"

GROUPED = ("processes_of_cluster", "runs", "dev_server", "first_load", "loaded_thrice")
"""Fixtures whose tests run in one process."""
NIGHT, WAITING = "night", "waiting"
"""Further groups, of tests that wait more than they compute."""
BEGUN_FIRST = (NIGHT, WAITING, *GROUPED)
"""What is begun last may not take long."""

_left: Counter[str] = Counter()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is long by a rule, before any is left out, and puts those first that wait."""
    seen: set[Any] = set()
    for item in items:
        if reason := _reason(item, seen):
            item.add_marker(pytest.mark.long(reason=reason))
        for fixture in set(GROUPED) & _fixtures(item):
            item.add_marker(pytest.mark.xdist_group(fixture))
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    group = item.get_closest_marker("xdist_group")
    return BEGUN_FIRST.index(group.args[0]) if group else len(BEGUN_FIRST)


def _reason(item: pytest.Item, seen: set[Any]) -> str | None:
    """Why a test is long by a rule, where one says so."""
    if OTHER_WAREHOUSES & (_fixtures(item) | _texts(item)):
        return ELSEWHERE
    marker = item.get_closest_marker(LONG_BUT_FIRST)
    function = getattr(item, "function", None)
    if marker is None or item.get_closest_marker(LONG):
        return None
    if function not in seen:
        seen.add(function)
        return None
    return str(marker.kwargs["reason"])


def _fixtures(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def _texts(item: pytest.Item) -> set[str]:
    """The parameters of a test that are texts."""
    callspec = getattr(item, "callspec", None)
    params = callspec.params.values() if callspec else ()
    return {each for each in params if isinstance(each, str)}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fails in CI what was skipped: a promise that nothing holds there."""
    report = yield
    is_expected_to_fail = hasattr(report, "wasxfail")
    if report.skipped and not is_expected_to_fail and "CI" in os.environ:
        report.outcome = "failed"
        report.longrepr = f"Skipped, where nothing may be: {report.longreprtext}"
    return report


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Counts the tests that `-m` leaves out, in each process of tests."""
    for item in items if items[0].config.option.markexpr else ():
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
    """Says what was left out by the choice of `-m`."""
    for reason, tests in sorted(_left.items()):
        terminalreporter.write_line(f"Left to make test-all: {tests} of {reason}.")
