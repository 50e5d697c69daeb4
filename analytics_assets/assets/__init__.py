"""The Dagster assets: one for each resource of the configuration."""

from analytics_assets.assets.factory import POOL, build_assets, build_load

__all__ = ["POOL", "build_assets", "build_load"]
