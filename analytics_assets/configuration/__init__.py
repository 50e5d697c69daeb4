"""What is loaded, as data: the API, its resources, and the checks a configuration must pass."""

from analytics_assets.configuration.analytics import ANALYTICS, PLACEHOLDER_URL
from analytics_assets.configuration.conversions import iso_time
from analytics_assets.configuration.resource import Api, Parent, Resource, read_api
from analytics_assets.configuration.types import (
    ApiConfig,
    AskedAgain,
    BareList,
    Cadence,
    DailyCounts,
    Durations,
    FieldType,
    ResourceConfig,
)
from analytics_assets.configuration.validation import ConfigurationError, validate

__all__ = [
    "ANALYTICS",
    "PLACEHOLDER_URL",
    "Api",
    "ApiConfig",
    "AskedAgain",
    "BareList",
    "Cadence",
    "ConfigurationError",
    "DailyCounts",
    "Durations",
    "FieldType",
    "Parent",
    "Resource",
    "ResourceConfig",
    "iso_time",
    "read_api",
    "validate",
]
