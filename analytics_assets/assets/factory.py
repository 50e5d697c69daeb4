"""Makes one asset, with one step and one dlt pipeline of its own, from each resource.

An endpoint that fails, fails its own asset: the others load in the same run.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import dlt
from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    OpExecutionContext,
    multi_asset,
)
from dagster_dlt import DagsterDltResource, build_dlt_asset_specs
from dlt.extract import DltSource

from analytics_assets.assets.dlt_log import dlt_logs_to
from analytics_assets.assets.failures import failing_in_one_sentence
from analytics_assets.assets.garbage import searching_new_objects_alone
from analytics_assets.assets.keys import asset_key
from analytics_assets.assets.load import AssetLoad
from analytics_assets.assets.outage import NOT_TRIED, is_down
from analytics_assets.assets.translator import ResourceTranslator
from analytics_assets.assets.window_config import WindowConfig
from analytics_assets.configuration import Api, Resource
from analytics_assets.resources import AnalyticsApi, Console, Warehouse
from analytics_assets.source.limits import LIMITS, Limits
from analytics_assets.source.probe import probe
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.telling import silent
from analytics_assets.source.traffic import Traffic

Context: TypeAlias = AssetExecutionContext | OpExecutionContext
Load: TypeAlias = Callable[
    [Context, DagsterDltResource, AnalyticsApi, Warehouse, Console, WindowConfig], dict[str, Any]
]

POOL = "analytics_api"
"""The pool of all that ask the API: `dagster.yaml` limits how many do at a time."""


def build_assets(api: Api, limits: Limits = LIMITS) -> list[AssetsDefinition]:
    """The assets of all resources, in the order of the configuration."""
    return [_build_asset(resource, limits) for resource in api.resources.values()]


def build_load(resource: Resource, limits: Limits = LIMITS) -> Load:
    """What loads a resource in a step of any kind, and returns what the step is to report."""
    name, translator = resource.name, ResourceTranslator(resource)

    def load(
        context: Context,
        dlt: DagsterDltResource,
        api: AnalyticsApi,
        warehouse: Warehouse,
        console: Console,
        config: WindowConfig,
    ) -> dict[str, Any]:
        with failing_in_one_sentence(name, api.retry_policy()):
            _require_api(context, resource, api)
            window = config.window()
            months = window.months if window and resource.may_load_months_at_once else []
            with (
                searching_new_objects_alone(),
                dlt_logs_to(context.log),
                warehouse.opened_to_load(name, context.log, months) as turn,
                console.progress(name) as show,
            ):
                asset_load = AssetLoad(
                    resource, api, warehouse, turn, window, context.log.info, show, limits
                )
                for source in asset_load.sources():
                    with warehouse.pipeline(name) as pipeline:
                        # dagster-dlt reports one load and its files; the materialization is all.
                        list(dlt.run(context, source, pipeline, translator))
                        asset_load.note(pipeline)
                asset_load.note_window()
                asset_load.check_that_parents_answered()
                return asset_load.metadata()

    return load


def _build_asset(resource: Resource, limits: Limits) -> AssetsDefinition:
    name, load = resource.name, build_load(resource, limits)

    def load_what_is_new(
        context: AssetExecutionContext,
        dlt: DagsterDltResource,
        api: AnalyticsApi,
        warehouse: Warehouse,
        console: Console,
    ) -> Iterator[MaterializeResult[None]]:
        loaded = load(context, dlt, api, warehouse, console, WindowConfig())
        yield MaterializeResult(asset_key=asset_key(name), metadata=loaded)

    # Dagster reads an asset's run configuration off the signature, and only these have one.
    def load_what_is_new_or_a_window(
        context: AssetExecutionContext,
        config: WindowConfig,
        dlt: DagsterDltResource,
        api: AnalyticsApi,
        warehouse: Warehouse,
        console: Console,
    ) -> Iterator[MaterializeResult[None]]:
        loaded = load(context, dlt, api, warehouse, console, config)
        yield MaterializeResult(asset_key=asset_key(name), metadata=loaded)

    # What `dlt_assets` does, but for what the specs hold: an asset keeps the metadata that it was
    # made with, whatever `map_asset_specs` takes out of it later.
    as_asset = multi_asset(name=name, specs=_specs(resource), can_subset=True, pool=POOL)
    return as_asset(load_what_is_new_or_a_window if resource.is_reloadable else load_what_is_new)


def _specs(resource: Resource) -> list[AssetSpec]:
    specs = build_dlt_asset_specs(
        dlt_source=_named_source(resource.name),
        # A load makes its own pipeline: one made here would create a directory at import.
        dlt_pipeline=None,  # type: ignore[arg-type]
        dagster_dlt_translator=ResourceTranslator(resource),
    )
    return [*map(_without_objects, specs)]


def _require_api(context: Context, resource: Resource, api: AnalyticsApi) -> None:
    """Ends a load at once where the run has found out that the API is down.

    Raises:
        Failure: If it is.
    """

    def ask_once() -> None:
        # What a child asks for is known once its parents are.
        if resource.parent is None:
            once = replace(api.retry_policy(), max_retries=0)
            client = api.client(once, Traffic(silent), RateLimit(silent, longest_wait=math.inf))
            with failing_in_one_sentence(resource.name, once):
                probe(resource, client, once)

    if is_down(context.instance, context.run.run_id, ask_once):
        why = f"the API at {api.address()} did not answer"
        raise Failure(f"{resource.name} was not tried: {why}.", metadata={NOT_TRIED: why})


def _without_objects(spec: AssetSpec) -> AssetSpec:
    """Without dagster-dlt's own objects in the metadata, which the UI shows as unreadable.

    A load hands them to dagster-dlt itself.
    """
    metadata = {key: value for key, value in spec.metadata.items() if "dagster_dlt/" not in key}
    return spec.replace_attributes(metadata=metadata)


def _named_source(name: str) -> DltSource:
    """A source that says which table the asset is; what it loads is known when it runs."""
    return DltSource(dlt.Schema(name), name, [dlt.resource([], name=name)])
