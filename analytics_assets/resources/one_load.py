"""Has loads of one table take turns, whatever keeps them apart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.source.errors import WarehouseError
from analytics_assets.source.telling import Tell


class Turn:
    """The turn of one load of a table, as the load sees it; here where nothing is to be done.

    Attributes:
        client: An open connection to the warehouse.
    """

    def __init__(self, client: SqlClientBase[Any]) -> None:
        """Of a load that has this connection."""
        self.client = client

    def go_on(self) -> None:
        """Is called before each batch of the load, when the ones before it are committed."""

    def alone_with_state(self) -> AbstractContextManager[None]:
        """Keeps loads beside this one from noting what they have done, as long as it does."""
        return nullcontext()


@dataclass(frozen=True)
class Queue:
    """Where a load waits for another one of the same table.

    Attributes:
        patience: Seconds to wait for another load.
        tell: Receives a sentence on the wait.
    """

    patience: float
    tell: Tell

    def take(self, lock: Callable[[float], bool], what: str) -> None:
        """Takes a lock, if need be after another load has ended.

        Args:
            lock: Takes it within some seconds, 0 for at once; False if another load holds it.
            what: What the other one loads.

        Raises:
            WarehouseError: If the other load is still under way after that.
        """
        if lock(0):
            return
        self.tell(f"Another load of {what} is under way: waiting for its end.")
        if not lock(self.patience):
            raise WarehouseError(
                f"Another load of {what} is under way, and still was after {self.patience:.0f} s: "
                "wait for its end, or end it, and materialize again."
            )
