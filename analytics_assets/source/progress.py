"""Notes in a child's state how far it has come with its parents.

The state has a place in the parent's rows, and the parents before it that are pending. Both are
written in the load that holds the rows: no selection of assets can starve another, and a run that
is killed asks for one load once more at most.
"""

from __future__ import annotations

from analytics_assets.source.clock import epoch_milliseconds_now
from analytics_assets.source.columns import LOAD_ID, ROW_DIGEST
from analytics_assets.source.coverage import covered, keep
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.parents import ParentTable
from analytics_assets.source.pending import (
    NOT_ASKED,
    Key,
    Pending,
    keep_pending,
    pending_parents,
)
from analytics_assets.source.position import State
from analytics_assets.source.still_listed import ParentList

WATERMARK = "parents_asked"
"""In a child's state: load and digest of the last parent asked for, in the order of both."""
ANSWERED = "was_answered"
"""In a child's state: whether a parent was ever answered, be it without rows."""
ASKED_AT = "parents_asked_at"
"""In a child's state: when a run began that has asked again for all that had just ended."""


class Progress:
    """What came of the parents of one load."""

    def __init__(
        self,
        state: State,
        table: ParentTable,
        fan_out: FanOut,
        parent_list: ParentList,
    ) -> None:
        """Begins before the first parent was asked.

        Args:
            state: The child's.
            table: The parents.
            fan_out: Knows which were asked, and which were not answered.
            parent_list: Tells whether the API still lists a parent.
        """
        self._state = state
        self._table = table
        self._fan_out = fan_out
        self._parent_list = parent_list
        # Nothing is written before `note` is through.
        self._before = {entry.key: entry for entry in pending_parents(state)}

    def note(self, *, in_window: bool) -> None:
        """Notes it, once each was asked; in a window it is left for the end of the window.

        Raises:
            AnalyticsApiError: If the API does not serve such requests at all.
        """
        self._check_that_the_endpoint_exists()
        fan_out = self._fan_out
        missing = [each.parent for each in fan_out.unanswered if each.is_missing]
        if not self._table.is_listed:
            # A server may lag, and no later list brings the parent as a new one: it is gone where
            # an earlier run was not answered either.
            key_of = self._table.identity.key_of
            missing = [parent for parent in missing if key_of(parent) in self._before]
        gone = self._parent_list.gone(missing)
        fan_out.lists_left = self._parent_list.lists_left
        pending = self._pending()
        kept = [entry for entry in pending if entry.key not in gone]
        fan_out.asked_keys |= set(map(self._table.identity.key_of, fan_out.asked))
        if fan_out.due_asked:
            last = fan_out.due_asked[-1]
            fan_out.place = [last[LOAD_ID], last[ROW_DIGEST]]
        if in_window:
            fan_out.gone += len(pending) - len(kept)
            fan_out.pending += kept
            return
        self._keep(kept, gone)
        if fan_out.place and not self._table.is_listed:
            self._state[WATERMARK] = fan_out.place
            keep(self._state, [e for e in covered(self._state) if e.load >= fan_out.place[0]])
        if fan_out.was_answered:
            self._state[ANSWERED] = True

    def _check_that_the_endpoint_exists(self) -> None:
        """Looks whether each parent that is due is gone.

        They may be; but where the API never answered for one, or more of them are to come, it is
        the endpoint that is not there.
        """
        batch = self._fan_out.batch
        if batch.was_served and batch.is_last_due:
            return
        due = {id(parent) for parent in self._fan_out.due_asked}
        found = self._fan_out.unanswered
        missing = [each for each in found if each.is_missing and id(each.parent) in due]
        if len(missing) == len(due) > 1:
            raise AnalyticsApiError(
                f"{missing[-1].request} answered 404, as for each of its {len(missing)} parents: "
                "the API at ANALYTICS_BASE_URL does not serve this request."
            )

    def _pending(self) -> list[Pending]:
        """The parents of this load that are pending, those that were asked last at the end."""
        fan_out, identity = self._fan_out, self._table.identity
        parents = fan_out.batch.parents
        not_asked = parents[len(fan_out.asked) :] if self._table.is_listed else []
        reasons = [(parent, NOT_ASKED) for parent in not_asked]
        reasons += [(each.parent, each.why) for each in fan_out.unanswered]
        found = []
        for parent, why in reasons:
            known = self._before.get(identity.key_of(parent))
            since = known.since if known else epoch_milliseconds_now()
            found.append(identity.pending(parent, since, why))
        return found

    def _keep(self, found: list[Pending], gone: set[Key]) -> None:
        """Writes the pending parents: those of this load, and those before it that still are."""
        fan_out = self._fan_out
        key_of = self._table.identity.key_of
        settled = set(map(key_of, fan_out.asked)) | {entry.key for entry in found}
        before = [entry for key, entry in self._before.items() if key not in settled]
        vanished = fan_out.vanished
        if self._table.is_listed:
            vanished = {entry.key for entry in before} - set(map(key_of, fan_out.batch.parents))
        kept = [entry for entry in before if entry.key not in vanished]
        fan_out.gone += len(gone) + len(before) - len(kept)
        fan_out.pending = [*kept, *found]
        keep_pending(self._state, fan_out.pending)


def note_when_asked(state: State, fan_out: FanOut) -> None:
    """Notes when a run began, once it has asked again for all that had just ended.

    Of a run that asks for nothing, nothing is written.
    """
    is_complete = fan_out.is_over and not fan_out.is_given_up
    if fan_out.asked_keys and (is_complete or ASKED_AT not in state):
        state[ASKED_AT] = fan_out.began_at
