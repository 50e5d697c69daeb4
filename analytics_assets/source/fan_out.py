"""Keeps count of a fan-out: the parents of a child that are asked for, one request or more each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from dlt.sources.helpers.rest_client.client import PageData

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
        is_last_due: Whether no other parent is due.
        is_last: Whether no other parent is to be asked.
        was_served: Whether the API ever answered such a request.
    """

    due: Page
    again: Page
    is_last_due: bool
    is_last: bool
    was_served: bool


class FanOut:
    """The progress of a child over its parents.

    Attributes:
        name: The child.
        limits: How many parents a load has.
        batch: What this load asks for.
        parents: Its parents, with the fields that their children keep.
        current: The parent that is asked at the moment.
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
    """

    def __init__(
        self,
        name: str,
        traffic: Traffic,
        tell: Tell,
        show: Callable[[int, int], None],
        most_bad_parents: int,
        limits: Limits,
    ) -> None:
        """Begins with no parent.

        Args:
            name: The child.
            traffic: The requests of the load.
            tell: Receives a sentence on the progress now and then.
            show: Receives the parents asked so far, and all, each time that one was.
            most_bad_parents: Parents that are not answered from which on no other one is asked.
            limits: How many parents a load has, and when progress is first told.
        """
        self.name = name
        self.limits = limits
        self.batch = Batch([], [], is_last_due=True, is_last=True, was_served=False)
        self.parents: Page = []
        self.unaskable: Page = []
        self.current: Record | None = None
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
        self._most_bad_parents = most_bad_parents
        self._traffic = traffic
        self._show = show
        self._total = 0
        self._done = 0
        self._rows = 0
        self._answered = 0
        self._done_in_this_load = 0
        self._started = time.monotonic()
        self._tell = Sparsely.after_a_pause(tell, limits.quiet_seconds)

    def begin(self, batch: Batch, left: int) -> None:
        """Notes what a load is about to ask for.

        Args:
            batch: The parents that it asks for.
            left: How many are to be asked, these included.
        """
        self.batch = batch
        self.parents = [*batch.due, *batch.again]
        self.asked = []
        self.unanswered = []
        self._total = self._done + left
        self._done_in_this_load = 0

    def ask_each(self) -> Iterator[Record]:
        """The parents of this load, each when it is its turn to be asked."""
        for parent in self.parents:
            if self.is_given_up:
                break
            self.current = parent
            self.asked.append(parent)
            yield parent
        self.current = None
        self._answered += len(self.asked) - len(self.unanswered)

    @property
    def due_asked(self) -> Page:
        """The parents of this load that were due and asked."""
        return self.asked[: len(self.batch.due)]

    @property
    def parents_per_load(self) -> int:
        """The parents to ask for in the next load, by the rows that those before it had."""
        most = self.limits.parents_per_load
        if not self._done:
            return min(self.limits.parents_at_first, most)
        expected = self.limits.rows_per_load * self._done // max(self._rows, 1)
        return min(max(expected, self.limits.fewest_parents), most)

    @property
    def was_answered(self) -> bool:
        """Whether a parent of any load of this fan-out was answered, be it without rows."""
        return self._answered > 0

    @property
    def done(self) -> int:
        """How many parents were asked, in all loads of this fan-out."""
        return self._done

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

    @property
    def is_through(self) -> bool:
        """Whether no parent of this load is asked for after the one at hand."""
        return self.is_given_up or self._done_in_this_load >= len(self.parents)

    @property
    def is_current_unanswered(self) -> bool:
        """Whether the parent at hand has not been answered."""
        return bool(self.unanswered) and self.unanswered[-1].parent is self.current

    def take(self, error: Exception) -> bool:
        """Takes what a parent is answered with instead of its rows, so that others are asked.

        Args:
            error: What ended its list, after all attempts.

        Returns:
            Whether it was taken: what would meet the other parents, too, is not.
        """
        if self.current is None or not is_of_one_parent(error):
            return False
        if self.is_current_unanswered:
            return True
        unanswered = Unanswered(self.current, error)
        self.unanswered.append(unanswered)
        if not unanswered.is_missing:
            self.bad.append(unanswered)
        return True

    def guarded(self, step: Callable[[Page], Page]) -> Callable[[Page], Page]:
        """A step of a load, whose error ends the list of the parent at hand alone."""

        def guarded_step(page: Page) -> Page:
            try:
                return step(page)
            except Exception as error:
                if not self.take(error):
                    raise
                return []

        return guarded_step

    def check_that_all_could_be_asked(self) -> None:
        """Looks for parents that were left out, once the others are loaded.

        Raises:
            AnalyticsApiError: If there are any.
        """
        if self.unaskable:
            named = ", ".join(
                " and ".join(f"`{field}` {value!r}" for field, value in parent.items())
                for parent in self.unaskable[:MOST_PARENTS_NAMED]
            )
            raise AnalyticsApiError(
                f"{self.name} cannot be asked for {len(self.unaskable)} of its parents ({named}): "
                "an empty text or dots alone make another address of theirs. What the others have "
                "is loaded. Rename them in the API."
            )

    def count(self, page: PageData[Any]) -> PageData[Any]:
        """A step that notes that a parent's rows have come, with the last page of them."""
        self._rows += len(page)
        if page.paginator.has_next_page:
            return page
        self._done += 1
        self._done_in_this_load += 1
        self._show(self._done, self._total)
        if self._tell.is_due:
            elapsed = time.monotonic() - self._started
            left = elapsed / self._done * (self._total - self._done)
            self._tell(
                f"{self.name}: {self._done} of {counted(self._total, 'parent')} asked, "
                f"{self._traffic.requests / elapsed:.0f} requests a second, {left:.0f} s left."
            )
        return page
