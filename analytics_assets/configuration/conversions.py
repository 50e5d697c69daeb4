"""What a configuration may name as `convert` of an incremental endpoint."""

from __future__ import annotations

from datetime import datetime, timezone


def iso_time(epoch: int | None) -> str | None:
    """A cursor as an API takes it that is asked by ISO times; dlt begins without a cursor."""
    if epoch is None:
        return None
    moment = datetime.fromtimestamp(epoch / 1000, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
