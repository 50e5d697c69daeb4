"""What a load sent and received."""

from __future__ import annotations

import time
from collections import Counter
from weakref import WeakKeyDictionary

from requests import PreparedRequest

from analytics_assets.source.telling import Tell


class Traffic:
    """Counts the requests of one load.

    Attributes:
        requests: Attempts to send a request.
        retries: Those among them that were not the first of their request.
        bytes_received: Bytes of the answers' bodies, as they came over the line.
        bytes_read: The same, decoded.
        by_second: The requests that were sent in each second, an epoch.
        tell: Receives a sentence on requests that have to be sent again.
    """

    def __init__(self, tell: Tell) -> None:
        """Begins with none."""
        self.tell = tell
        self.requests = 0
        self.retries = 0
        self.bytes_received = 0
        self.bytes_read = 0
        self.by_second: Counter[int] = Counter()
        # A retry sends the same object again.
        self._attempts: WeakKeyDictionary[PreparedRequest, int] = WeakKeyDictionary()

    def count_attempt(self, request: PreparedRequest) -> None:
        """Counts one attempt to send a request."""
        attempt = self._attempts.get(request, 0) + 1
        self._attempts[request] = attempt
        self.requests += 1
        self.retries += attempt > 1
        self.by_second[int(time.time())] += 1

    def attempts_of(self, request: PreparedRequest) -> int:
        """The attempts that were made to send a request."""
        return self._attempts.get(request, 0)

    def count_bytes(self, received: int, read: int) -> None:
        """Counts the bytes of one answer, as they came and decoded."""
        self.bytes_received += received
        self.bytes_read += read
