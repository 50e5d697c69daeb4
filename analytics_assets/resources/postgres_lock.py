"""Lets one process at a time load a table of a PostgreSQL warehouse.

Loads of one table share dlt's staging table: one would empty it while another one merges from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any

from dagster import DagsterExecutionInterruptedError
from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.resources.one_load import Queue, Turn
from analytics_assets.source.clock import await_the_newest_load

LOADS = "_dlt_loads"
SETTINGS = """
-- A machine that has vanished loses its locks after some 90 seconds, by default two hours.
SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
-- How long a lock is waited for is decided here.
SET statement_timeout = 0; SET lock_timeout = 0;
"""
SECONDS_BETWEEN_CANCELS = 0.1


@contextmanager
def its_turn(
    client: SqlClientBase[Any], name: str, queue: Queue, months: Sequence[str]
) -> Iterator[Turn]:
    """Keeps other loads of a table out while this one lasts.

    Loads of other months may go on beside it, if it is of some months: they write other rows. Until
    the table is there, they wait for the first batch of the load that creates it.

    PostgreSQL's advisory locks end with the connection, whatever becomes of this process.

    Args:
        client: An open connection to the warehouse, which holds the locks.
        name: The resource.
        queue: Where the load waits for its turn.
        months: Those of a load that writes no row beyond them; none of any other load.

    Raises:
        WarehouseError: If another load is still under way after that, or the newest one is from
            the future.
    """
    client.execute_sql(SETTINGS)
    turn = PostgresTurn(client, name, queue)
    turn.begin(months)
    yield turn
    if months:
        _drop(client, client.staging_dataset_name)


def staging_layout(name: str, month: str) -> str:
    """The name of the staging dataset that a load of a month has to itself, as dlt wants it."""
    return f"%s_staging_{name}_{month}"


class PostgresTurn(Turn):
    """The turn of one load of a table; its connection holds the locks."""

    def __init__(self, client: SqlClientBase[Any], name: str, queue: Queue) -> None:
        """Before it begins; see `its_turn`."""
        super().__init__(client)
        self._name = name
        self._table = f"{client.dataset_name}.{name}"
        self._queue = queue
        self._creates_table = False

    def begin(self, months: Sequence[str]) -> None:
        """Waits for its turn."""
        self._take(self._table, shared=bool(months))
        for month in months:
            self._take(f"{self._table} of {month}")
        if months and not self._is_there(self._name):
            self._take(self._first_batch)
            self._creates_table = True
            self._let_others_begin()
        if not months:
            self._drop_what_months_have_left()
        if self._is_there(LOADS):
            # What was waited for may have come from a machine whose clock is ahead.
            await_the_newest_load(self.client, self._queue.tell)

    def go_on(self) -> None:
        """Lets other months begin once the table is there."""
        # The locks end with this connection, which a load does not use otherwise.
        self.client.execute_sql("SELECT 1")
        self._let_others_begin()

    @contextmanager
    def alone_with_state(self) -> Iterator[None]:
        """Keeps loads of other months from noting what they have done, as long as one does.

        Raises:
            WarehouseError: If another load is not over in time.
        """
        what = f"the state of {self._table}"
        self._take(what)
        # dlt takes the state with the latest load id for the newest.
        await_the_newest_load(self.client, self._queue.tell)
        yield
        self._give_back(what)

    @property
    def _first_batch(self) -> str:
        return f"the first rows of {self._table}"

    def _let_others_begin(self) -> None:
        if self._creates_table and self._is_there(self._name):
            self._give_back(self._first_batch)
            self._creates_table = False

    def _take(self, what: str, *, shared: bool = False) -> None:
        self._queue.take(partial(_lock, self.client, what, shared), what)

    def _give_back(self, what: str) -> None:
        self.client.execute_sql("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", what)

    def _is_there(self, table: str) -> bool:
        """Whether there is a table.

        To look into one that is not there is an error, after which dlt resets the connection: that
        gives its locks up.
        """
        qualified = self.client.make_qualified_table_name(table)
        return _is_true(self.client, "SELECT to_regclass(%s) IS NOT NULL", qualified)

    def _drop_what_months_have_left(self) -> None:
        """Drops the staging datasets of loads of months that have died: none is under way now."""
        layout = staging_layout(re.escape(self._name), r"\d{4}_\d{2}")
        found = self.client.execute_sql(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ %s",
            f"^{layout % re.escape(self.client.dataset_name)}$",
        )
        for (dataset,) in found or []:
            _drop(self.client, dataset)


def _lock(client: SqlClientBase[Any], what: str, shared: bool, seconds: float) -> bool:
    """Takes a lock within some seconds; False if others hold it.

    The server keeps those who wait in line: whoever asks later, if only to share it, waits behind
    them. The driver would not let go of the thread that waits, whoever tells the run to end.
    After an error dlt resets the connection, which gives its locks up: it is for the load to end.
    """
    suffix = "_shared" if shared else ""
    if not seconds:
        attempt = f"SELECT pg_try_advisory_lock{suffix}(hashtextextended(%s, 0))"
        return _is_true(client, attempt, what)
    statement = f"SELECT pg_advisory_lock{suffix}(hashtextextended(%s, 0))"
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(client.execute_sql, statement, what)
        try:
            is_in_time = waiting in wait([waiting], seconds).done
        finally:
            _end_wait(client, waiting)
    if is_in_time:
        waiting.result()
    return is_in_time


def _end_wait(client: SqlClientBase[Any], waiting: Future[Any]) -> None:
    """Lets the server end a wait, whoever tells the run to end once more meanwhile.

    A connection that a thread still waits with could not be closed: the run would never end.
    """
    told: BaseException | None = None
    while not waiting.done():
        try:
            # Again, should the server have been told before it had begun to wait.
            client.native_connection.cancel()
            wait([waiting], SECONDS_BETWEEN_CANCELS)
        except (DagsterExecutionInterruptedError, KeyboardInterrupt) as error:
            told = error
    if told:
        raise told


def _is_true(client: SqlClientBase[Any], sql: str, parameter: str) -> bool:
    answer = client.execute_sql(sql, parameter)
    return bool(answer and answer[0][0])


def _drop(client: SqlClientBase[Any], dataset: str) -> None:
    with client.with_alternative_dataset_name(dataset):
        if client.has_dataset():
            client.drop_dataset()
