"""Plain dlt: the user's example as one REST source in one pipeline, and nothing tuned.

The example is read as the project reads it, so that it runs and no row is lost: `limit` is a query
parameter, placeholders name their parents, and a child's key is its parent's with its own.
`python -m benchmarks.contenders.plain_dlt WAREHOUSE.duckdb [--parquet]`
"""

from __future__ import annotations

import argparse
import os
from typing import Any

import dlt
from dlt.extract import DltSource
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import EndpointResource

CURSOR: Any = {
    "type": "cursor",
    "cursor_param": "until",
    "cursor_path": "pagination.next",
}
ROWS_PER_PAGE = {"limit": 100}


def main() -> None:
    """Loads into the file named."""
    parser = argparse.ArgumentParser(description="Loads the nine resources with plain dlt.")
    parser.add_argument("warehouse", help="the DuckDB file")
    parser.add_argument("--parquet", action="store_true", help="load Parquet files, not INSERTs")
    options = parser.parse_args()
    pipeline = dlt.pipeline(
        "plain_dlt",
        destination=dlt.destinations.duckdb(options.warehouse),
        dataset_name="analytics",
        # Beside the warehouse, which is in a fresh folder: dlt's default keeps the last run's.
        pipelines_dir=f"{options.warehouse}.pipelines",
    )
    if options.parquet:
        pipeline.run(create_source(), loader_file_format="parquet")
    else:
        pipeline.run(create_source())


def create_source() -> DltSource:
    """The nine resources."""
    source: DltSource = rest_api_source(
        {
            "client": {
                "base_url": os.environ["ANALYTICS_BASE_URL"],
                "auth": {"type": "bearer", "token": os.environ["ACCESS_TOKEN"]},
            },
            "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
            "resources": [
                _list("projects", "/v9/projects", "projects"),
                _list("teams", "/v2/teams", "teams"),
                _list("user", "/v2/user", "user"),
                _list("deployments", "/v6/deployments", "deployments", key="uid"),
                _list("auth_tokens", "/v5/user/tokens", "tokens"),
                _list("aliases", "/v4/aliases", "aliases", key="uid"),
                _children("environments", "/v9/projects/{resources.projects.id}/env", "envs"),
                _children(
                    "teams_member", "/v2/teams/{resources.teams.id}/members", "members", key="uid"
                ),
                _children(
                    "deployment_events", "/v3/deployments/{resources.deployments.uid}/events", "$"
                ),
            ],
        }
    )
    source.deployment_events.add_map(_with_id)
    return source


def _with_id(event: dict[str, Any]) -> dict[str, Any]:
    """Some events carry their id in the payload alone: without a key they could not be merged."""
    return event if "id" in event else {**event, "id": event["payload"]["id"]}


def _list(name: str, path: str, selector: str, key: str = "id") -> EndpointResource:
    return {
        "name": name,
        "primary_key": key,
        "endpoint": {
            "path": path,
            "data_selector": selector,
            "paginator": CURSOR,
            "params": dict(ROWS_PER_PAGE),
        },
    }


def _children(name: str, path: str, selector: str, key: str = "id") -> EndpointResource:
    parent, field = path.partition("{resources.")[2].partition("}")[0].split(".")
    return {
        "name": name,
        "primary_key": [f"_{parent}_{field}", key],
        "include_from_parent": [field],
        "endpoint": {
            "path": path,
            "data_selector": selector,
            # The body of the events is the list itself, and names no next page.
            "paginator": "single_page" if selector == "$" else CURSOR,
            "params": dict(ROWS_PER_PAGE),
        },
    }


if __name__ == "__main__":
    main()
