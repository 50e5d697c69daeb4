"""The console that a run was started on, as a Dagster resource: its log, and progress of steps."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import TextIO

from dagster import ConfigurableResource, InitResourceContext
from pydantic import Field, PrivateAttr
from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analytics_assets.execution.run_log import keep_short
from analytics_assets.execution.stopping import watching
from analytics_assets.output import lenient


class Console(ConfigurableResource):  # type: ignore[type-arg]  # it provides itself
    """Shows the progress of long fan-outs on a terminal, and keeps the log of a run short.

    It is a resource, because Dagster's own command has no place for that, and each process that
    executes a step has its resources.
    """

    tells_why: bool = Field(
        default=True,
        description="Whether the line of a step that failed tells why. No need of it where a run "
        "ends with that.",
    )
    # Dagster leads stderr into a file while steps run, so that the terminal is kept from before.
    _terminal: TextIO | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["Console"]:
        """Keeps the terminal, if there is one that no other step writes to."""
        if context.log and context.instance and context.run:
            keep_short(context.log, context.instance, context.run, tells_why=self.tells_why)
        with watching(), lenient(sys.stderr) as stream:
            if stream.isatty() and parent_process() is None:
                self._terminal = stream
            yield self

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
