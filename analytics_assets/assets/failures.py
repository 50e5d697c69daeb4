"""Turns the errors of a load into a Dagster failure whose first words are for people."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from analytics_assets.source.errors import CAUSE, first_line
from analytics_assets.source.explanation import explain
from analytics_assets.source.http import RetryPolicy


@contextmanager
def failing_in_one_sentence(name: str, retry: RetryPolicy) -> Iterator[None]:
    """Raises what a load raises as a `Failure`: one sentence, its cause, then the library's trace.

    The errors of the libraries in between, which only passed the cause on, are left out.
    """
    try:
        yield
    except Exception as error:
        explanation = explain(error, name, retry)
        if explanation is None:
            raise
        said = explanation.sentence
        cause = explanation.cause
        if said != str(cause):
            said += f"{CAUSE}{type(cause).__name__}: {first_line(cause)}"
        raise Failure(description=said) from cause
