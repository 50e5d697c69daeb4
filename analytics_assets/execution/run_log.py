"""What the console shows of a run's log: a line for each event, and traces where they are wanted.

Dagster has no setting for that, and takes a logger of a project's own only where the configuration
of a run names it.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator

from dagster import DagsterEvent, DagsterInstance, DagsterLogManager, DagsterRun

from analytics_assets.execution.stopping import signal_received
from analytics_assets.source.errors import sentence_of

MADE_OF_OTHERS = {
    "DagsterExecutionInterruptedError",
    "KeyboardInterrupt",
    # The events of the steps tell its parts.
    "DagsterSubprocessError",
}
"""Errors whose traces say nothing."""


def keep_short(
    log: DagsterLogManager, instance: DagsterInstance, run: DagsterRun, *, tells_why: bool
) -> None:
    """Lets a run's log show no traces on the console, unless its level is DEBUG.

    Without a level in `python_logs` or in the configuration of the run it is INFO; Dagster's own
    is DEBUG. An error that nobody has foreseen keeps its trace.

    Args:
        log: The log of the run.
        instance: Where the settings of Dagster are.
        run: The run.
        tells_why: Whether the line of a step that failed tells why; not where the run's end does.
    """
    is_level_set = bool(instance.python_log_level or run.run_config.get("loggers"))
    for logger in _console_loggers(log):
        if is_level_set and logger.getEffectiveLevel() <= logging.DEBUG:
            continue
        for handler in logger.handlers:
            # A logger remembers what it has let through.
            handler.setLevel(max(handler.level, logging.INFO))
            if not isinstance(handler.formatter, _OneLine):
                handler.setFormatter(_OneLine(handler.formatter or logging.Formatter(), tells_why))
                handler.addFilter(_is_news)


def _console_loggers(log: DagsterLogManager) -> Iterator[logging.Logger]:
    # A log keeps them to itself.
    for handler in log.handlers:
        yield from getattr(handler, "_loggers", ())


class _OneLine(logging.Formatter):
    def __init__(self, formatter: logging.Formatter, tells_why: bool) -> None:
        super().__init__()
        self._formatter = formatter
        self._tells_why = tells_why

    def format(self, record: logging.LogRecord) -> str:
        event = _event_of(record)
        if event is None or not _hides_trace(event):
            return self._formatter.format(record)
        line = copy.copy(record)
        line.msg = record.getMessage().partition("\n\n")[0]
        line.args = ()
        if self._tells_why and (why := _stated(event)):
            line.msg += f" {why}"
        return self._formatter.format(line)


def _event_of(record: logging.LogRecord) -> DagsterEvent | None:
    metadata = getattr(record, "dagster_meta", None) or {}
    event: DagsterEvent | None = metadata.get("dagster_event")
    return event


def _hides_trace(event: DagsterEvent) -> bool:
    error = getattr(event.event_specific_data, "error", None)
    if error is None:
        return False
    return bool(_stated(event) or error.cls_name in MADE_OF_OTHERS or signal_received())


def _stated(event: DagsterEvent) -> str | None:
    """The sentence of a step that failed, where it has one."""
    stated = event.step_failure_data.user_failure_data if event.is_step_failure else None
    return sentence_of(stated.description) if stated and stated.description else None


def _is_news(record: logging.LogRecord) -> bool:
    """Not that what was not loaded is not checked either."""
    message = record.getMessage()
    return not ("_checks - Dependencies for step" in message and message.endswith("executing."))
