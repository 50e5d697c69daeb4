"""What a load did when: its requests, its waits for the API, and its work on the rows."""

from __future__ import annotations

from collections.abc import Sequence

from analytics_assets.pictures.figure import INK, PALETTE, add_legend, as_markdown, new_figure
from analytics_assets.source.phases import PHASES, Phase
from analytics_assets.source.traffic import Traffic
from analytics_assets.source.wording import counted

MOST_BARS = 120
WAIT = "#e5534b"


def draw_timeline(
    traffic: Traffic, waits: Sequence[tuple[float, float]], phases: Sequence[Phase]
) -> str | None:
    """Requests a second as bars, waits as a red ground, and below them what dlt was doing.

    Args:
        traffic: The requests of the load.
        waits: When requests were held back, as epochs in seconds.
        phases: The steps of the load.
    """
    begin, end = phases[0].start, phases[-1].end
    figure, axes = new_figure("Timeline of the load: requests a second", height=2.2)
    width = max(1.0, (end - begin) / MOST_BARS)
    rates: dict[int, float] = {}
    for second, count in traffic.by_second.items():
        # The second that a load began in began before it.
        place = int(max(second - begin, 0) / width)
        rates[place] = rates.get(place, 0) + count / width
    axes.bar(
        [place * width for place in rates],
        list(rates.values()),
        width=width * 0.95,
        align="edge",
        color=PALETTE[0],
        label="requests",
    )
    for number, (start, stop) in enumerate(waits):
        label = "waiting for the API" if number == 0 else None
        last = min(stop, end) - begin
        axes.axvspan(max(start - begin, 0), last, color=WAIT, alpha=0.25, lw=0, label=label)
    top = max(rates.values(), default=1.0)
    for name, color in zip(PHASES.values(), (INK, PALETTE[2], PALETTE[1]), strict=True):
        spans = [(p.start - begin, p.end - p.start) for p in phases if p.name == name]
        axes.broken_barh(spans, (-0.14 * top, 0.09 * top), color=color, label=name)
    axes.set_xlim(0, end - begin)
    axes.set_ylim(-0.18 * top, top * 1.08)
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= top * 1.08])
    axes.set_xlabel("seconds since the load began")
    add_legend(axes)
    waited = sum(stop - start for start, stop in waits)
    requests = counted(traffic.requests, "request")
    return as_markdown(figure, f"{requests} in {end - begin:.1f} s, {waited:.1f} s of them waited")
