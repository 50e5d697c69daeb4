"""The simulation of a large first load gives the answers that can be had on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics_assets.source.limits import LIMITS
from benchmarks.postgres_costs import Costs
from benchmarks.simulation import MINUTE, Plan, Simulation, usage

NOTHING = dict.fromkeys(Costs.__annotations__, 0.0)
FREE = Costs(**{**NOTHING, "rows": 30, "rows_per_second": 1e12})
"""A load in which nothing but its requests takes time."""
REQUESTS = 240_000
UNLIMITED = 10**9


def plan(costs: dict[str, float] | None = None, **options: Any) -> Plan:
    return Plan(replace(FREE, **(costs or {})), deployments=REQUESTS, **options)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_under_a_limit_the_limit_decides_whatever_the_workers(workers: int) -> None:
    limited = plan(workers=workers, limit=1000)
    outcome = Simulation(limited).run()
    assert outcome.seconds == pytest.approx(REQUESTS / 1000 * MINUTE, rel=0.01)
    assert outcome.requests == REQUESTS
    assert outcome.rows == REQUESTS * FREE.rows
    used = usage(limited, outcome)
    assert max(used, key=lambda name: used[name]) == "the API's limit"


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_without_a_limit_latency_decides_and_workers_share_it(workers: int) -> None:
    waiting = plan(workers=workers, limit=UNLIMITED, latency=0.2, connections=32)
    seconds = REQUESTS * 0.2 / 32 / workers
    assert Simulation(waiting).run().seconds == pytest.approx(seconds)


@pytest.mark.parametrize("workers", [1, 4])
def test_a_server_that_writes_slowly_decides_whatever_the_workers(workers: int) -> None:
    slow = plan({"rows_per_second": 1000}, workers=workers, limit=UNLIMITED, latency=0)
    outcome = Simulation(slow).run()
    assert outcome.seconds == pytest.approx(REQUESTS * FREE.rows / 1000)
    assert outcome.writing == pytest.approx(outcome.seconds)


def test_without_an_index_reading_grows_by_the_square() -> None:
    reading = plan({"unindexed_read": 1e-6}, months=1, limit=UNLIMITED, latency=0)
    batches = REQUESTS / LIMITS.parents_per_load
    rows_before_each = LIMITS.parents_per_load * FREE.rows * (batches - 1) / 2
    assert Simulation(replace(reading, is_indexed=False)).run().reading == pytest.approx(
        batches * rows_before_each * 1e-6
    )
    assert Simulation(reading).run().reading == 0


def test_each_month_is_a_run_that_has_to_start() -> None:
    starting = plan({"run": 30}, months=12, workers=4, limit=UNLIMITED, latency=0)
    outcome = Simulation(starting).run()
    assert outcome.runs == 12
    assert outcome.seconds == pytest.approx(12 / 4 * 30)
