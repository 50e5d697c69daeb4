"""Leads what dlt logs into Dagster's log, where it is looked for."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import DagsterLogManager

from analytics_assets.execution.stopping import signal_received

HARMLESS = (
    # Columns are declared, so that they exist before a value comes.
    "did not receive any data during this load",
    # A list of events may be null.
    "Extracted data is None for path",
    # JSON is text in Arrow tables, and declared as JSON.
    "several column hints were different",
)
"""Words of warnings that say what is so on purpose."""


class _ToDagster(logging.Handler):
    def __init__(self, log: DagsterLogManager) -> None:
        super().__init__()
        self._log = log
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        if signal_received():
            # What a run that is told to end interrupts has not failed.
            return
        message = record.getMessage()
        if message in self._told or any(words in message for words in HARMLESS):
            return
        self._told.add(message)
        self._log.log(record.levelno, f"dlt: {message}")


@contextmanager
def dlt_logs_to(log: DagsterLogManager) -> Iterator[None]:
    """Lets dlt's own log, on stderr otherwise, go to the log of a run: each message once.

    Where the run is told to end, it goes nowhere from then on: jobs can outlast their load.
    """
    logger = logging.getLogger("dlt")
    others = logger.handlers[:]
    handler = _ToDagster(log)
    logger.handlers[:] = [handler]
    try:
        yield
    finally:
        # dlt makes its own handler only where it finds none.
        logger.handlers[:] = [logging.NullHandler()] if signal_received() else others
