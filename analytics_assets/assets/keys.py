"""The keys of the assets."""

from dagster import AssetKey

GROUP = "analytics"


def asset_key(name: str) -> AssetKey:
    """The key of a resource's asset; the table in the warehouse bears the same name."""
    return AssetKey([GROUP, name])
