"""Looks at the beginning of a list again, until nothing has moved there while it was read.

A list that is sorted by something that changes moves: a row that is changed behind the page at hand
moves to the beginning, and is on no page that is still to come. The beginning shows what has moved.
A row of it that the list has brought, as it is now, has stood still since: so have all behind it,
and the list has brought them, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from analytics_assets.source.brought import BroughtRows, content_digest
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.records import Page
from analytics_assets.source.values import Record

MOST_LOOKS = 10
MOST_PAGES = 40
"""Pages that all looks together may have beyond those of the list: where more rows come than a
page holds while it is read, each look is longer than the one before."""
QUIET_LOOKS = 3
"""Looks without a new key that make up for a proof, where rows differ in each answer."""


class Way(Enum):
    """What a list is asked for after a page."""

    NEXT_PAGE = auto()
    BEGINNING = auto()
    NOTHING = auto()


class Looks:
    """Decides how often the beginning of one list is looked at.

    A look goes on to further pages until one of them has a row that has stood still. While it does,
    rows may move again: only a look of one page proves that none is missing.

    A row may differ in each answer, for a field of it tells when it was given. So it is rows with
    new keys that make another look necessary, and not rows with new content.
    """

    def __init__(self, id_fields: Sequence[str]) -> None:
        """Begins before the first page.

        Args:
            id_fields: Fields that tell rows apart.
        """
        self._id_fields = id_fields
        self._brought = BroughtRows()
        self._keys: set[bytes] = set()
        self._looks = 0
        self._pages = 0
        self._pages_left = MOST_PAGES
        self._had_new_key = False
        self._were_quiet = 0

    @property
    def have_begun(self) -> bool:
        """Whether the list was read to its end before."""
        return self._looks > 0

    def way_on(self, page: Page, request: str, *, is_last: bool) -> Way:
        """What to ask for after a page, of which the rows that came before are taken out.

        Args:
            page: The rows, as they came.
            request: The request that brought the page, for an error.
            is_last: Whether no page follows.

        Raises:
            AnalyticsApiError: If rows move faster than the list can be read.
        """
        have_stood_still = self.have_begun and self._brought.has_row_from_before_the_mark(page)
        page[:] = self._brought.new_rows(page)
        self._note(page)
        if not is_last and not (self.have_begun and have_stood_still):
            if self._pages_left < 0:
                raise _too_fast(request, self._looks)
            return Way.NEXT_PAGE
        if self.have_begun and not self._is_another_due(request, have_stood_still):
            return Way.NOTHING
        self._looks += 1
        self._pages, self._had_new_key = 0, False
        self._brought.mark()
        return Way.BEGINNING

    def _note(self, new_rows: Page) -> None:
        keys = set(map(self._key_of, new_rows))
        self._had_new_key |= not keys <= self._keys
        self._keys |= keys
        self._pages += 1
        self._pages_left += -1 if self.have_begun else 1

    def _is_another_due(self, request: str, have_stood_still: bool) -> bool:
        is_proof = have_stood_still and self._pages == 1
        was_whole_list = not have_stood_still
        self._were_quiet = 0 if self._had_new_key else self._were_quiet + 1
        if self._were_quiet and (is_proof or was_whole_list or self._were_quiet == QUIET_LOOKS):
            return False
        if self._looks < MOST_LOOKS:
            return True
        if is_proof:
            return False
        raise _too_fast(request, self._looks)

    def _key_of(self, row: Record) -> bytes:
        key = [row.get(field) for field in self._id_fields]
        if all(value is None for value in key):
            return content_digest(row)
        return content_digest(key)


def _too_fast(request: str, looks: int) -> AnalyticsApiError:
    return AnalyticsApiError(
        f"{request} answered other rows each of the {looks} times that it was asked for the "
        "beginning of the list again: the list changes faster than it can be read."
    )
