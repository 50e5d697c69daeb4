"""Knows the rows that a list has brought, so that a row that comes again is passed on once."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from typing import Any

import orjson

from analytics_assets.source.records import Page
from analytics_assets.source.values import Record


class BroughtRows:
    """The rows of a list so far, told apart by their content.

    Equal rows count as often as one page has them: of two equal rows on one page both are rows.
    """

    def __init__(self) -> None:
        """Begins without a row."""
        self._counts: dict[bytes, int] = {}
        self._since_mark: set[bytes] = set()

    def mark(self) -> None:
        """Tells the rows so far from those to come; see `has_row_from_before_the_mark`."""
        self._since_mark.clear()

    def has_row_from_before_the_mark(self, page: Page) -> bool:
        """Whether a row of a page was brought before the mark, as it is now."""
        contents = set(map(content_digest, page))
        return any(content in self._counts for content in contents - self._since_mark)

    def new_rows(self, page: Page) -> Page:
        """The rows of a page that no earlier page brought; from now on they are known."""
        on_page: Counter[bytes] = Counter()
        new: Page = []
        for row in page:
            content = content_digest(row)
            on_page[content] += 1
            if on_page[content] > self._counts.get(content, 0):
                new.append(row)
        self._since_mark |= on_page.keys() - self._counts.keys()
        for content, count in on_page.items():
            self._counts[content] = max(count, self._counts.get(content, 0))
        return new


def content_digest(content: Page | Record | list[Any]) -> bytes:
    """A digest of a row, a page or a key, as it came: the steps of a load change rows in place."""
    try:
        text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # Whole numbers beyond 64 bits, and halves of surrogate pairs.
        text = json.dumps(content, sort_keys=True).encode()
    return blake2b(text, digest_size=16).digest()
