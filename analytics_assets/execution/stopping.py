"""Sees each signal that tells a run to end, whatever becomes of the error that it raises.

Dagster raises an error in a step that is under way, and only there. The error may be lost: DuckDB
answers it with one of its own, libcurl drops it, a bare `except` takes it for its own. So the
operating system's word is kept, and the signal is repeated until the run has ended.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from dagster import DagsterExecutionInterruptedError
from dagster._utils.interrupts import check_captured_interrupt

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SECONDS_TO_UNWIND = 3.0
SECONDS_TO_LEAVE = 3.0
MILLISECONDS_BETWEEN_LOOKS = 200


class Watch:
    """The signals that have come to this process since a run began in its main thread."""

    def __init__(self, *, ends_at_the_second: bool, seconds_to_unwind: float) -> None:
        """Begins with what Dagster has noted before.

        Args:
            ends_at_the_second: Whether a second signal ends the process at once. A process that
                another one started may be told twice of the same wish.
            seconds_to_unwind: How long a signal may take to end the run before it is repeated.
        """
        self._ends_at_the_second = ends_at_the_second
        self._seconds_to_unwind = seconds_to_unwind
        self._signal: int | None = signal.SIGINT if check_captured_interrupt() else None
        self._repeated = 0
        self._unseen_repeats = 0
        self._is_heard = False
        self._is_over = False
        self._main = threading.get_ident()
        self._lock = threading.RLock()
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.setblocking(False)
        self._note: Callable[[int, Any], Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}
        self._descriptor = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._repeat_until_heard, daemon=True)
        self._thread.start()

    @property
    def signal(self) -> int | None:
        """The first signal that told the run to end, if one did."""
        self._read()
        return self._signal

    def hear(self) -> None:
        """Ends the repeats: the run is ending."""
        self._is_heard = True

    def close(self) -> None:
        """Gives signals back to whom they belonged before."""
        self._is_over = True
        self._writer.send(b"\0")
        self._thread.join()
        signal.set_wakeup_fd(self._descriptor)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def take_over(self) -> None:
        """Lets a repeat raise in Dagster's own code, too, which notes a signal and goes on waiting.

        It has a handler for each part of a run, so that this is called as the run goes on.
        """
        handler = signal.getsignal(signal.SIGINT)
        if handler != self._handle:
            self._handlers = self._handlers or {each: signal.getsignal(each) for each in SIGNALS}
            self._note = handler if callable(handler) else None
            for number in SIGNALS:
                signal.signal(number, self._handle)

    def _handle(self, number: int, frame: Any) -> None:
        if self._note:
            self._note(number, frame)
        if self._repeated and not self._is_heard:
            raise DagsterExecutionInterruptedError

    def _read(self) -> None:
        with self._lock, suppress(BlockingIOError):
            for number in self._reader.recv(64):
                if number in SIGNALS:
                    self._count(number)

    def _count(self, number: int) -> None:
        if self._unseen_repeats:
            self._unseen_repeats -= 1
        elif self._signal is None:
            self._signal = number
        elif self._ends_at_the_second:
            _end_at_once(number)

    def _repeat_until_heard(self) -> None:
        since: float | None = None
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        while not self._is_over:
            poll.poll(MILLISECONDS_BETWEEN_LOOKS)
            self._read()
            if self._signal is None or self._is_heard:
                continue
            since = since or time.monotonic()
            if time.monotonic() - since > self._seconds_to_unwind:
                since = time.monotonic()
                self._repeat(self._signal)

    def _repeat(self, number: int) -> None:
        with self._lock:
            self._unseen_repeats += 1
        self._repeated += 1
        signal.pthread_kill(self._main, number)


_watch: Watch | None = None


@contextmanager
def watching(
    *, ends_at_the_second: bool = False, seconds_to_unwind: float = SECONDS_TO_UNWIND
) -> Iterator[Watch | None]:
    """Watches for signals, where that is possible: in a main thread that is not watched already."""
    global _watch
    if _watch or threading.current_thread() is not threading.main_thread():
        yield None
        return
    _watch = Watch(ends_at_the_second=ends_at_the_second, seconds_to_unwind=seconds_to_unwind)
    try:
        yield _watch
    finally:
        _watch.close()
        _watch = None


def signal_received() -> int | None:
    """The signal that told this process to end, if one did while it was watched."""
    return _watch.signal if _watch else None


def stop_if_told() -> None:
    """Ends a step where this process was told to end, and the error of that was lost.

    Raises:
        DagsterExecutionInterruptedError: If it was.
    """
    if signal_received():
        raise DagsterExecutionInterruptedError


def shield_children() -> None:
    """Keeps Ctrl-C from processes that are started from now on.

    A terminal sends it to all of them. Those that Dagster starts to carry the output would end with
    a trace, and take the last lines along. In this process it is put off, not lost.
    """
    if threading.current_thread() is threading.main_thread():
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def unshield() -> None:
    """Lets Ctrl-C through again, also where it was inherited from `shield_children`."""
    if threading.current_thread() is threading.main_thread():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def end_soon(number: int) -> None:
    """Ends this process within seconds, whatever it does until then.

    Python waits for all threads when it ends, also for one that waits for a warehouse.
    """
    timer = threading.Timer(SECONDS_TO_LEAVE, _end_at_once, [number])
    timer.daemon = True
    timer.start()


def _end_at_once(number: int) -> None:
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(exit_code(number))


def exit_code(number: int) -> int:
    """The exit code of a process that a signal has ended, as shells have it."""
    return 128 + number
