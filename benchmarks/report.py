"""Writes what a comparison found: a Markdown document, and a picture beside it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

import psutil
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from analytics_assets.pictures.figure import INK, PALETTE, STYLE, new_figure
from benchmarks.lineup import LIMIT, PROJECT, SIZES, Contender
from benchmarks.measure import Measurement

PICTURE = Path("pictures/benchmarks.png")
INCHES = 4.2
DOTS_PER_INCH = 192
GROUP_WIDTH = 0.85
"""Of the bars of one setting; the distance to the next is 1."""
BYTES_PER_GB = 1_000_000_000

NOT_COMPARABLE = """\
- The limit has no retries, no types, no state, no keys and no history. It loads once, all columns
  as text, and keeps a failed load's rows: it shows what the server and the machine allow, and is
  no alternative.
- The project also checks what it loaded, counts it, and draws the pictures of the Dagster UI: its
  asset checks run with `dagster asset materialize` and are in its times. It reads long lists in
  stretches of time at once, and so makes some more requests than they have pages.
- Without Dagster's runs means the project's own source and pipelines, one after the other, with
  no run, step, check, log or metadata. It imports Dagster all the same.
- Plain dlt makes tables of nested lists, which the project keeps as JSON columns: it writes more
  tables and more rows than the nine that are counted. It withholds no secret values.
- PyAirbyte reads without state here (a full refresh), stores the declared fields alone, keeps
  columns of its own (`_airbyte_raw_id`, `_airbyte_extracted_at`, `_airbyte_meta`), and asks for
  the lists of parents again for their children.
- The demo server runs on the same cores, and its work is in the wall time of all, not in their
  processor time and memory. A latency is a wait of the server, not a slow network.
- Peak memory is the sum of the resident memory of all processes of a contender, every 50 ms:
  pages that they share are counted in each.
"""


@dataclass(frozen=True)
class Setting:
    """What is loaded, and how long the server waits before it answers."""

    size: str
    latency: int
    """Milliseconds."""

    def __str__(self) -> str:
        """As headings and progress name it."""
        return f"{self.size}, {self.latency} ms"


@dataclass(frozen=True)
class Run:
    """One load of all nine resources."""

    measurement: Measurement
    requests: int
    rows: dict[str, int]

    def __str__(self) -> str:
        """As it is told while the comparison goes on."""
        return (
            f"{self.measurement.wall_seconds:.2f} s, CPU {self.measurement.cpu_seconds:.2f} s, "
            f"{self.measurement.peak_memory_mb:.0f} MB, {self.requests} requests, "
            f"{sum(self.rows.values())} rows"
        )


@dataclass
class Comparison:
    """All runs so far."""

    contenders: Sequence[Contender]
    absent: dict[str, str]
    """The contenders that cannot be run here, each with the reason."""
    rounds: int
    runs: dict[Setting, dict[str, list[Run]]] = field(default_factory=dict)

    def ratio(self, setting: Setting, name: str, to: str) -> float:
        """The wall time of a contender to another's: of each round, and the median of these."""
        pairs = zip(self.runs[setting][name], self.runs[setting][to], strict=True)
        return median(
            run.measurement.wall_seconds / other.measurement.wall_seconds for run, other in pairs
        )


def write_report(comparison: Comparison, file: Path) -> None:
    """Writes the document, and the picture in a folder beside it."""
    picture = file.parent / PICTURE
    picture.parent.mkdir(parents=True, exist_ok=True)
    _draw(comparison, picture)
    file.write_text("\n".join(_document(comparison)))


def _document(comparison: Comparison) -> Iterator[str]:
    yield "# Benchmarks\n"
    yield (
        "Each contender loads the same nine resources of the demo API into a fresh DuckDB file: a "
        "whole process, start-up included, and the same number of rows in each of the nine tables, "
        "which is checked. They run in turn, round by round; the numbers are medians of all "
        f"rounds ({comparison.rounds}), and the ratios medians of each round's own. Written by "
        "`python -m benchmarks.compare`.\n"
    )
    yield f"{_machine()}\n"
    yield f"![Wall time of each contender as a ratio to the limit]({PICTURE})\n"
    for setting in comparison.runs:
        yield f"## {setting}\n"
        yield from _table(comparison, setting)
        yield ""
    yield "## Sizes\n"
    for size in dict.fromkeys(setting.size for setting in comparison.runs):
        yield f"- {size}: `{' '.join(SIZES[size])}`"
    yield "\n## What is not comparable\n"
    yield NOT_COMPARABLE


def _table(comparison: Comparison, setting: Setting) -> Iterator[str]:
    yield "| | wall | to the project | to the limit | CPU | peak memory | requests | rows |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for contender in comparison.contenders:
        reason = comparison.absent.get(contender.name) or contender.reason_to_skip(setting.size)
        if reason:
            yield f"| {contender.title} | not run: {reason.rstrip('.')} | | | | | | |"
        else:
            yield f"| {contender.title} | {' | '.join(_cells(comparison, setting, contender))} |"


def _cells(comparison: Comparison, setting: Setting, contender: Contender) -> list[str]:
    runs = comparison.runs[setting][contender.name]

    def median_of(value: Callable[[Run], float]) -> float:
        return median(map(value, runs))

    return [
        f"{median_of(lambda run: run.measurement.wall_seconds):.1f} s",
        f"{comparison.ratio(setting, contender.name, PROJECT.name):.2f}",
        f"{comparison.ratio(setting, contender.name, LIMIT.name):.2f}",
        f"{median_of(lambda run: run.measurement.cpu_seconds):.1f} s",
        f"{median_of(lambda run: run.measurement.peak_memory_mb):.0f} MB",
        f"{median_of(lambda run: run.requests):,.0f}",
        f"{median_of(lambda run: sum(run.rows.values())):,.0f}",
    ]


def _machine() -> str:
    """The machine and the versions, without any name that is its owner's."""
    memory = psutil.virtual_memory().total / BYTES_PER_GB
    libraries = ", ".join(f"{name} {version(name)}" for name in ("dagster", "dlt", "duckdb"))
    return (
        f"Machine: {_processor()}, {os.cpu_count()} cores, {memory:.0f} GB of memory, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}; "
        f"{libraries}."
    )


def _processor() -> str:
    description = Path("/proc/cpuinfo")
    text = description.read_text() if description.exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return model[1].strip() if model else platform.processor()


def _draw(comparison: Comparison, file: Path) -> None:
    """Draws a group of bars for each setting."""
    settings = list(comparison.runs)
    bars = [
        contender
        for contender in comparison.contenders
        if contender is not LIMIT
        and any(contender.name in runs for runs in comparison.runs.values())
    ]
    figure, axes = new_figure("Wall time, as a ratio to the limit", INCHES)
    with rc_context(STYLE):
        axes.set_yscale("log")
        for place, contender in enumerate(bars):
            shift = (place - (len(bars) - 1) / 2) * GROUP_WIDTH / len(bars)
            _add_bars(axes, comparison, contender, shift, GROUP_WIDTH / len(bars), PALETTE[place])
        axes.set_xticks(range(len(settings)), [str(setting) for setting in settings])
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.margins(y=0.1)
        # Below, because the bars need the whole width.
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2, frameon=False, labelcolor=INK
        )
        figure.savefig(file, dpi=DOTS_PER_INCH, transparent=True)


def _add_bars(
    axes: Axes,
    comparison: Comparison,
    contender: Contender,
    shift: float,
    width: float,
    color: str,
) -> None:
    """Adds a contender's bars: from the limit's time, which is 1, to its own."""
    ratios = {
        place + shift: comparison.ratio(setting, contender.name, LIMIT.name)
        for place, (setting, runs) in enumerate(comparison.runs.items())
        if contender.name in runs
    }
    drawn = axes.bar(
        list(ratios),
        [ratio - 1 for ratio in ratios.values()],
        width,
        bottom=1,
        color=color,
        label=contender.title,
    )
    axes.bar_label(drawn, [f"{ratio:.1f}" for ratio in ratios.values()], fontsize=6.5, color=INK)
