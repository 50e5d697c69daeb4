"""Chooses the parents that a child asks for next."""

from __future__ import annotations

from analytics_assets.configuration.resource import Resource
from analytics_assets.source.coverage import covered
from analytics_assets.source.fan_out import Batch, FanOut
from analytics_assets.source.parents import BEGINNING, ParentTable
from analytics_assets.source.pending import NOT_ASKED, Key, pending_parents
from analytics_assets.source.position import State
from analytics_assets.source.progress import ANSWERED, ASKED_AT, WATERMARK
from analytics_assets.source.records import Page
from analytics_assets.source.stored import OpenDataset, has_rows
from analytics_assets.source.values import Record
from analytics_assets.source.window import Window

MOST_PENDING = 500
"""Pending parents that one run asks for: those that have waited longest."""
MINUTE = 60_000


class Choice:
    """Chooses the parents of a load."""

    def __init__(
        self,
        child: Resource,
        state: State,
        table: ParentTable,
        fan_out: FanOut,
        open_dataset: OpenDataset,
    ) -> None:
        """Begins with none.

        Args:
            child: The child.
            state: What its loads before have noted.
            table: The parents.
            fan_out: What has come of the loads before.
            open_dataset: Opens the warehouse's dataset with the schema of a resource.
        """
        self._state = state
        self._table = table
        self._fan_out = fan_out
        self._asked_again = child.asked_again
        self._was_served = bool(state.get(ANSWERED)) or has_rows(
            open_dataset(child.name), child.name
        )

    def next_batch(self, window: Window | None) -> Batch:
        """The parents that the next load asks for.

        Args:
            window: What is loaded again; None loads what is new.
        """
        if self._table.is_listed:
            return self._listed()
        return self._new() if window is None else self._within(window)

    def _listed(self) -> Batch:
        """Those of the parent's latest listing; others are not to wait for who was not answered."""
        bad = {each.key for each in pending_parents(self._state) if each.why != NOT_ASKED}
        due = sorted(self._table.listed(), key=lambda parent: self._key_of(parent) in bad)
        return self._batch(due, [], len(due))

    def _new(self) -> Batch:
        """The next ones after the child's place; then those that are pending, or ended just now.

        The place moves on with each load, so that a killed run repeats one at most.
        """
        fan_out = self._fan_out
        most = fan_out.parents_per_load
        place = self._state.get(WATERMARK) or BEGINNING
        due, total = self._table.next_new(place, covered(self._state), most)
        again: Page = []
        if len(due) == total:
            if fan_out.waiting is None:
                fan_out.waiting = self._to_ask_again(due)
            room = most - len(due)
            again, fan_out.waiting = fan_out.waiting[:room], fan_out.waiting[room:]
        return self._batch(due, again, total + len(again) + len(fan_out.waiting or []))

    def _within(self, window: Window) -> Batch:
        """The next ones whose cursor lies in a window, whatever the child's place is."""
        fan_out = self._fan_out
        # Those that the parent loads from here on are left to the child's next run.
        fan_out.parents_load = fan_out.parents_load or self._table.newest_load()
        place = fan_out.place or BEGINNING
        due, total = self._table.next_in(window, place, fan_out.parents_per_load)
        return self._batch(due, [], total)

    def _batch(self, due: Page, again: Page, left: int) -> Batch:
        is_last_due = len(due) + len(again) + len(self._fan_out.waiting or []) == left
        return Batch(due, again, left, is_last_due, self._was_served)

    def _to_ask_again(self, due: Page) -> Page:
        """The parents that are not due, and are asked for all the same."""
        asked = self._fan_out.asked_keys | set(map(self._key_of, due))
        pending = [each for each in pending_parents(self._state) if each.key not in asked]
        asked |= {each.key for each in pending}
        chosen = pending[:MOST_PENDING]
        rows = self._table.with_keys(chosen)
        self._fan_out.vanished = {each.key for each in chosen} - rows.keys()
        ended = [row for row in self._just_ended() if self._key_of(row) not in asked]
        ended = ended[: self._fan_out.limits.most_again]
        self._fan_out.asked_again = len(ended)
        return [*(rows[each.key] for each in chosen if each.key in rows), *ended]

    def _just_ended(self) -> Page:
        """The parents that had ended not long before they were asked for.

        Not those that ended not long ago: the last lines of one are to be asked for once more after
        that time, however long it takes until the next run.
        """
        if not self._asked_again:
            return []
        now = self._fan_out.began_at
        within = self._asked_again["within_minutes"] * MINUTE
        before = min(self._state.get(ASKED_AT, now), now)
        return self._table.with_times_in(self._asked_again["after"], before - within, now + within)

    def _key_of(self, parent: Record) -> Key:
        return self._table.identity.key_of(parent)
