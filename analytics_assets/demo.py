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

from analytics_assets.output import lenient

HOME = Path("data/demo")
TOKEN = "demo-token"  # noqa: S105 - the demo API's own, which opens nothing else
DAGSTER_YAML = """\
telemetry: {enabled: false}
python_logs: {python_log_level: INFO}
"""
SECONDS_PER_DEPLOYMENT = 20
"""How fast the demo API grows, so that a second run finds something new."""


def main() -> int:
    """Runs the demo, and returns the exit code of `dagster asset materialize`."""
    home = HOME.resolve()
    home.mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    # Its own history and warehouse: the user's stay as they are.
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["DESTINATION__DUCKDB__CREDENTIALS"] = str(home / "warehouse.duckdb")
    os.environ["ACCESS_TOKEN"] = TOKEN
    with lenient(sys.stdout) as stdout:
        print("Loading the nine resources of a demo API ...\n", file=stdout, flush=True)
        with demo_api(home) as url:
            os.environ["ANALYTICS_BASE_URL"] = url
            exit_code = materialize_all(home)
        print(f"\nThe rows are in {HOME}/warehouse.duckdb, the log is {HOME}/run.log.", file=stdout)
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
    """Materializes every asset by the CLI, with its log in a file; returns its exit code."""
    command = ["asset", "materialize", "-m", "analytics_assets.definitions", "--select", "*"]
    with (home / "run.log").open("w") as log:
        return subprocess.run(
            [sys.executable, "-m", "dagster", *command],
            # Of the user's folder Dagster would read `.env`, and take its settings for the demo's.
            cwd=home,
            stderr=log,
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
