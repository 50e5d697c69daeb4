"""The console that a run was started on, as a Dagster resource: the progress of its steps."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from multiprocessing import parent_process

from dagster import ConfigurableResource, InitResourceContext
from pydantic import PrivateAttr
from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Console(ConfigurableResource):  # type: ignore[type-arg]  # it provides itself
    """Shows the progress of long fan-outs on a terminal.

    It is a resource, because Dagster's own command has no place for that.
    """

    # Dagster leads stderr into a file while steps run, so that the terminal is kept from before.
    _terminal: TextIOWrapper | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Keeps the terminal, if there is one that no other step writes to."""
        if sys.stderr.isatty() and parent_process() is None:
            self._terminal = os.fdopen(os.dup(sys.stderr.fileno()), "w")

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Lets go of the terminal."""
        if self._terminal:
            self._terminal.close()

    @contextmanager
    def progress(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """A bar on the terminal, once a resource has parts to count; nothing without a terminal.

        Args:
            name: The resource that is loaded.

        Yields:
            What takes the parts that are done, and all.
        """
        if self._terminal is None:
            yield lambda done, total: None
            return
        columns = (
            TextColumn(name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        terminal = RichConsole(file=self._terminal)
        with Progress(*columns, console=terminal, transient=True) as bar:
            task = bar.add_task(name, visible=False)
            yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
