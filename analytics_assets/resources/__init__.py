"""The Dagster resources: the API, the warehouse and the alerts' webhook, with their settings."""

from analytics_assets.resources.alert_webhook import AlertWebhook
from analytics_assets.resources.api import AnalyticsApi
from analytics_assets.resources.warehouse import Warehouse

__all__ = ["AlertWebhook", "AnalyticsApi", "Warehouse"]
