"""How far a resource has come that is asked for by time.

The state is the one that dlt's own `incremental` keeps (dlt, "Incremental loading"): what an
earlier version has left goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import dlt
import sqlglot.expressions as sge

from analytics_assets.configuration.resource import Cursor, Resource
from analytics_assets.source.clock import epoch_milliseconds_now
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.records import Page
from analytics_assets.source.stored import lies_in, moment_column
from analytics_assets.source.window import Window

State = MutableMapping[str, Any]
"""What dlt keeps of a resource, and commits together with its rows."""


class Position:
    """The stretch of time that one load asks for, and the newest row of it.

    Attributes:
        before: The newest row of all loads before, in epoch milliseconds; None where there is none.
    """

    def __init__(
        self, resource: Resource, state: State, first: int | None, window: Window | None
    ) -> None:
        """Begins where the loads before have ended.

        Args:
            resource: The resource, which has a cursor.
            state: What the loads before have noted.
            first: The first moment to load, in epoch milliseconds; None loads from the beginning.
            window: What to load again; None loads what is new.
        """
        if resource.cursor is None:
            raise ValueError(f"{resource.name} has no cursor.")
        self._name = resource.name
        self._cursor = cursor = resource.cursor
        self.before = last_moment(cursor, state)
        self._state = state
        self._window = window
        # The API answers what was created after `since`; the first moment is wanted, too.
        self._first = cursor.initial_value if first is None else first - 1
        self._newest = self.before

    @property
    def since(self) -> int | None:
        """The moment from which on rows are asked for; None asks from the beginning."""
        if self._window:
            return self._window.start - 1
        if self.before is None:
            return self._first
        looked_back = self.before - self._cursor.lag
        return looked_back if self._first is None else max(looked_back, self._first)

    @property
    def params(self) -> dict[str, Any]:
        """The query parameters that ask for that."""
        return self._cursor.bounds(self.since, self._window.end if self._window else None)

    def within(self, page: Page) -> Page:
        """The rows of a page that were asked for.

        Raises:
            AnalyticsApiError: If one has no time, where the configuration does not say what then.
        """
        # A window is asked for from the moment before it: servers disagree on the first one.
        since = self._window.start if self._window else self.since
        end = self._window.end if self._window else None
        found = []
        for record in page:
            moment = record.get(self._cursor.field)
            if moment is None:
                self._check_that_none_is_needed()
                if self._cursor.on_missing == "exclude":
                    continue
            else:
                if (since is not None and moment < since) or (end is not None and moment >= end):
                    continue
                self._newest = moment if self._newest is None else max(self._newest, moment)
            found.append(record)
        return found

    def _check_that_none_is_needed(self) -> None:
        if self._cursor.on_missing == "raise":
            raise AnalyticsApiError(
                f"{self._name} has a row without `{self._cursor.field}`, by which it is asked for "
                "what is new: say in the configuration, by `on_cursor_value_missing`, whether such "
                "a row is to be included or excluded."
            )

    def are_asked_for(self, dataset: dlt.Dataset) -> sge.Condition:
        """The condition for stored rows that this load asks for again."""
        moment = moment_column(dataset, self._name, self._cursor.field)
        asked = lies_in(self._window, moment) if self._window else moment >= (self.since or 0)
        return sge.or_(asked, moment.is_(sge.null()))

    def note(self) -> None:
        """Notes the newest row in the state; in a window nothing: the next run goes on as before.

        A row dated in the future is none: it would hide all that come before that time.
        """
        if self._window is not None or self._newest is None:
            return
        cursors = self._state.setdefault("incremental", {})
        kept = cursors.setdefault(self._cursor.field, {"initial_value": None, "unique_hashes": []})
        kept["last_value"] = min(self._newest, epoch_milliseconds_now())


def last_moment(cursor: Cursor, state: Mapping[str, Any]) -> int | None:
    """The newest row of all loads, by the state of a resource, in epoch milliseconds."""
    last: int | None = state.get("incremental", {}).get(cursor.field, {}).get("last_value")
    return last
