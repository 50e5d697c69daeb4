"""Makes one asset, with one step and one dlt pipeline of its own, from each resource.

An endpoint that fails, fails its own asset: the others load in the same run.
"""

import time
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import dlt
from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult
from dagster_dlt import DagsterDltResource, dlt_assets
from dlt.extract import DltSource

from analytics_assets.assets.failures import failing_in_one_sentence
from analytics_assets.assets.translator import ResourceTranslator
from analytics_assets.configuration import ApiConfig
from analytics_assets.resources import AnalyticsApi, Warehouse
from analytics_assets.resources.warehouse import DATASET
from analytics_assets.source.http import Traffic
from analytics_assets.source.rest import build_source
from analytics_assets.source.stored import Changes


def build_assets(config: ApiConfig) -> list[AssetsDefinition]:
    """The assets of all resources, in the order of the configuration."""
    return [_build_asset(config, str(resource["name"])) for resource in config["resources"]]


def _build_asset(config: ApiConfig, name: str) -> AssetsDefinition:
    translator = ResourceTranslator(config)

    @dlt_assets(
        name=name,
        dlt_source=_named_source(name),
        # A load makes its own pipeline: one made here would create a directory at import.
        dlt_pipeline=None,  # type: ignore[arg-type]
        dagster_dlt_translator=translator,
    )
    def load(
        context: AssetExecutionContext,
        dlt: DagsterDltResource,
        api: AnalyticsApi,
        warehouse: Warehouse,
    ) -> Iterator[MaterializeResult[None]]:
        traffic = Traffic()
        changes = Changes(config, name, warehouse.open_dataset)
        started = time.monotonic()
        with (
            failing_in_one_sentence(name, api.retry_policy()),
            warehouse.opened(context.log),
            TemporaryDirectory(prefix=f"{name}_") as directory,
        ):
            source = build_source(
                config,
                name,
                client=api.client(traffic),
                open_dataset=warehouse.open_dataset,
                changes=changes,
                start=api.start(),
            )
            pipeline = warehouse.pipeline(name, directory)
            for result in dlt.run(context, source, pipeline, translator):
                metadata = result.metadata or {}
                yield MaterializeResult(
                    asset_key=result.asset_key,
                    metadata={
                        **metadata,
                        "dagster/row_count": warehouse.row_count(name),
                        "dagster/table_name": f"{DATASET}.{name}",
                        "rows_loaded": metadata.get("rows_loaded", 0),
                        "rows_changed": changes.changed,
                        "requests": traffic.requests,
                        "seconds": round(time.monotonic() - started, 2),
                    },
                )

    return load


def _named_source(name: str) -> DltSource:
    """A source that says which table the asset is; what it loads is known when it runs."""
    return DltSource(dlt.Schema(name), name, [dlt.resource([], name=name)])
