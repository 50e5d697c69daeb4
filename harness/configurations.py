"""What the user's configuration means, and the words of one that a test is about to change."""

from __future__ import annotations

from typing import Any

from analytics_assets.configuration import ANALYTICS, ApiConfig, ResourceConfig, read_api

ANALYTICS_API = read_api(ANALYTICS)


def words_of(config: ApiConfig, name: str) -> ResourceConfig:
    """The words of a resource."""
    return next(resource for resource in config["resources"] if resource["name"] == name)


def endpoint_words(config: ApiConfig, name: str) -> Any:
    """The words of its endpoint."""
    return words_of(config, name)["endpoint"]
