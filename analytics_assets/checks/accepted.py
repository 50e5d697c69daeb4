"""What people have accepted of the checks' findings: kept in the warehouse, as state of dlt.

Of a pipeline of its own: a load that is under way writes the state of its own pipeline as it found
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

import dlt
from dlt.extract import DltSource

from analytics_assets.source.load import empty_schema
from analytics_assets.source.stored import stored_state

ACCEPTED = "accepted_findings"
"""dlt's pipeline, schema and source that keep it."""
JOB = "accept_findings"
ACCEPT = f"run the job {JOB}"
"""What a check's sentence asks for where its finding may be right."""

Entries: TypeAlias = Mapping[str, Mapping[str, Any]]
"""What is accepted, by asset, as JSON."""


@dataclass(frozen=True)
class Accepted:
    """What is accepted of one asset; the defaults accept nothing.

    Attributes:
        at: When, in epoch seconds. Parents that the API listed no longer by then may be missing.
        rows: The rows there were then; that there had been more is accepted.
        columns: Columns that are not declared, or of another type.
        rows_without_parent: How many rows may have none.
        implausible_times: How many rows may have such times.
    """

    at: float = 0.0
    rows: int = 0
    columns: tuple[str, ...] = ()
    rows_without_parent: int = 0
    implausible_times: int = 0

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any]) -> Accepted:
        """What an entry says; what a later version may have added to it is left out."""
        known = {field.name: entry[field.name] for field in fields(cls) if field.name in entry}
        return cls(**{**known, "columns": tuple(known.get("columns", ()))})

    def as_entry(self) -> Mapping[str, Any]:
        """The same as JSON."""
        return {**asdict(self), "columns": list(self.columns)}


def read_accepted(dataset: dlt.Dataset) -> Entries:
    """What is accepted; the dataset may have the schema of any resource."""
    return stored_state(dataset, ACCEPTED)


def accepted_of(dataset: dlt.Dataset, name: str) -> Accepted:
    """What is accepted of one asset; see `read_accepted`."""
    return Accepted.from_entry(read_accepted(dataset).get(name, {}))


def keep_accepted(pipeline: dlt.Pipeline, entries: Entries) -> None:
    """Keeps what is accepted of some assets; what is accepted of others stays.

    Args:
        pipeline: The one that is called `ACCEPTED`.
        entries: What is accepted of them.
    """

    @dlt.resource(name=ACCEPTED)
    def state_alone() -> Iterator[Any]:
        dlt.current.source_state().update(entries)
        yield from ()

    pipeline.run(DltSource(empty_schema(ACCEPTED), ACCEPTED, [state_alone]))
