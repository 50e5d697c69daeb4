"""What loading events into PostgreSQL costs: space, write-ahead log, time, and Dagster's records.

`python -m benchmarks.postgres_costs --deployments 3000` loads the demo API's rows into a PostgreSQL
server of its own, which keeps Dagster's records too, and prints the costs as JSON: what
`benchmarks.simulation` reads.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from dagster import DagsterInstance

from analytics_assets.assets.keys import asset_key
from analytics_assets.resources.warehouse import DATASET
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST
from analytics_assets.source.limits import LIMITS
from benchmarks.cli import environment
from benchmarks.measure import CommandFailedError, measure
from harness.commands import MATERIALIZE
from harness.demo_api import DemoApi, running_demo_api
from harness.postgres import running_postgres
from harness.stores import PostgresDatabase

PARENT, CHILD = "deployments", "deployment_events"
PARENTS, EVENTS = f"{DATASET}.{PARENT}", f"{DATASET}.{CHILD}"
STAGED = f"{DATASET}_staging.{CHILD}"
COPIES = 9
"""Of each row, by which the tables grow before reading them is timed."""
ATTEMPTS = 3
DAGSTER_YAML = "storage: {postgres: {postgres_url: {env: RECORDS}}}\ntelemetry: {enabled: false}\n"


@dataclass(frozen=True)
class Costs:
    """What was measured; sizes in bytes, times in seconds.

    Attributes:
        rows: Events of one deployment.
        request: One request, as it is sent.
        answer: The body of one answer, as it comes.
        table: One event in its table.
        index: The same in all indexes.
        parent: One deployment, indexes included.
        wal: Write-ahead log of one event, until it is merged.
        rows_per_second: Events that one process writes, once it has the answers.
        run: One run beside its requests and what it writes.
        parent_read: A load's search for the parents to ask for, for each of them stored.
        unindexed_read: A load's search for stored rows without the index, for each of them.
        run_read: What each run reads of the events' whole table for its report and its checks, for
            each row.
        log_rows: Rows of Dagster's event log, of one run.
        log: The size of Dagster's records of one run.
    """

    rows: float
    request: float
    answer: float
    table: float
    index: float
    parent: float
    wal: float
    rows_per_second: float
    run: float
    parent_read: float
    unindexed_read: float
    run_read: float
    log_rows: float
    log: float


def main() -> None:
    """Measures, and prints the costs."""
    parser = argparse.ArgumentParser("python -m benchmarks.postgres_costs")
    parser.add_argument("--deployments", type=int, default=3000)
    parser.add_argument("--events", type=int, default=30, help="of each deployment (%(default)s)")
    options = parser.parse_args()
    size = ["--deployments", str(options.deployments), "--events", str(options.events)]
    with TemporaryDirectory() as name, running_postgres() as server, running_demo_api(*size) as api:
        warehouse, records = PostgresDatabase.on(server), PostgresDatabase.on(server)
        costs = measure_costs(Bench(Path(name), api, warehouse, records))
    print(json.dumps(asdict(costs), indent=2))


class Bench:
    """The project on a PostgreSQL server, with Dagster's records in another database of it."""

    def __init__(
        self, folder: Path, api: DemoApi, warehouse: PostgresDatabase, records: PostgresDatabase
    ) -> None:
        self.warehouse = warehouse
        self.records = records
        self._folder = folder
        (folder / "dagster.yaml").write_text(DAGSTER_YAML)
        self._settings = {
            **environment(api, folder / "none.duckdb"),
            **warehouse.settings,
            "ANALYTICS_EXECUTOR": "in_process",
            "DAGSTER_HOME": str(folder),
            "RECORDS": records.server.url(records.database),
        }
        os.environ |= self._settings

    def load(self, name: str, **settings: str) -> dict[str, Any]:
        """Materializes an asset by the CLI; returns its report, and the `wall` seconds."""
        command = [sys.executable, "-m", "dagster", *MATERIALIZE, f"analytics/{name}"]
        measured = measure(
            command, {**self._settings, **settings}, self._folder, self._folder / "output.log"
        )
        with DagsterInstance.get() as instance:
            event = instance.get_latest_materialization_event(asset_key(name))
        materialization = event.asset_materialization if event else None
        report = materialization.metadata if materialization else {}
        return {"wall": measured.wall_seconds} | {key: v.value for key, v in report.items()}

    def number(self, sql: str) -> float:
        """What a query of the warehouse answers."""
        return float(self.warehouse.query(f"SELECT {sql} AS number")[0]["number"])

    def seconds(self, read: str, *settings: str) -> float:
        """The time of a query, the shortest of some: the machine has other things to do."""
        server = self.warehouse.server
        spent = []
        with server.connection(self.warehouse.database) as connection:
            cursor = connection.cursor()
            for statement in (*settings, *([read] * ATTEMPTS)):
                started = time.perf_counter()
                cursor.execute(statement)
                spent.append(time.perf_counter() - started)
        return min(spent[-ATTEMPTS:])


def measure_costs(bench: Bench) -> Costs:
    """Loads deployments and their events, and looks at what that cost."""
    parents = bench.load(PARENT)["dagster/row_count"]
    request = _request_size(bench)
    before = _state(bench)
    first = bench.load(CHILD)
    wal, log_rows, log = (now - then for now, then in zip(_state(bench), before, strict=True))
    rows = first["dagster/row_count"]
    table, indexes = (bench.number(f"pg_{what}_size('{EVENTS}')") for what in ("table", "indexes"))
    parent = bench.number(f"pg_total_relation_size('{PARENTS}')")
    _multiply(bench)
    unindexed_read = _unindexed_read(bench)
    busy = _busy_seconds(bench)
    nothing_new = bench.load(CHILD)
    run_read = _busy_seconds(bench) - busy
    stored = nothing_new["dagster/row_count"]
    return Costs(
        rows=rows / parents,
        request=request,
        answer=first["bytes_received"] / first["requests"],
        table=table / rows,
        index=indexes / rows,
        parent=parent / parents,
        wal=wal / rows,
        rows_per_second=rows / (first["seconds_normalizing"] + first["seconds_loading"]),
        run=nothing_new["wall"] - run_read,
        parent_read=_parent_read(bench) / (parents * (COPIES + 1)),
        unindexed_read=unindexed_read / stored,
        run_read=run_read / stored,
        log_rows=log_rows,
        log=log,
    )


def _state(bench: Bench) -> tuple[float, float, float]:
    """The end of the server's write-ahead log, and rows and size of Dagster's records."""
    (records,) = bench.records.query(
        "SELECT count(*) AS rows, pg_database_size(current_database()) AS size FROM event_logs"
    )
    return bench.number("pg_current_wal_insert_lsn() - '0/0'"), records["rows"], records["size"]


def _busy_seconds(bench: Bench) -> float:
    """The time the server has spent on statements in the warehouse so far."""
    # A session tells of its last statements when it ends, which is just after its process.
    time.sleep(1)
    active = "SELECT active_time FROM pg_stat_database WHERE datname = current_database()"
    return bench.number(f"({active})") / 1000


def _multiply(bench: Bench) -> None:
    """Adds copies of all rows, and has the server look at the tables, as it does by itself."""
    keys = {
        EVENTS: """'_deployments_id', "_deployments_id" || n, 'id', id || n""",
        # With the digests they have, those were asked for.
        PARENTS: "'id', id || n",
    }
    for table, key in keys.items():
        copy = f"LATERAL jsonb_populate_record(r, jsonb_build_object({key})) copy"
        numbered = f"{table} r, generate_series(1, {COPIES}) n"
        bench.warehouse.run(
            f"INSERT INTO {table} SELECT copy.* FROM {numbered}, {copy}", f"VACUUM ANALYZE {table}"
        )


def _unindexed_read(bench: Bench) -> float:
    """The seconds of a load's search for what is stored of its rows, without an index."""
    (found,) = bench.warehouse.query(
        "SELECT string_agg(quote_literal(id), ',') AS ids "
        f"FROM (SELECT id FROM {PARENTS} LIMIT {LIMITS.parents_per_load}) p"
    )
    compared = (
        f'SELECT count({ROW_DIGEST}) FROM {EVENTS} WHERE "_deployments_id" IN ({found["ids"]})'
    )
    same = 'd."_deployments_id" = s."_deployments_id" AND d.id = s.id'
    merged = f"SELECT count(*) FROM {EVENTS} d WHERE EXISTS (SELECT 1 FROM {STAGED} s WHERE {same})"
    without = [f"SET enable_{way} = off" for way in ("indexscan", "bitmapscan")]
    return sum(bench.seconds(read, *without) for read in (compared, merged))


def _parent_read(bench: Bench) -> float:
    """The seconds of a load's search for the parents to ask for: it takes the next, and counts."""
    pending = f"SELECT id, {LOAD_ID}, {ROW_DIGEST} FROM {PARENTS} WHERE {LOAD_ID} > ''"
    in_order = (
        f'{pending} ORDER BY {LOAD_ID}, {ROW_DIGEST} COLLATE "C" LIMIT {LIMITS.parents_per_load}'
    )
    return sum(bench.seconds(read) for read in (in_order, f"SELECT count(*) FROM ({pending}) p"))


def _request_size(bench: Bench) -> float:
    """The bytes of one request, as a server gets it, which refuses it."""
    sizes: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                sizes.append(len(connection.recv(1 << 16)))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = Thread(target=refuse, daemon=True)
        thread.start()
        with suppress(CommandFailedError):
            bench.load(PARENT, ANALYTICS_BASE_URL=f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    return sizes[0]


if __name__ == "__main__":
    main()
