"""Keeps count of a fan-out: the parents of a child that are asked for, one request or more each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.clock import epoch_milliseconds_now
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.limits import Limits
from analytics_assets.source.pending import Key, Pending
from analytics_assets.source.records import Page
from analytics_assets.source.telling import Sparsely, Tell
from analytics_assets.source.traffic import Traffic
from analytics_assets.source.unanswered import MOST_PARENTS_NAMED, Unanswered, is_of_one_parent
from analytics_assets.source.values import Record
from analytics_assets.source.wording import counted

MOST_LISTS = 100
"""Lists of the parent that one run asks for, to see whether it still has those that answer 404."""


class Batch(NamedTuple):
    """The parents of one load.

    Attributes:
        due: Those that are new or changed, or in the latest list.
        again: Those that were asked before.
        left: How many are to be asked, these included.
        is_last_due: Whether no other parent is due.
        was_served: Whether the API ever answered such a request.
    """

    due: Page
    again: Page
    left: int
    is_last_due: bool
    was_served: bool

    @property
    def parents(self) -> Page:
        """All of them, in the order in which they are asked for."""
        return [*self.due, *self.again]

    @property
    def is_last(self) -> bool:
        """Whether no other parent is to be asked."""
        return len(self.due) + len(self.again) == self.left


NO_BATCH = Batch([], [], 0, is_last_due=True, was_served=False)


class FanOut:
    """What has come of the parents of a child, in all loads of one materialization.

    Attributes:
        name: The child.
        limits: How many parents a load has.
        batch: What the load at hand asks for.
        asked: The parents of this load that were asked.
        unanswered: Those among them that were not answered.
        asked_keys: Those of all loads that were asked.
        waiting: Those that are asked for after the ones that are due; None until they are known.
        lists_left: Lists of the parent that may still be asked for.
        vanished: Pending ones that the warehouse no longer has.
        pending: Those that are pending after this load; in a window, of all its loads.
        place: The last one of those due that was asked; None where none was.
        bad: The parents of all loads that should have been answered, and were not.
        gone: How many parents the API no longer lists.
        asked_again: How many were asked that had been answered before.
        parents_load: The parent's newest load when a window began; "" without a window.
        began_at: When the first parent was asked, in epoch milliseconds.
        unaskable: Parents whose fields would ask for another address than theirs.
        done: How many parents were asked, in all loads.
    """

    def __init__(
        self,
        child: Resource,
        traffic: Traffic,
        tell: Tell,
        show: Callable[[int, int], None],
        most_bad_parents: int,
        limits: Limits,
    ) -> None:
        """Begins with no parent.

        Args:
            child: The child.
            traffic: The requests of the load.
            tell: Receives a sentence on the progress now and then.
            show: Receives the parents asked so far, and all, each time that one was.
            most_bad_parents: Parents that are not answered from which on no other one is asked.
            limits: How many parents a load has, and when progress is first told.
        """
        self.name = child.name
        parent = child.parent
        self._told_by = sorted({*parent.resource.key, *parent.asked_with}) if parent else []
        self.limits = limits
        self.batch = NO_BATCH
        self.unaskable: Page = []
        self.asked: Page = []
        self.unanswered: list[Unanswered] = []
        self.asked_keys: set[Key] = set()
        self.waiting: Page | None = None
        self.lists_left = MOST_LISTS
        self.vanished: set[Key] = set()
        self.pending: list[Pending] = []
        self.place: Sequence[str] | None = None
        self.bad: list[Unanswered] = []
        self.gone = 0
        self.asked_again = 0
        self.parents_load = ""
        self.began_at = epoch_milliseconds_now()
        self.done = 0
        self._most_bad_parents = most_bad_parents
        self._traffic = traffic
        self._show = show
        self._total = 0
        self._rows = 0
        self._answered = 0
        self._started = time.monotonic()
        self._tell = Sparsely.after_a_pause(tell, limits.quiet_seconds)

    def begin(self, batch: Batch) -> None:
        """Notes what a load is about to ask for."""
        self.batch = batch
        self.asked = []
        self.unanswered = []
        self._total = self.done + batch.left

    @property
    def due_asked(self) -> Page:
        """The parents of this load that were due and asked."""
        return self.asked[: len(self.batch.due)]

    @property
    def parents_per_load(self) -> int:
        """The parents to ask for in the next load, by the rows that those before it had."""
        most = self.limits.parents_per_load
        if not self.done:
            return min(self.limits.parents_at_first, most)
        expected = self.limits.rows_per_load * self.done // max(self._rows, 1)
        return min(max(expected, self.limits.fewest_parents), most)

    @property
    def was_answered(self) -> bool:
        """Whether a parent of any load of this fan-out was answered, be it without rows."""
        return self._answered > 0

    @property
    def may_be_of_few(self) -> bool:
        """Whether what no parent answered says nothing of the endpoint: one answered before.

        The parents that are asked for again may be none but those that never answer.
        """
        return self.batch.was_served and len(self.batch.due) <= 1

    @property
    def is_given_up(self) -> bool:
        """Whether so many parents are bad that no other one is asked."""
        return len(self.bad) > self._most_bad_parents

    @property
    def is_over(self) -> bool:
        """Whether no further load follows the one just made."""
        return self.batch.is_last or self.is_given_up

    def note_rows(self, rows: int) -> None:
        """Notes that rows of a parent have come."""
        self._rows += rows

    def note_answered(self, parent: Record) -> None:
        """Notes that the whole list of a parent has come."""
        self._answered += 1
        self._note_asked(parent)

    def note_unanswered(self, parent: Record, error: Exception) -> None:
        """Takes what a parent is answered with instead of its rows, so that others are asked.

        Args:
            parent: The parent.
            error: What ended its list, after all attempts.

        Raises:
            Exception: That error, where it would meet the other parents, too.
        """
        if not is_of_one_parent(error):
            raise error
        unanswered = Unanswered(parent, error)
        self.unanswered.append(unanswered)
        if not unanswered.is_missing:
            self.bad.append(unanswered)
        self._note_asked(parent)

    def check_that_all_could_be_asked(self) -> None:
        """Looks for parents that were left out, once the others are loaded.

        Raises:
            AnalyticsApiError: If there are any.
        """
        if self.unaskable:
            named = ", ".join(
                " and ".join(f"`{field}` {parent[field]!r}" for field in self._told_by)
                for parent in self.unaskable[:MOST_PARENTS_NAMED]
            )
            raise AnalyticsApiError(
                f"{self.name} cannot be asked for {len(self.unaskable)} of its parents ({named}): "
                "an empty text or dots alone make another address of theirs. What the others have "
                "is loaded. Rename them in the API."
            )

    def _note_asked(self, parent: Record) -> None:
        self.asked.append(parent)
        self.done += 1
        self._show(self.done, self._total)
        if self._tell.is_due:
            elapsed = time.monotonic() - self._started
            left = elapsed / self.done * (self._total - self.done)
            self._tell(
                f"{self.name}: {self.done} of {counted(self._total, 'parent')} asked, "
                f"{self._traffic.requests / elapsed:.0f} requests a second, {left:.0f} s left."
            )
