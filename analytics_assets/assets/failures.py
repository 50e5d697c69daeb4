"""Turns the errors of a load into a Dagster failure whose first words are for people."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from analytics_assets.assets.outage import API, reach_of
from analytics_assets.execution.stopping import stop_if_told, unshield
from analytics_assets.source.errors import CAUSE, first_line
from analytics_assets.source.explanation import explain
from analytics_assets.source.retry import RetryPolicy


@contextmanager
def failing_in_one_sentence(name: str, retry: RetryPolicy) -> Iterator[None]:
    """Raises what a load raises as a `Failure`: one sentence, its cause, then the library's trace.

    The errors of the libraries in between, which only passed the cause on, are left out.

    Raises:
        Failure: Of an error that a sentence is known for.
        DagsterExecutionInterruptedError: If the run was told to end.
    """
    unshield()
    stop_if_told()
    try:
        yield
    except Failure:
        raise
    except Exception as error:
        stop_if_told()
        explanation = explain(error, name, retry)
        if explanation is None:
            raise
        said = explanation.sentence
        cause = explanation.cause
        if said != str(cause):
            said += f"{CAUSE}{type(cause).__name__}: {first_line(cause)}"
        reach = reach_of(cause, retry)
        raise Failure(description=said, metadata={API: reach.value} if reach else {}) from cause
