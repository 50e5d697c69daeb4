"""The Dagster resources: the API, dlt, the warehouse, the alerts' webhook and the console."""

from analytics_assets.resources.alert_webhook import AlertWebhook
from analytics_assets.resources.api import AnalyticsApi
from analytics_assets.resources.console import Console
from analytics_assets.resources.dlt_runner import DltRunner
from analytics_assets.resources.warehouse import Warehouse

__all__ = ["AlertWebhook", "AnalyticsApi", "Console", "DltRunner", "Warehouse"]
