"""What one materialization of an asset does: its loads, one after the other, and their report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import dlt
from dagster import MetadataValue
from dlt.extract import DltSource

from analytics_assets.assets.preview import newest_rows, time_column
from analytics_assets.assets.translator import request_of
from analytics_assets.configuration.resource import Resource
from analytics_assets.pictures import draw_pictures
from analytics_assets.resources import AnalyticsApi, Warehouse
from analytics_assets.resources.one_load import Turn
from analytics_assets.resources.place import address_without_secrets, place_of
from analytics_assets.resources.warehouse import DATASET
from analytics_assets.source.changes import Changes
from analytics_assets.source.clock import iso_time
from analytics_assets.source.coverage import Coverage, note_window
from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.explanation import explain_parents
from analytics_assets.source.fan_out import FanOut
from analytics_assets.source.limits import Limits
from analytics_assets.source.load import Job, build_source
from analytics_assets.source.pending import parent_identity
from analytics_assets.source.phases import Phase, phases_of, seconds_in
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.repeated_ids import Key
from analytics_assets.source.stored import (
    count_deleted,
    count_stored,
    suspected_secrets,
)
from analytics_assets.source.telling import Sparsely, Tell
from analytics_assets.source.traffic import Traffic
from analytics_assets.source.watermark import Watermark
from analytics_assets.source.window import Window
from analytics_assets.source.withheld import undecided
from analytics_assets.source.wording import counted

MOST_MERGED_NAMED = 10
"""Keys of merged rows that a materialization names."""


class AssetLoad:
    """The loads of one materialization: one, or of a long fan-out a batch of parents each."""

    def __init__(
        self,
        resource: Resource,
        api: AnalyticsApi,
        warehouse: Warehouse,
        turn: Turn,
        window: Window | None,
        tell: Tell,
        show: Callable[[int, int], None],
        limits: Limits,
    ) -> None:
        """Begins with nothing loaded.

        Args:
            resource: The resource to load.
            api: Where it is loaded from.
            warehouse: Where it is loaded to.
            turn: The turn of the load, with an open connection to the warehouse.
            window: What to load again; None loads what is new.
            tell: Receives a sentence on what is done, and on each long wait.
            show: Receives the parents of a child that were asked for, and all, as it goes on.
            limits: How much is done at a time.
        """
        self._resource = resource
        self._name = name = resource.name
        self._api = api
        self._warehouse = warehouse
        self._turn = turn
        self._client = turn.client
        self._window = window
        self._tell = tell
        self._limits = limits
        self._started = time.monotonic()
        told_sparsely = Sparsely(tell)
        self._traffic = Traffic(told_sparsely)
        self._rate_limit = RateLimit(told_sparsely, api.retry_policy().max_wait)
        self._fan_out = FanOut(resource, self._traffic, tell, show, api.most_bad_parents, limits)
        self._watermark = Watermark(resource, tell)
        self._address = ""
        self._brought = 0
        self._unchanged = 0
        self._merged: list[Key] = []
        self._phases: list[Phase] = []
        self._state: dict[str, Any] = {}
        self._rows_before = count_stored(warehouse.open_dataset, name)

    def sources(self) -> Iterator[DltSource]:
        """The sources of the loads; each is to be loaded before the next one is asked for."""
        self._tell(f"{request_of(self._resource)}: {self._what_is_asked_for()}.")
        client = self._api.client(self._api.retry_policy(), self._traffic, self._rate_limit)
        self._address = address_without_secrets(client.outgoing.base_url)
        job = Job(
            self._resource,
            client,
            self._traffic,
            self._fan_out,
            self._watermark,
            self._limits,
            self._api.start(),
            self._window,
            self._api.most_rows_gone,
        )
        is_over = False
        with client:
            while not is_over:
                self._turn.go_on()
                # Each load changes schemas: what is opened for one is not to serve the next.
                open_dataset = cache(self._warehouse.open_dataset)
                changes = Changes(self._resource, open_dataset)
                yield build_source(job, open_dataset, changes)
                self._brought += changes.brought
                self._unchanged += changes.unchanged
                self._merged += changes.merged
                is_over = self._fan_out.is_over
        self._tell_of_parents()

    def note_window(self) -> None:
        """Notes what a window of a child has asked for, once it is through; nothing of any other.

        By a pipeline of its own, which nothing was loaded with.
        """
        fan_out = self._fan_out
        is_through = fan_out.was_answered and not fan_out.is_given_up
        if self._window and fan_out.parents_load and is_through:
            coverage = Coverage(*self._window, fan_out.parents_load)
            with (
                self._turn.alone_with_state(),
                self._warehouse.pipeline(self._name) as pipeline,
            ):
                note_window(pipeline, self._name, coverage, fan_out.pending)

    def check_that_parents_answered(self) -> None:
        """Fails what has stored all it could, where a parent was not answered that should be.

        Raises:
            Exception: What the first of them met with, where none was answered at all.
            AnalyticsApiError: A sentence that names them, where others were, or may be that were
                not asked any more; or those that could not be asked at all.
        """
        fan_out = self._fan_out
        if not fan_out.bad:
            fan_out.check_that_all_could_be_asked()
            return
        is_refused = fan_out.is_given_up and all(each.is_refused for each in fan_out.bad)
        if not fan_out.was_answered and not fan_out.may_be_of_few and not is_refused:
            raise fan_out.bad[0].error
        key_of = parent_identity(self._resource).key_of
        bad = [("/".join(key_of(each.parent)), each) for each in fan_out.bad]
        raise AnalyticsApiError(
            explain_parents(self._name, bad, len(fan_out.asked_keys), fan_out.is_given_up)
        )

    def note(self, pipeline: dlt.Pipeline) -> None:
        """Notes what a pipeline that has loaded one of the sources knows of it."""
        self._phases += phases_of(pipeline.last_trace)
        sources: Any = pipeline.state.get("sources", {})
        self._state = sources.get(self._name, {}).get("resources", {}).get(self._name, {})

    def metadata(self) -> dict[str, Any]:
        """What the materialization reports, once all is loaded, in rows, requests and seconds."""
        open_dataset = cache(self._warehouse.open_dataset)
        rows = count_stored(open_dataset, self._name)
        brought = self._brought
        # None is ever deleted.
        new = min(max(rows - self._rows_before, 0), brought)
        report = {
            "dagster/row_count": rows,
            "dagster/table_name": f"{DATASET}.{self._name}",
            "loaded_from": self._address,
            "stored_in": f"{place_of(self._client)} ({self._warehouse.destination_name})",
            "rows_new": new,
            "rows_changed": brought - new,
            "rows_unchanged": self._unchanged,
            "requests": self._traffic.requests,
            "retries": self._traffic.retries,
            "bytes_received": self._traffic.bytes_received,
            "seconds_waited": round(self._rate_limit.waited, 2),
            **seconds_in(self._phases),
            "seconds": round(time.monotonic() - self._started, 2),
            **self._watermarks(),
            "newest_rows": newest_rows(self._resource, self._client),
        }
        suspected = suspected_secrets(open_dataset, self._name)
        if withheld := undecided(self._resource, suspected):
            report["fields_withheld"] = len(withheld)
        report |= self._numbers_of_parents()
        if self._merged:
            named = ["/".join(map(str, key)) for key in self._merged[:MOST_MERGED_NAMED]]
            report |= {"rows_merged": len(self._merged), "keys_merged": ", ".join(named)}
        if self._resource.is_listed_in_full:
            report["rows_no_longer_listed"] = count_deleted(open_dataset, self._name)
        requests = counted(self._traffic.requests, "request")
        self._tell(
            f"{counted(new, 'row')} new, {brought - new} changed, {self._unchanged} unchanged; "
            f"{rows} in {DATASET}.{self._name}. {requests}, {report['seconds']} s, of which "
            f"{report['seconds_waited']} s waited for the API."
        )
        return report | draw_pictures(
            self._resource,
            time_column(self._resource),
            self._client,
            self._traffic,
            self._rate_limit,
            self._phases,
            has_changed=brought > 0,
        )

    def _numbers_of_parents(self) -> dict[str, int]:
        fan_out = self._fan_out
        numbers = {
            "parents_gone": fan_out.gone,
            "parents_pending": len(fan_out.pending),
            "parents_asked_again": fan_out.asked_again,
        }
        return {name: number for name, number in numbers.items() if number}

    def _tell_of_parents(self) -> None:
        gone, pending = self._fan_out.gone, len(self._fan_out.pending)
        if gone:
            self._tell(f"Parents of {self._name} that were deleted since their list: {gone}.")
        if pending:
            self._tell(f"Parents of {self._name} that the next run asks for again: {pending}.")

    def _what_is_asked_for(self) -> str:
        if self._window is None:
            return self._resource.how_it_is_loaded
        start, end = map(iso_time, self._window)
        return f"again from {start} to {end}"

    def _watermarks(self) -> dict[str, MetadataValue[Any]]:
        after = self._watermark.read(self._state)
        before = self._watermark.before if self._watermark.is_noted else after
        moments = {"watermark_before": before, "watermark_after": after}
        return {
            name: MetadataValue.timestamp(moment / 1000)
            for name, moment in moments.items()
            if moment is not None
        }
