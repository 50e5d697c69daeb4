"""What one materialization of an asset does: its loads, one after the other, and their report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from dagster import AssetMaterialization, MaterializeResult
from dlt.extract import DltSource

from analytics_assets.configuration import ApiConfig
from analytics_assets.configuration.lineage import is_listed_in_full
from analytics_assets.resources import AnalyticsApi, Warehouse
from analytics_assets.resources.warehouse import DATASET
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.http import Traffic
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.rest import build_source
from analytics_assets.source.stored import Changes, count_no_longer_listed
from analytics_assets.source.window import Window

LoadResult: TypeAlias = AssetMaterialization | MaterializeResult[Any]
"""What dagster-dlt reports of one load."""


class AssetLoad(AbstractContextManager["AssetLoad"]):
    """The loads of one materialization: one, or of a long fan-out a batch of parents each.

    As a context manager it ends the waits of its requests, so that no thread outlives the load.
    """

    def __init__(
        self,
        config: ApiConfig,
        name: str,
        api: AnalyticsApi,
        warehouse: Warehouse,
        window: Window | None,
        tell: Callable[[str], None],
    ) -> None:
        """Begins with nothing loaded.

        Args:
            config: The API's configuration.
            name: The resource to load.
            api: Where it is loaded from.
            warehouse: Where it is loaded to.
            window: What to load again; None loads what is new.
            tell: Receives a sentence on each long wait and on the progress of a long load.
        """
        self._config = config
        self._name = name
        self._api = api
        self._warehouse = warehouse
        self._window = window
        self._tell = tell
        self._started = time.monotonic()
        self._traffic = Traffic()
        self._rate_limit = RateLimit(tell, api.retry_policy().max_wait)
        self._changes = Changes(config, name, warehouse.open_dataset, window)
        self._fan_out = FanOut(name, self._traffic, tell)

    def __exit__(self, *_: object) -> None:
        """Ends the waits."""
        self._rate_limit.end()

    def sources(self) -> Iterator[DltSource]:
        """The sources of the loads; each is to be loaded before the next one is asked for."""
        client = self._api.client(self._api.retry_policy(), self._traffic, self._rate_limit)
        is_complete = False
        while not is_complete:
            yield build_source(
                self._config,
                self._name,
                client=client,
                open_dataset=self._warehouse.open_dataset,
                changes=self._changes,
                fan_out=self._fan_out,
                start=self._api.start(),
                window=self._window,
            )
            is_complete = self._fan_out.is_complete
        if self._fan_out.gone:
            self._tell(
                f"{self._fan_out.gone} parents of {self._name} were deleted since their list."
            )

    def metadata(self, results: Sequence[LoadResult]) -> dict[str, Any]:
        """What the materialization reports, in rows, requests and seconds.

        Args:
            results: Of each load, in their order.
        """
        report = {
            **(results[-1].metadata or {}),
            "dagster/row_count": self._warehouse.row_count(self._name),
            "dagster/table_name": f"{DATASET}.{self._name}",
            "rows_loaded": sum(map(_rows_loaded, results)),
            "rows_changed": self._changes.changed,
            "parents_gone": self._fan_out.gone,
            "requests": self._traffic.requests,
            "seconds_waited": round(self._rate_limit.waited, 2),
            "seconds": round(time.monotonic() - self._started, 2),
        }
        if is_listed_in_full(self._config, self._name):
            open_dataset = self._warehouse.open_dataset
            report["rows_no_longer_listed"] = count_no_longer_listed(open_dataset, self._name)
        return report


def _rows_loaded(result: LoadResult) -> int:
    """What dagster-dlt reports, which leaves a load without rows out."""
    rows: Any = (result.metadata or {}).get("rows_loaded")
    return int(rows.value) if rows is not None else 0
