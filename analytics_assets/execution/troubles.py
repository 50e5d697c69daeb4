"""Why assets of a run were not loaded: a sentence for each cause, however many it stopped."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from dagster import DagsterEvent
from dagster._core.execution.plan.objects import ErrorSource

from analytics_assets.assets.outage import NOT_TRIED
from analytics_assets.source.errors import sentence_of

OWN_TO_AN_ASSET = re.compile(r"\b(?:GET|POST) \S+| in each of \d+ attempts")
"""What differs between sentences that have one cause, beside the asset's name."""


def failures_by_cause(failures: Sequence[DagsterEvent], *, is_stopped: bool) -> Iterator[str]:
    """A text for each cause of failures, with the steps that it stopped.

    Args:
        failures: The events of the steps that failed.
        is_stopped: Whether the run was told to end, which makes steps fail without a sentence.
    """
    causes: dict[str, dict[str, str]] = {}
    for event in failures:
        if _why_not_tried(event) or (is_stopped and not _stated(event)) or _is_interrupted(event):
            continue
        name, said = str(event.step_key), _said(event)
        cause = re.sub(rf"\b{re.escape(name)}\b", "", OWN_TO_AN_ASSET.sub("", said))
        causes.setdefault(cause, {})[name] = said
    for sentences in causes.values():
        first, *others = sentences
        if len(set(sentences.values())) == 1:
            yield f"{all_of(sentences)} failed: {sentences[first]}"
        else:
            yield f"{first} failed: {sentences[first]}\n{all_of(others)} failed likewise."


def untried(failures: Sequence[DagsterEvent], abandoned: Collection[str]) -> Iterator[str]:
    """A sentence on the assets that were not tried.

    Args:
        failures: The events of the steps that failed, some of them without having been tried.
        abandoned: The assets whose steps were not begun.
    """
    reasons = {str(event.step_key): why for event in failures if (why := _why_not_tried(event))}
    if not reasons and not abandoned:
        return
    names = [*reasons, *sorted(abandoned)]
    if len(names) == 1:
        why = next(iter(reasons.values()), "what it needs had failed")
        yield f"{names[0]} was not tried: {why}."
    elif reasons:
        why = next(iter(reasons.values()))
        yield f"{len(names)} assets were not tried: {why} ({all_of(names)})."
    else:
        yield f"{all_of(names)} were not tried: what they need had failed."


def all_of(names: Collection[str]) -> str:
    """Names as a list in a sentence; "" without any."""
    *most, last = names or [""]
    return f"{', '.join(most)} and {last}" if most else last


def _is_interrupted(event: DagsterEvent) -> bool:
    return event.step_failure_data.error_source is ErrorSource.INTERRUPT


def _why_not_tried(event: DagsterEvent) -> str | None:
    data = event.step_failure_data.user_failure_data
    why = data.metadata.get(NOT_TRIED) if data else None
    return str(why.value) if why else None


def _stated(event: DagsterEvent) -> str | None:
    data = event.step_failure_data.user_failure_data
    return data.description if data else None


def _said(event: DagsterEvent) -> str:
    error = event.step_failure_data.error
    unforeseen = error.cause or error if error else None
    said = _stated(event) or (unforeseen.message.strip() if unforeseen else "no reason was given")
    return sentence_of(said)
