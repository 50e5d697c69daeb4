"""The Dagster resources: the API and the warehouse, with their settings and secrets."""

from analytics_assets.resources.api import AnalyticsApi
from analytics_assets.resources.warehouse import Warehouse

__all__ = ["AnalyticsApi", "Warehouse"]
