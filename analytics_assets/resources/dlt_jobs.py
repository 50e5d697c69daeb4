"""The jobs of a load, which dlt does in threads: they can outlast a load that is stopped."""

from __future__ import annotations

import threading
import time

from dlt.common.configuration.container import Container

PATIENCE = 5.0
PAUSE = 0.01


def await_jobs() -> None:
    """Waits until no job of this thread's loads is under way, but not for ever.

    dlt waits for its jobs itself, for two seconds, and not for one that it was just starting when
    Ctrl-C struck: Python's pool of threads does not know of that thread yet.
    """
    deadline = time.monotonic() + PATIENCE
    while _is_any_under_way() and time.monotonic() < deadline:
        time.sleep(PAUSE)


def _is_any_under_way() -> bool:
    prefix = Container.thread_pool_prefix()
    return any(thread.name.startswith(prefix) for thread in threading.enumerate())
