"""`make demo`: loads the demo API into DuckDB by the real CLI and shows what was loaded.

Everything it leaves is in `data/demo`; delete that folder to begin anew.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TextIO

from dagster import DagsterInstance

from analytics_assets.assets.keys import asset_key
from analytics_assets.configuration import ANALYTICS

HOME = Path("data/demo")
TOKEN = "demo-token"  # noqa: S105 - the demo API's own, which opens nothing else
SECONDS_PER_DEPLOYMENT = 20
"""How fast the demo API grows, so that a second run finds something new."""

COLUMNS = {
    "rows": "dagster/row_count",
    "new": "rows_new",
    "changed": "rows_changed",
    "requests": "requests",
    "seconds": "seconds",
}


def main(out: TextIO = sys.stdout) -> int:
    """Runs the demo, and returns the exit code of `dagster asset materialize`."""
    home = HOME.resolve()
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    # Its own history and warehouse: the user's stay as they are.
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = str(home / "warehouse.duckdb")
    os.environ["ACCESS_TOKEN"] = TOKEN
    started = datetime.now(timezone.utc)
    with demo_api(home) as url:
        os.environ["ANALYTICS_BASE_URL"] = url
        exit_code = materialize_all(home)
    print_table(started, out)
    print(f"\nThe rows are in {HOME}/warehouse.duckdb, the log is {HOME}/run.log.", file=out)
    if exit_code:
        print("Not everything was loaded: the log says why.", file=out)
    return exit_code


@contextmanager
def demo_api(home: Path) -> Iterator[str]:
    """A running demo API that has grown since the first demo; yields its address."""
    anchor = home / "anchor"
    if not anchor.exists():
        anchor.write_text(datetime.now(timezone.utc).isoformat())
    arguments = ["--port", "0", "--token", TOKEN, "--anchor", anchor.read_text()]
    arguments += ["--grow-every", str(SECONDS_PER_DEPLOYMENT)]
    server = subprocess.Popen(
        [sys.executable, "-m", "analytics_assets.demo_api", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        announcement = server.stdout.readline() if server.stdout else ""
        yield next(word for word in announcement.split() if word.startswith("http://"))
    finally:
        server.terminate()
        server.wait()


def materialize_all(home: Path) -> int:
    """Materializes every asset by the CLI, with its output in a file; returns its exit code."""
    command = ["asset", "materialize", "-m", "analytics_assets.definitions", "--select", "*"]
    with (home / "run.log").open("w") as output:
        return subprocess.run(
            [sys.executable, "-m", "dagster", *command],
            # Of the user's folder Dagster would read `.env`, and take its settings for the demo's.
            cwd=home,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode


def print_table(since: datetime, out: TextIO) -> None:
    """Prints a line for each asset: what its materialization since then reports."""
    line = "{:<20}{:>8}{:>8}{:>9}{:>10}{:>9}"
    print(line.format("asset", *COLUMNS), file=out)
    with DagsterInstance.get() as instance:
        for resource in ANALYTICS["resources"]:
            name = str(resource["name"])
            event = instance.get_latest_materialization_event(asset_key(name))
            if event is None or event.timestamp < since.timestamp():
                print(line.format(name, "failed", *[""] * (len(COLUMNS) - 1)), file=out)
                continue
            materialization = event.asset_materialization
            values = {} if materialization is None else materialization.metadata
            print(line.format(name, *(values[key].value for key in COLUMNS.values())), file=out)


if __name__ == "__main__":
    sys.exit(main())
