"""How many records were created each day of the last 30, by the value of a field."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import datetime, timezone
from itertools import cycle
from typing import Any

from dlt.destinations.sql_client import SqlClientBase
from matplotlib.ticker import MaxNLocator

from analytics_assets.configuration import DailyCounts
from analytics_assets.pictures.figure import PALETTE, add_legend, as_markdown, new_figure

DAYS = 30
MILLISECONDS_A_DAY = 86_400_000


def draw_daily_counts(
    picture: DailyCounts, title: str, table: str, time_column: str, client: SqlClientBase[Any]
) -> str | None:
    """Stacked bars, one for each day; None where no record is that new.

    Args:
        picture: What to draw.
        title: What it is called.
        table: The table, as SQL names it.
        time_column: The column that tells when a record was created, in epoch milliseconds.
        client: An open connection to the warehouse.
    """
    today = int(time.time() * 1000) // MILLISECONDS_A_DAY
    first = today - DAYS + 1
    created, value = map(client.escape_column_name, (time_column, picture["count_by"]))
    rows = client.execute_sql(
        f"SELECT FLOOR({created} / {MILLISECONDS_A_DAY}.0), {value}, COUNT(*) "  # noqa: S608 - our own names
        f"FROM {table} WHERE {created} >= {first * MILLISECONDS_A_DAY} "
        f"AND {created} < {(today + 1) * MILLISECONDS_A_DAY} GROUP BY 1, 2"
    )
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0] * DAYS)
    for day, said, count in rows or []:
        counts["none" if said is None else str(said)][int(day) - first] += count
    if not counts:
        return None
    figure, axes = new_figure(f"{title}, by {picture['count_by']} (UTC)", height=2.4)
    others = cycle(PALETTE)
    colors = picture.get("colors", {})
    floor = [0] * DAYS
    for said, by_day in sorted(counts.items(), key=lambda item: -sum(item[1])):
        color = colors.get(said) or next(others)
        axes.bar(range(DAYS), by_day, bottom=floor, label=said, color=color, width=0.8)
        floor = [below + count for below, count in zip(floor, by_day, strict=True)]
    ticks = range(DAYS - 1, -1, -7)
    axes.set_xticks(ticks, [_day(first + tick) for tick in ticks])
    axes.set_xlim(-0.7, DAYS - 0.3)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    add_legend(axes)
    said = ", ".join(f"{sum(by_day)} {value}" for value, by_day in counts.items())
    return as_markdown(figure, f"{title} of the last {DAYS} days: {said}")


def _day(epoch_day: int) -> str:
    moment = datetime.fromtimestamp(epoch_day * MILLISECONDS_A_DAY / 1000, timezone.utc)
    return f"{moment:%b} {moment.day}"
