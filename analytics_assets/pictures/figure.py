"""The look of all pictures, and how one gets into the Dagster UI."""

from __future__ import annotations

import base64
import io
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDTH, DPI = 7.6, 96
"""Inches: as wide as the UI shows an image of a materialization without scaling it."""
INK = "#7d8590"
"""Text and lines: legible on the white and on the near-black ground of the UI's two themes."""
PALETTE = ("#4493f8", "#2da44e", "#d4a72c", "#a371f7", "#e5534b", "#39c5cf", "#db61a2", "#8c959f")
LARGEST = 60_000
"""Bytes of a picture's markdown: each load keeps its own in Dagster's storage."""

STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "font.size": 9,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def new_figure(title: str, height: float) -> tuple[Figure, Axes]:
    """A figure with its axes, on a ground that the UI's shows through.

    Args:
        title: What is seen.
        height: Inches.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
        axes = figure.subplots()
        axes.set_title(title)
    return figure, axes


def add_legend(axes: Axes) -> None:
    """Names the colors, beside the axes."""
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, labelcolor=INK)


def as_markdown(figure: Figure, said: str) -> str | None:
    """The picture as an image in markdown; None if it is larger than pictures may be.

    Args:
        figure: What was drawn.
        said: The same in words, for those who do not see it.
    """
    picture = io.BytesIO()
    with rc_context(STYLE):
        figure.savefig(picture, format="png", transparent=True)
    markdown = f"![{said}](data:image/png;base64,{base64.b64encode(picture.getvalue()).decode()})"
    return markdown if len(markdown) <= LARGEST else None
