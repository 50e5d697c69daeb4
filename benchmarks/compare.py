"""Compares the project with the limit, and with what people would use instead.

All load the same rows of one demo API, in turn and round by round, so that a machine that drifts
hits them alike. `python -m benchmarks.compare --sizes S --latencies 0` takes minutes, all of it
more than an hour; `--help` lists the options.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.cli import environment
from benchmarks.lineup import LIMIT, OTHERS, PROJECT, SIZES, Contender
from benchmarks.measure import CommandFailedError, measure
from benchmarks.report import Comparison, Run, Setting, write_report
from harness.demo_api import RESOURCES, DemoApi, running_demo_api

SCHEMA = "analytics"


class NotTheSameRowsError(Exception):
    """A contender loaded other rows than the limit: its times would mean nothing."""


def main() -> None:
    """Runs all that the options ask for; writes the report anew after each setting."""
    options = _create_parser().parse_args()
    chosen = [LIMIT, PROJECT, *(one for one in OTHERS if one.name in options.contenders)]
    absent = {one.name: reason for one in chosen if (reason := one.missing())}
    for contender in chosen:
        if contender.name in absent:
            print(f"SKIPPED: {contender.title}: {absent[contender.name]}", flush=True)
    present = [contender for contender in chosen if contender.name not in absent]
    comparison = Comparison(chosen, absent, options.runs)
    for size in options.sizes:
        for latency in options.latencies:
            setting = Setting(size, latency)
            try:
                comparison.runs[setting] = _compare(setting, present, options.runs)
            except (CommandFailedError, NotTheSameRowsError) as error:
                sys.exit(f"{setting}: {error}")
            write_report(comparison, options.output)
    print(f"The report is {options.output}.")


def _create_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.compare", description=(__doc__ or "").partition("\n")[0]
    )
    others = [contender.name for contender in OTHERS]
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument(
        "--latencies", nargs="+", type=int, default=[0, 20, 50], metavar="MS", help="(0 20 50)"
    )
    parser.add_argument("--runs", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument(
        "--contenders",
        nargs="*",
        choices=others,
        default=others,
        help="beside the limit and the project, which always run (all)",
    )
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks.md"))
    return parser


def _compare(
    setting: Setting, contenders: Sequence[Contender], rounds: int
) -> dict[str, list[Run]]:
    """The runs of each contender, by name; the runs of one round have the same place."""
    running = [one for one in contenders if one.reason_to_skip(setting.size) is None]
    runs: dict[str, list[Run]] = {contender.name: [] for contender in running}
    options = [*SIZES[setting.size], "--latency", str(setting.latency)]
    with running_demo_api(*options) as api:
        for number in range(rounds):
            for contender in running:
                run = _run(contender, api)
                runs[contender.name].append(run)
                print(f"{setting}, round {number + 1}: {contender.name}: {run}", flush=True)
                _check_rows(contender, run, runs[LIMIT.name][0])
    return runs


def _run(contender: Contender, api: DemoApi) -> Run:
    """Runs a contender once, into a fresh warehouse, in a folder of its own."""
    with TemporaryDirectory(prefix="benchmark_") as name:
        folder = Path(name)
        warehouse = folder / "warehouse.duckdb"
        try:
            with api.counted() as requests:
                measurement = measure(
                    contender.command(warehouse),
                    environment(api, warehouse),
                    folder,
                    folder / "output.log",
                )
        except CommandFailedError as error:
            raise CommandFailedError(f"{contender.title}: {error}") from error
        return Run(measurement, sum(requests.values()), _count_rows(warehouse))


def _count_rows(warehouse: Path) -> dict[str, int]:
    """The rows of each of the nine tables; -1 where there is no table."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        tables = {
            str(name)
            for (name,) in connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = ?", [SCHEMA]
            ).fetchall()
        }
        return {
            name: connection.table(f'{SCHEMA}."{name}"').shape[0] if name in tables else -1
            for name in RESOURCES
        }


def _check_rows(contender: Contender, run: Run, limit: Run) -> None:
    differing = [
        f"{name}: {run.rows[name]} rows instead of {limit.rows[name]}"
        for name in RESOURCES
        if run.rows[name] != limit.rows[name]
    ]
    if differing:
        raise NotTheSameRowsError(
            f"{contender.title} loaded other rows than the limit. {'; '.join(differing)}."
        )


if __name__ == "__main__":
    main()
