"""Decides what a list is asked for next, so that no row at the border of two pages is lost.

A cursor that is the time of the last row leads past the rows of that very time which stand behind
the border, where the server excludes it. So the moment beside it is asked for: some rows come
again, and none is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from analytics_assets.source.brought import content_digest
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.moments import (
    FUTURE,
    PAST,
    Moment,
    Time,
    TimeFields,
    as_time,
    spelled_like,
)
from analytics_assets.source.records import Page

LARGER = 10
"""How many times larger a limit is that is asked for where a page is too small."""
LARGEST_LIMIT = 1_000_000


class Step(NamedTuple):
    """The next request of a list.

    Attributes:
        cursor: The cursor, as the API gave it, or the moment beside it.
        limit: The rows asked for; None where none are.
        since: The earliest moment wanted, if it is another one than the list's.
        may_be_refused: Whether an answer of 400 only says that the limit is too large.
    """

    cursor: Any
    limit: int | None
    since: Any = None
    may_be_refused: bool = False


class Answer(NamedTuple):
    """What a page says.

    Attributes:
        page: The rows, also those that came before.
        cursor: What the API names for the next page; None where it names none.
        says_more: Whether it says in so many words that there is a next page.
        request: The request that brought it, for an error.
    """

    page: Page
    cursor: Any
    says_more: bool
    request: str


class Steps:
    """The way through one list, page by page.

    Where more rows have one moment than a page holds, the page that begins beside it is the same
    again. Then

    1. more rows are asked for: the server may heed a larger limit;
    2. where it does not, the moment alone is asked for, if the list has a parameter for its
       earliest row. If that answer is complete, the list goes on before the moment;
    3. otherwise the rest cannot be asked for, which is an error.

    A page that comes again although it is not full, or has rows from beyond what was asked for, is
    the whole list: the server names a cursor that it does not heed.

    Attributes:
        limit: The rows that a page is asked to have; None where the request does not say.
        page_size: The most rows of a page that was followed by another one.
        moment: The moment of the page read last, if it has one.
    """

    def __init__(
        self,
        times: TimeFields,
        limit: int | None,
        position: int | None,
        beginning: int | None = None,
        has_since: bool = False,
        page_size: int = 0,
    ) -> None:
        """Begins before the first page.

        Args:
            times: Finds the moment of a page.
            limit: The rows that a page is asked to have; None where the request does not say.
            position: The moment that the first page is asked from, if it is one.
            beginning: The earliest moment wanted; None wants all.
            has_since: Whether a parameter bounds the list at its earliest row.
            page_size: The rows of a page that is known to have been cut.
        """
        self.limit = limit
        self.page_size = page_size
        self.moment: Moment | None = None
        self._times = times
        self._direction: int | None = None
        # The page read last, if nothing has told yet where the list goes on from it.
        self._guess: Moment | None = None
        self._position: Time | None = position
        self._beginning = beginning
        self._has_since = has_since
        self._is_inclusive = False
        self._spelling: Any = 0
        self._page_before = _NO_PAGE
        self._complete: Time | None = None
        self._crowd = _Crowd(Moment(0, "", PAST), None, _NO_PAGE, is_repeated=False)
        self._read: Callable[[Answer], Step | None] = self._follow

    @property
    def is_at_a_border(self) -> bool:
        """Whether the next page begins at the border of the one read last, as most do."""
        return (
            self._read == self._follow
            and self.moment is not None
            and self._position == self._border_of(self.moment)
        )

    def next(self, answer: Answer) -> Step | None:
        """The request after a page; None after the last one.

        Raises:
            AnalyticsApiError: If the rest of the list cannot be asked for.
        """
        if answer.says_more and answer.cursor is None:
            raise AnalyticsApiError(
                f"{answer.request} answered that the list goes on, and no cursor to go on with: "
                "the rest of the list cannot be asked for. If the API names its cursor elsewhere, "
                "change `cursor_path` in the configuration."
            )
        return self._read(answer)

    def _follow(self, answer: Answer) -> Step | None:
        page, cursor = answer.page, answer.cursor
        guess = self._guess
        self.moment = moment = self._times.moment(page, cursor, None if guess else self._direction)
        if guess and self._was_wrong(guess, page):
            return self._turn(guess)
        if cursor is None:
            return None
        is_repeated = self._is_repeated(page)
        if moment is None:
            self._position = None
            is_whole = is_repeated and self.limit is not None and len(page) != self.limit
            return None if is_whole else Step(cursor, self.limit)
        self._direction = moment.direction
        self._guess = moment if moment.is_guessed else None
        self._spelling = cursor
        if self._beginning is not None and moment.value < self._beginning:
            return None
        self._learn_what_is_included(moment.times(page))
        if moment.value == self._complete and self._position != moment.beyond:
            return self._ask_from(moment.beyond)
        border = self._border_of(moment)
        if self._position is None or self._is_beyond(border, self._position):
            return self._ask_from(border)
        crowd = _Crowd(moment, cursor, self._page_before, is_repeated)
        return self._pass_a_border(crowd, answer)

    def _was_wrong(self, guess: Moment, page: Page) -> bool:
        """Whether a list goes on in the other direction: the border was not on the page asked for.

        A page whose rows have one time does not tell.
        """
        ways = [(time - guess.value) * guess.direction for time in guess.times(page)]
        return guess.field != "" and all(way < 0 for way in ways) and bool(ways or not page)

    def _turn(self, guess: Moment) -> Step:
        """Asks again from a page on, in the other direction."""
        self._guess = None
        turned = guess._replace(direction=-guess.direction)
        self._direction = turned.direction
        return self._ask_from(turned.border)

    def _border_of(self, moment: Moment) -> Time:
        return moment.value if self._is_inclusive else moment.border

    def _learn_what_is_included(self, times: list[Time]) -> None:
        """Learns that a server includes the moment it is asked from, if it does.

        Then nothing but that moment need be asked for, and fewer rows come again.
        """
        position = self._position
        if position in times and not any(self._is_beyond(position, time) for time in times):
            self._is_inclusive = True

    def _is_repeated(self, page: Page) -> bool:
        before, self._page_before = self._page_before, _Seen.of(page)
        if page and self._page_before == before:
            return True
        self.page_size = max(self.page_size, before.rows)
        return False

    def _pass_a_border(self, crowd: _Crowd, answer: Answer) -> Step | None:
        """The request after a page that ends at the moment that it was asked from."""
        self._crowd = crowd
        rows = len(answer.page)
        is_full = answer.says_more or (self.limit is not None and rows >= self.limit)
        if self._does_not_heed_the_cursor(answer.page, crowd.moment):
            if not is_full:
                return None
            raise AnalyticsApiError(
                f"{answer.request} answered the same {rows} rows again, wherever the page is to "
                "begin: the API's cursor did not advance, so the rest of the list cannot be asked "
                "for."
            )
        if rows == 1 >= self.page_size and self.limit is None and not self._can_ask_for_the_moment:
            self._read = self._read_one_row
            return self._as_the_api_says(crowd.cursor)
        if is_full or rows >= self.page_size > 0:
            return self._ask_for_more(answer.request)
        if rows < self.page_size:
            return self._ask_past_the_moment()
        self._read = self._read_past_the_moment
        return self._ask_from(crowd.moment.beyond)

    def _read_one_row(self, answer: Answer) -> Step | None:
        """Follows a list of one row a page, where no more can be asked for.

        Each of its pages is full of one moment, and nothing tells whether that has another row: the
        API's own way is the only one. Where it brings a row again, the moment beyond tells whether
        the cursor is heeded.
        """
        if answer.cursor is None:
            return None
        if len(answer.page) > 1:
            self._read = self._follow
            return self._follow(answer)
        moment = self._times.moment(answer.page, answer.cursor, self._direction)
        is_repeated = self._is_repeated(answer.page)
        if moment is None:
            return self._as_the_api_says(answer.cursor)
        if is_repeated and self._position == moment.beyond:
            return None
        self._learn_what_is_included(moment.times(answer.page))
        if is_repeated or self._is_inclusive:
            return self._ask_from(moment.beyond)
        return self._as_the_api_says(answer.cursor)

    def _does_not_heed_the_cursor(self, page: Page, moment: Moment) -> bool:
        position = self._position or 0
        rows = page if self._crowd.is_repeated else page[-1:]
        return any(self._is_beyond(position, time) for time in moment.times(rows))

    def _read_past_the_moment(self, answer: Answer) -> Step | None:
        """Tells whether the cursor is heeded: then rows of the moment are not on this page."""
        if _Seen.of(answer.page) == self._crowd.page:
            return None
        if answer.page or self.limit is None:
            return self._ask_for_more(answer.request)
        self._read = self._read_at_the_moment
        return self._ask_from(self._crowd.moment.value)

    def _read_at_the_moment(self, answer: Answer) -> Step | None:
        """Tells the same of a server that excludes the moment: rows from beyond would have fit."""
        if not answer.page or _Seen.of(answer.page) == self._crowd.page:
            return None
        return self._ask_for_more(answer.request)

    def _ask_for_more(self, request: str) -> Step | None:
        if self.limit is None or self.limit >= LARGEST_LIMIT:
            return self._ask_for_the_moment(request)
        self._read = self._read_larger_page
        step = self._ask_from(self._border_of(self._crowd.moment))
        return step._replace(limit=self.limit * LARGER, may_be_refused=True)

    def _read_larger_page(self, answer: Answer) -> Step | None:
        if len(answer.page) > self._crowd.page.rows:
            self.limit = (self.limit or 1) * LARGER
            self._read = self._follow
            return self._follow(answer)
        if answer.page and answer.cursor is None:
            return None
        return self._ask_for_the_moment(answer.request)

    def _ask_for_the_moment(self, request: str) -> Step:
        moment = self._crowd.moment
        if not self._can_ask_for_the_moment:
            raise self._crowded(request)
        self._read = self._read_the_moment
        return self._ask_from(moment.border)._replace(
            since=spelled_like(moment.beyond, self._spelling)
        )

    def _read_the_moment(self, answer: Answer) -> Step:
        if answer.cursor is not None:
            raise self._crowded(answer.request)
        return self._ask_past_the_moment()

    def _ask_past_the_moment(self) -> Step:
        """Goes on as the API says: that may bring the moment again, and then is one too few."""
        self._read = self._follow
        self._complete = self._crowd.moment.value
        if self._is_inclusive:
            return self._ask_from(self._crowd.moment.beyond)
        return self._as_the_api_says(self._crowd.cursor)

    def _as_the_api_says(self, cursor: Any) -> Step:
        self._position = as_time(cursor)
        return Step(cursor, self.limit)

    @property
    def _can_ask_for_the_moment(self) -> bool:
        return self._has_since and self._crowd.moment.direction == PAST

    def _ask_from(self, position: Time) -> Step:
        self._position = position
        return Step(spelled_like(position, self._spelling), self.limit)

    def _is_beyond(self, moment: Time, other: Time) -> bool:
        return moment > other if self._direction == FUTURE else moment < other

    def _crowded(self, request: str) -> AnalyticsApiError:
        return AnalyticsApiError(
            f"{request} answered {self._crowd.page.rows} rows up to {self._crowd.moment}, and the "
            "same again from there: as many rows as a page holds or more have that one time, the "
            "API's cursor did not advance, and the rest of the list cannot be asked for."
        )


class _Seen(NamedTuple):
    """A page, to be known again."""

    rows: int
    digest: bytes

    @classmethod
    def of(cls, page: Page) -> _Seen:
        return cls(len(page), content_digest(page))


_NO_PAGE = _Seen(0, b"")


class _Crowd(NamedTuple):
    """A page that ends at the moment that it was asked from, and its cursor."""

    moment: Moment
    cursor: Any
    page: _Seen
    is_repeated: bool
