"""What a first load of ten million deployments' events would take: a simulation of its schedule.

    python -m benchmarks.postgres_costs | python -m benchmarks.simulation

Workers take the months of a backfill in turn. In each they ask for the events of a batch of
deployments, under the API's limit, which is for all of them together, and hand its rows to
PostgreSQL, which writes one batch at a time and reads what a load looks up. Costs come from
`benchmarks.postgres_costs`; the tables that are printed stand in `docs/cluster.md`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

import simpy

from analytics_assets.demo_api.operations import OPERATIONS
from analytics_assets.resources import AnalyticsApi
from analytics_assets.source.limits import LIMITS
from benchmarks.postgres_costs import CHILD, Costs

MINUTE, HOUR = 60, 3600
WORKERS = (1, 2, 4)
Events = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Plan:
    """What is to be loaded, and by whom.

    Attributes:
        costs: What each step costs.
        deployments: How many there are.
        months: The months they are spread over, evenly.
        workers: Processes that load months at once.
        limit: Requests a minute that the API allows, to all workers together.
        connections: Requests that a worker has under way at once.
        latency: Seconds from a request to its answer.
        is_indexed: Whether the events' table has its index.
    """

    costs: Costs
    deployments: int = 10_000_000
    months: int = 24
    workers: int = 1
    limit: int = OPERATIONS[CHILD].requests_per_minute
    connections: int = AnalyticsApi().connections
    latency: float = 0.2
    is_indexed: bool = True


@dataclass
class Outcome:
    """What became of a plan.

    Attributes:
        seconds: Until all is loaded.
        asking: Seconds of the workers in which requests were under way.
        writing: Seconds of PostgreSQL in which rows were written.
        reading: Seconds of PostgreSQL in which stored rows were read.
        requests: Requests that were answered.
        rows: Rows that were stored.
        runs: Runs of Dagster.
    """

    seconds: float = 0
    asking: float = 0
    writing: float = 0
    reading: float = 0
    requests: int = 0
    rows: float = 0
    runs: int = 0


class Limit:
    """The API's limit: so many requests in each minute, first come, first served."""

    def __init__(self, env: simpy.Environment, allowed: int) -> None:
        self._env = env
        self._allowed = allowed
        self._minute = -1
        self._left = 0

    def take(self, wanted: int) -> int:
        """Uses up to so many requests of this minute; returns how many it still allows."""
        # Times are sums of fractions: one may miss the beginning of a minute by a bit.
        minute = int(round(self._env.now, 6) // MINUTE)
        if minute > self._minute:
            self._minute, self._left = minute, self._allowed
        taken = min(wanted, self._left)
        self._left -= taken
        return taken

    def next_minute(self) -> simpy.Event:
        """The moment from which on it allows more."""
        return self._env.timeout((self._minute + 1) * MINUTE - self._env.now)


class Simulation:
    """One plan, carried out."""

    def __init__(self, plan: Plan) -> None:
        self.outcome = Outcome()
        self._plan = plan
        self._env = simpy.Environment()
        self._limit = Limit(self._env, plan.limit)
        self._postgres = simpy.Resource(self._env)
        share, rest = divmod(plan.deployments, plan.months)
        self._months = iter([share + (month < rest) for month in range(plan.months)])

    def run(self) -> Outcome:
        """Carries it out, and says what it took."""
        for _ in range(self._plan.workers):
            self._env.process(self._work())
        self._env.run()
        self.outcome.seconds = self._env.now
        return self.outcome

    def _work(self) -> Events:
        """One worker: loads months, each by a run of its own, as long as there are any."""
        for deployments in self._months:
            yield self._env.timeout(self._plan.costs.run)
            for first in range(0, deployments, LIMITS.parents_per_load):
                batch = min(LIMITS.parents_per_load, deployments - first)
                yield from self._read(self._lookup())
                yield from self._ask(batch)
                yield from self._write(batch * self._plan.costs.rows)
            yield from self._read(self.outcome.rows * self._plan.costs.run_read)
            self.outcome.runs += 1

    def _lookup(self) -> float:
        """The seconds that PostgreSQL searches for the parents and the stored rows of a batch."""
        costs = self._plan.costs
        parents = self._plan.deployments * costs.parent_read
        return (
            parents if self._plan.is_indexed else parents + self.outcome.rows * costs.unindexed_read
        )

    def _ask(self, requests: int) -> Events:
        while requests:
            taken = self._limit.take(requests)
            if not taken:
                yield self._limit.next_minute()
                continue
            spent = taken * self._plan.latency / self._plan.connections
            yield self._env.timeout(spent)
            requests -= taken
            self.outcome.asking += spent
            self.outcome.requests += taken

    def _write(self, rows: float) -> Events:
        spent = rows / self._plan.costs.rows_per_second
        yield from self._occupy(spent)
        self.outcome.writing += spent
        self.outcome.rows += rows

    def _read(self, seconds: float) -> Events:
        yield from self._occupy(seconds)
        self.outcome.reading += seconds

    def _occupy(self, seconds: float) -> Events:
        with self._postgres.request() as turn:
            yield turn
            yield self._env.timeout(seconds)


def usage(plan: Plan, outcome: Outcome) -> dict[str, float]:
    """How much of the time each of what could end first was in use, by its name."""
    busy = {
        "the API's limit": outcome.requests / plan.limit * MINUTE,
        "connections": outcome.asking / plan.workers,
        "PostgreSQL's writing": outcome.writing,
        "PostgreSQL's reading": outcome.reading,
    }
    return {name: seconds / outcome.seconds for name, seconds in busy.items()}


def main() -> None:
    """Reads the costs, and prints what is needed, and how long it takes, as Markdown."""
    costs = Costs(**json.load(sys.stdin))
    plan = Plan(costs)
    print(_needs(plan))
    print(_schedule(plan))


def _needs(plan: Plan) -> str:
    costs, deployments = plan.costs, plan.deployments
    rows = deployments * costs.rows
    needed = plan.limit / MINUTE * costs.rows
    stored = rows * (costs.table + costs.index) + deployments * costs.parent
    lines = {
        "requests": f"{deployments:,}",
        f"hours at {plan.limit:,} requests a minute": f"{deployments / plan.limit / MINUTE:.1f}",
        "events": f"{rows / 1e6:.0f} million, {costs.rows:.1f} of a deployment",
        "bytes sent": _size(deployments * costs.request, costs.request, "request"),
        "bytes received": _size(deployments * costs.answer, costs.answer, "answer"),
        "on disk": f"{_size(stored, costs.table, 'event')}, {costs.index:.0f} of its indexes",
        "write-ahead log": _size(rows * costs.wal, costs.wal, "event"),
        "events a second": f"{needed:.0f} needed, {costs.rows_per_second:,.0f} of one process: "
        f"{costs.rows_per_second / needed:.0f} times",
        "Dagster's records": f"{plan.months} runs, each {costs.log_rows:.0f} rows in its event log "
        f"and {costs.log / 1e3:.0f} kB",
    }
    return _table([["quantity", "how much"], *([what, much] for what, much in lines.items())])


def _schedule(plan: Plan) -> str:
    rows = [
        ["workers", "index", "hours", "of the limit", "PostgreSQL writes", "reads", "ends first"]
    ]
    for is_indexed in (True, False):
        for workers in WORKERS:
            case = replace(plan, workers=workers, is_indexed=is_indexed)
            outcome = Simulation(case).run()
            used = usage(case, outcome)
            rows.append(
                [
                    str(workers),
                    "yes" if is_indexed else "no",
                    f"{outcome.seconds / HOUR:.1f}",
                    *(f"{used[name]:.0%}" for name in used if name != "connections"),
                    max(used, key=lambda name: used[name]),
                ]
            )
    return _table(rows)


def _size(total: float, one: float, of: str) -> str:
    return f"{total / 1e9:.0f} GB, {one:,.0f} bytes of each {of}"


def _table(rows: list[list[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body, ""])


if __name__ == "__main__":
    main()
