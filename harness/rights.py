"""Holds root to the permissions of files, for tests that otherwise could not run as root."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

VERSION_OF_CAPABILITIES = 0x20080522
DAC_OVERRIDE = 1 << 1
"""The right to write everywhere; both are Linux's own (`capset(2)`, `linux/capability.h`)."""


@contextmanager
def held_to_permissions() -> Iterator[None]:
    """Takes root's right to write everywhere from this thread, and from those that it starts."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    thread = (ctypes.c_uint32 * 2)(VERSION_OF_CAPABILITIES, 0)
    # Those in effect, permitted and inherited, and once more for those with higher numbers.
    rights = (ctypes.c_uint32 * 6)()

    def pass_to(function: Any) -> None:
        assert function(thread, rights) == 0, os.strerror(ctypes.get_errno())

    pass_to(libc.capget)
    in_effect = rights[0]
    rights[0] &= ~DAC_OVERRIDE
    pass_to(libc.capset)
    try:
        yield
    finally:
        rights[0] = in_effect
        pass_to(libc.capset)
