"""Composes the project: everything Dagster loads, built from the configuration."""

from dagster import Definitions, in_process_executor
from dagster_dlt import DagsterDltResource

from analytics_assets.assets import build_assets
from analytics_assets.configuration import ANALYTICS, ApiConfig, validate
from analytics_assets.resources import AnalyticsApi, Warehouse


def build_definitions(config: ApiConfig) -> Definitions:
    """The definitions of one API.

    Raises:
        ConfigurationError: If the configuration is wrong.
    """
    validate(config)
    return Definitions(
        assets=build_assets(config),
        resources={
            "dlt": DagsterDltResource(),
            "api": AnalyticsApi(),
            "warehouse": Warehouse(),
        },
        # DuckDB has one writer, and a process for each step would import everything again.
        executor=in_process_executor,
    )


defs = build_definitions(ANALYTICS)
