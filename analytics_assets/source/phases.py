"""What a load spent its time on, as dlt's traces tell it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dlt.pipeline.trace import PipelineTrace

PHASES = {"extract": "extracting", "normalize": "normalizing", "load": "loading"}
"""dlt's steps, and what one is doing in them."""


class Phase(NamedTuple):
    """One step of one dlt load.

    Attributes:
        name: What was done: extracting, normalizing or loading.
        start: Epoch in seconds.
        end: Epoch in seconds.
    """

    name: str
    start: float
    end: float


def phases_of(trace: PipelineTrace | None) -> list[Phase]:
    """The steps of a load, in their order."""
    return [
        Phase(PHASES[step.step], step.started_at.timestamp(), step.finished_at.timestamp())
        for step in (trace.steps if trace else [])
        if step.step in PHASES and step.finished_at
    ]


def seconds_in(phases: Sequence[Phase]) -> dict[str, float]:
    """The seconds spent in each phase, all loads together, by `seconds_<phase>`."""
    return {
        f"seconds_{name}": round(sum(p.end - p.start for p in phases if p.name == name), 2)
        for name in PHASES.values()
    }
