"""A list that is read while further pages of it are under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from requests import PreparedRequest, Request, Response

from analytics_assets.source.records import Page


class Readable(Protocol):
    """A list that is asked for page by page."""

    def begin(self) -> Sequence[Request]:
        """The first requests, as a rule one."""

    def takes(self, request: Request, response: Response) -> bool:
        """Whether an answer with the status of an error is one to read all the same."""

    def read(self, request: Request, response: Response) -> tuple[Page, Sequence[Request]]:
        """The rows of an answer, and the requests that follow from it."""


@dataclass(eq=False)
class Reading:
    """A list that is asked for.

    Attributes:
        readable: The list.
        pages: The pages that have come, with the bytes of their answers.
        failed: The requests that were answered by no page.
        unanswered: How many requests are to be answered, these included.
        under_way: How many of them were sent.
        is_closed: Whether nobody reads it any more.
    """

    readable: Readable
    pages: deque[tuple[Page, int]] = field(default_factory=deque)
    failed: deque[Ask] = field(default_factory=deque)
    unanswered: int = 0
    under_way: int = 0
    is_closed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return not self.pages and not self.unanswered


@dataclass(eq=False)
class Ask:
    """A request of a list, until it is answered.

    Attributes:
        reading: The list.
        request: The request.
        sent: What was sent for it; each retry sends the same.
        error: What came instead of a page.
        ended_at: When that came, on the monotonic clock.
        redirects: How often it was sent on.
        is_answered: Whether a page came.
    """

    reading: Reading
    request: Request
    sent: PreparedRequest | None = None
    error: Exception | None = None
    ended_at: float = 0.0
    redirects: int = 0
    is_answered: bool = False
