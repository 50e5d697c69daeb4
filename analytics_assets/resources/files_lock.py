"""Lets one process at a time load a table of a folder of files, which machines may share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from dlt.destinations.sql_client import SqlClientBase
from filelock import FileLock, Timeout

from analytics_assets.resources.delta_files import DeltaSqlClient
from analytics_assets.resources.one_load import Queue, Turn
from analytics_assets.source.clock import await_the_newest_load

SECONDS_BETWEEN_ATTEMPTS = 0.5


@contextmanager
def its_turn(client: SqlClientBase[Any], name: str, queue: Queue) -> Iterator[Turn]:
    """Keeps other loads of a table out while this one lasts, those of other months, too.

    The kernel frees the lock when its holder dies. An object store has none.

    Args:
        client: An open connection to the warehouse.
        name: The resource.
        queue: Where the load waits for its turn.

    Raises:
        WarehouseError: If another load is still under way after that, or the newest one is from
            the future.
    """
    files = cast(DeltaSqlClient, client).remote_client
    if not files.is_local_filesystem:
        yield Turn(client)
        return
    folder = Path(files.bucket_path)
    folder.mkdir(parents=True, exist_ok=True)
    what = f"{client.dataset_name}.{name}"
    file = FileLock(folder / f"{what}.lock", thread_local=False)

    def lock(seconds: float) -> bool:
        try:
            file.acquire(timeout=seconds, poll_interval=SECONDS_BETWEEN_ATTEMPTS)
        except Timeout:
            return False
        return True

    queue.take(lock, what)
    try:
        # What was waited for may have come from a machine whose clock is ahead.
        await_the_newest_load(client, queue.tell)
        files.tidy(name)
        yield Turn(client)
    finally:
        file.release()
