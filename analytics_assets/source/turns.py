"""Chooses the parents that a child asks for next, and lets them take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import dlt
from dlt.extract import DltResource
from dlt.sources.rest_api.typing import ClientConfig

from analytics_assets.configuration import ApiConfig, AskedAgain
from analytics_assets.configuration.lineage import (
    is_listed_in_full,
    parent_name,
    resource_named,
)
from analytics_assets.source.children import announce_children
from analytics_assets.source.coverage import covered
from analytics_assets.source.fan_out import Batch, FanOut
from analytics_assets.source.parents import BEGINNING, ParentTable
from analytics_assets.source.pending import NOT_ASKED, Key, pending_parents
from analytics_assets.source.progress import ANSWERED, ASKED_AT, WATERMARK, Progress, State
from analytics_assets.source.records import Page
from analytics_assets.source.still_listed import ParentList
from analytics_assets.source.stored import OpenDataset, has_rows, latest_listing
from analytics_assets.source.values import Record
from analytics_assets.source.window import Window

MOST_PENDING = 500
"""Pending parents that one run asks for: those that have waited longest."""
MINUTE = 60_000


class Turns:
    """The parents of a load as dlt iterates over them, each when it is its turn."""

    def __init__(self, take: Callable[[], Iterator[Record]]) -> None:
        """Begins with none.

        Args:
            take: Begins the turns.
        """
        self._take = take

    def __iter__(self) -> Iterator[Record]:
        """Begins the turns."""
        return self._take()


def parent_rows(
    config: ApiConfig,
    child: str,
    open_dataset: OpenDataset,
    fan_out: FanOut,
    window: Window | None,
    client: ClientConfig,
) -> DltResource:
    """A stand-in for a child's parent: yields the parent's rows from the warehouse.

    It bears the parent's name, so dlt resolves the child's placeholders from it. The rows are
    announced before they are asked for.

    Raises:
        WarehouseError: When read, if the parent was never loaded.
    """
    resource = resource_named(config, child)
    announce = announce_children(config, resource, client)

    @dlt.resource(name=str(parent_name(resource)), selected=False)
    def rows() -> Iterator[Turns]:
        state = dlt.current.resource_state(child)
        table = ParentTable(config, child, open_dataset)
        stored = open_dataset(child)
        was_served = bool(state.get(ANSWERED)) or has_rows(stored, child)
        choice = Choice(state, table, fan_out, resource.get("asked_again"), was_served)
        fan_out.unaskable = table.unaskable(window)
        if table.is_listed:
            choice.choose_listed()
        elif window is None:
            choice.choose_new()
        else:
            choice.choose_within(window)
        announce(fan_out.parents)

        def listing() -> str:
            is_listed = is_listed_in_full(config, child) and child in stored.schema.tables
            return latest_listing(stored, child) if is_listed else ""

        parent_list = ParentList(config, child, table.identity, client, fan_out.lists_left)
        progress = Progress(state, table, fan_out, parent_list, listing)

        def take() -> Iterator[Record]:
            yield from fan_out.ask_each()
            # Of a fan-out that was given up, some are still under way.
            announce([])
            progress.note(in_window=window is not None)
            if window is None and "asked_again" in resource:
                note_when_asked(state, fan_out)

        yield Turns(take)

    return rows


def note_when_asked(state: State, fan_out: FanOut) -> None:
    """Notes when a run began, once it has asked again for all that had just ended.

    Of a run that asks for nothing, nothing is written.
    """
    is_complete = fan_out.is_over and not fan_out.is_given_up
    if fan_out.asked_keys and (is_complete or ASKED_AT not in state):
        state[ASKED_AT] = fan_out.began_at


class Choice:
    """Chooses the parents of a load."""

    def __init__(
        self,
        state: State,
        table: ParentTable,
        fan_out: FanOut,
        asked_again: AskedAgain | None,
        was_served: bool,
    ) -> None:
        """Begins with none.

        Args:
            state: The child's.
            table: The parents.
            fan_out: Is told of the choice.
            asked_again: Which parents are asked for again though they were answered.
            was_served: Whether the API ever answered such a request.
        """
        self._state = state
        self._table = table
        self._fan_out = fan_out
        self._asked_again = asked_again
        self._was_served = was_served

    def choose_listed(self) -> None:
        """Those of the parent's latest listing; others are not to wait for who was not answered."""
        bad = {each.key for each in pending_parents(self._state) if each.why != NOT_ASKED}
        due = sorted(self._table.listed(), key=lambda parent: self._key_of(parent) in bad)
        self._begin(due, [], len(due))

    def choose_new(self) -> None:
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
        self._begin(due, again, total + len(again) + len(fan_out.waiting or []))

    def choose_within(self, window: Window) -> None:
        """The next ones whose cursor lies in a window, whatever the child's place is."""
        fan_out = self._fan_out
        # Those that the parent loads from here on are left to the child's next run.
        fan_out.parents_load = fan_out.parents_load or self._table.latest_listing()
        place = fan_out.place or BEGINNING
        due, total = self._table.next_in(window, place, fan_out.parents_per_load)
        self._begin(due, [], total)

    def _begin(self, due: Page, again: Page, left: int) -> None:
        is_last_due = len(due) + len(again) + len(self._fan_out.waiting or []) == left
        is_last = len(due) + len(again) == left
        self._fan_out.begin(Batch(due, again, is_last_due, is_last, self._was_served), left)

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
