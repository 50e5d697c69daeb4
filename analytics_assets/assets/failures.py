"""Turns the errors of a load into a Dagster failure whose first words are for people."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Failure

from analytics_assets.source.explanation import explain
from analytics_assets.source.http import RetryPolicy


@contextmanager
def failing_in_one_sentence(name: str, retry: RetryPolicy) -> Iterator[None]:
    """Raises what a load raises as a `Failure` with one sentence, the library's errors below it."""
    try:
        yield
    except Exception as error:
        sentence = explain(error, name, retry)
        if sentence is None:
            raise
        raise Failure(description=sentence) from error
