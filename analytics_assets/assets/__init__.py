"""The Dagster assets: one for each resource of the configuration."""

from analytics_assets.assets.factory import build_assets

__all__ = ["build_assets"]
