"""Turns problems that come and go into incidents: one alert when it begins, one when it is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

SECONDS_TO_JOIN = 3600.0
"""How long problems join an incident in silence: when an API goes down, its assets fail one after
the other. What begins to fail later is told."""


class Problem(NamedTuple):
    """What is wrong.

    Attributes:
        text: A sentence.
        run_id: The run that showed it, if one did.
        stands_alone: Whether it is told even while another incident is young.
    """

    text: str
    run_id: str | None = None
    stands_alone: bool = False


States: TypeAlias = Mapping[str, Problem | None]
"""What is wrong, or None where all is well, by what it is about. What nobody can tell yet is left
out."""


@dataclass(frozen=True)
class Incident:
    """Problems that began together.

    Attributes:
        since: When it was told, in epoch seconds.
        problems: What was wrong and is not yet well.
        healed: What was wrong and is well again.
    """

    since: float
    problems: dict[str, Problem]
    healed: list[str]


@dataclass(frozen=True)
class Change:
    """What is to be told, and the incidents that are open once it was.

    Attributes:
        begun: The incident that begins, if one does.
        over: The incidents that end.
        open: All incidents that last.
    """

    begun: Incident | None
    over: list[Incident]
    open: list[Incident]


def follow(incidents: list[Incident], states: States, now: float) -> Change:
    """Follows the incidents to the states of this moment.

    Args:
        incidents: The open incidents, the oldest first.
        states: What is wrong now; what is left out stays as it was.
        now: This moment, in epoch seconds.
    """
    known = {name for incident in incidents for name in incident.problems}
    new = {name: problem for name, problem in states.items() if problem and name not in known}
    followed = [_heal(incident, states) for incident in incidents]
    if followed and followed[-1].problems and now - followed[-1].since < SECONDS_TO_JOIN:
        joining = {name: problem for name, problem in new.items() if not problem.stands_alone}
        followed[-1] = _join(followed[-1], joining)
        new = {name: problem for name, problem in new.items() if problem.stands_alone}
    begun = Incident(now, new, []) if new else None
    followed += [begun] if begun else []
    return Change(
        begun=begun,
        over=[incident for incident in followed if not incident.problems],
        open=[incident for incident in followed if incident.problems],
    )


def _heal(incident: Incident, states: States) -> Incident:
    healed = [name for name in incident.problems if name in states and not states[name]]
    problems = {name: found for name, found in incident.problems.items() if name not in healed}
    return Incident(incident.since, problems, [*incident.healed, *healed])


def _join(incident: Incident, problems: dict[str, Problem]) -> Incident:
    healed = [name for name in incident.healed if name not in problems]
    return Incident(incident.since, {**incident.problems, **problems}, healed)


def as_cursor(incidents: list[Incident]) -> str:
    """The incidents as text."""
    return json.dumps([vars(incident) for incident in incidents])


def from_cursor(cursor: str | None) -> list[Incident]:
    """Reads what `as_cursor` wrote; none at first."""
    return [
        Incident(
            stored["since"],
            {name: Problem(*problem) for name, problem in stored["problems"].items()},
            stored["healed"],
        )
        for stored in json.loads(cursor or "[]")
    ]
