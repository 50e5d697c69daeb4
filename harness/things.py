"""A small API of things, and parts of them, whose configuration a test completes."""

from __future__ import annotations

from typing import Any

from analytics_assets.configuration import Api, Cadence, FieldType, ResourceConfig, read_api

HOURLY: Cadence = {
    "name": "hourly",
    "cron": "5 * * * *",
    "timezone": "UTC",
    "warn_after": 90,
    "fail_after": 180,
}


def api_of(*resources: ResourceConfig) -> Api:
    """An API of some resources, each list one page."""
    return read_api(
        {
            "retry_stale": "*/15 * * * *",
            "history_start": "2016-01-01",
            "resource_defaults": {"primary_key": "id", "endpoint": {"paginator": "single_page"}},
            "resources": list(resources),
        }
    )


def things(**fields: FieldType) -> ResourceConfig:
    """The list `/things`, with an id and further fields."""
    return {
        "name": "things",
        "description": "Things.",
        "cadence": HOURLY,
        "endpoint": {"path": "/things", "data_selector": "things"},
        "fields": {"id": fields.pop("id", "string"), **fields},
    }


def parts(**endpoint: Any) -> ResourceConfig:
    """The parts of each thing."""
    return {
        "name": "parts",
        "description": "Parts of each thing.",
        "cadence": HOURLY,
        "primary_key": ["_things_id", "id"],
        "include_from_parent": ["id"],
        "endpoint": {
            "path": "/things/{resources.things.id}/parts",
            "data_selector": "parts",
            **endpoint,  # type: ignore[typeddict-item]
        },
        "fields": {"id": "string", "name": "string"},
    }
