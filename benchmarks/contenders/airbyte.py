"""PyAirbyte: a low-code connector of the same nine resources, read into a DuckDB cache.

It runs in an environment of its own, because its libraries contradict the project's:
`python -m venv .venv-airbyte && .venv-airbyte/bin/pip install airbyte`, then
`.venv-airbyte/bin/python -m benchmarks.contenders.airbyte WAREHOUSE.duckdb`
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path

MANIFEST = Path(__file__).with_name("airbyte_manifest.yaml")
LOCAL = {
    # It would look the connector up in its registry, and report the run to its makers.
    "AIRBYTE_OFFLINE_MODE": "1",
    "DO_NOT_TRACK": "1",
    # It would draw its progress over and over.
    "NO_LIVE_PROGRESS": "1",
}


def main() -> None:
    """Loads into the file named."""
    warehouse = Path(sys.argv[1])
    os.environ |= {**LOCAL, "AIRBYTE_LOGGING_ROOT": f"{warehouse}.logs"}
    # It reads those settings when it is imported, and only its own environment has it.
    airbyte = import_module("airbyte")
    source = airbyte.get_source(
        "source-analytics",
        config={
            "base_url": os.environ["ANALYTICS_BASE_URL"],
            "access_token": os.environ["ACCESS_TOKEN"],
        },
        source_manifest=MANIFEST,
        streams="*",
    )
    cache = import_module("airbyte.caches").DuckDBCache(db_path=warehouse, schema_name="analytics")
    source.read(cache=cache, force_full_refresh=True)


if __name__ == "__main__":
    main()
