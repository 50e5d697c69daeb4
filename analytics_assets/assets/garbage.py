"""Keeps Python from searching for garbage where there is none."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def searching_new_objects_alone() -> Iterator[None]:
    """Leaves the objects that exist already out of the search for garbage.

    While a load makes millions of objects, Python would look again and again at the hundreds of
    thousands that Dagster and dlt are made of.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
