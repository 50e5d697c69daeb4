"""How long something took in the last 30 days, by the value of a field."""

from __future__ import annotations

import time
from collections import defaultdict
from statistics import median, quantiles
from typing import Any

from dlt.destinations.sql_client import SqlClientBase

from analytics_assets.configuration import Durations
from analytics_assets.pictures.daily_counts import DAYS, MILLISECONDS_A_DAY
from analytics_assets.pictures.figure import INK, PALETTE, as_markdown, new_figure

MOST_GROUPS = 12
MOST_ROWS = 50_000


def draw_durations(
    picture: Durations, title: str, table: str, time_column: str, client: SqlClientBase[Any]
) -> str | None:
    """The median and the middle 80 % of each group, the slowest first; None where there are none.

    Args:
        picture: What to draw.
        title: What it is called.
        table: The table, as SQL names it.
        time_column: The column that tells when a record was created, in epoch milliseconds.
        client: An open connection to the warehouse.
    """
    since = int(time.time() * 1000) - DAYS * MILLISECONDS_A_DAY
    names = (time_column, picture["begin"], picture["end"], picture["group_by"])
    created, begin, end, group = map(client.escape_column_name, names)
    rows = client.execute_sql(
        f"SELECT {group}, {end} - {begin} FROM {table} "  # noqa: S608 - our own names
        f"WHERE {created} >= {since} AND {end} >= {begin} "
        f"ORDER BY {created} DESC LIMIT {MOST_ROWS}"
    )
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    for said, milliseconds in rows or []:
        seconds[str(said)].append(float(milliseconds) / 1000)
    if not seconds:
        return None
    most = sorted(seconds, key=lambda group: -len(seconds[group]))[:MOST_GROUPS]
    groups = sorted(most, key=lambda group: median(seconds[group]))
    figure, axes = new_figure(
        f"{title}, seconds: median and middle 80 %", height=0.8 + 0.22 * len(groups)
    )
    for place, group in enumerate(groups):
        values = seconds[group]
        tenths = quantiles(values, n=10) if len(values) > 1 else values * 9
        axes.plot([tenths[0], tenths[-1]], [place, place], color=PALETTE[0], alpha=0.5, lw=4)
        axes.plot(median(values), place, "o", color=PALETTE[0], ms=6)
        axes.annotate(
            f"{median(values):.0f}",
            (median(values), place),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=INK,
        )
    axes.set_yticks(range(len(groups)), groups)
    axes.set_ylim(-0.6, len(groups) - 0.2)
    axes.set_xlim(left=0)
    said = ", ".join(f"{group} {median(seconds[group]):.0f} s" for group in groups)
    return as_markdown(figure, f"{title}, median of the last {DAYS} days: {said}")
