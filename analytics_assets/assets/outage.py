"""Tells an API that is down from an endpoint that is, by what the run has met with so far.

Each failure of a load notes in its event how far it got. So what one asset has found out, the
others of its run know, in whatever process they are loaded.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import Enum
from socket import gaierror
from ssl import SSLCertVerificationError

from dagster import DagsterEventType, DagsterInstance
from requests import codes, exceptions

from analytics_assets.source.errors import AnalyticsApiError, deepest_os_error
from analytics_assets.source.retry import RetryPolicy

API = "api"
"""The metadata of a failure that says how far the load got with the API: a value of `Reach`."""
NOT_TRIED = "not_tried"
"""The metadata of a failure that says why an asset was not tried, as the end of a sentence."""

NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)
EVENTS = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.STEP_FAILURE}


class Reach(Enum):
    """How far a load that failed got with the API."""

    NOT_REACHED = "not reached"
    """No server was found at its address."""
    UNANSWERED = "not answered"
    """A server was found, and was silent."""
    UNAVAILABLE = "unavailable"
    """A status that may pass, at each attempt."""
    ANSWERED = "answered"


def reach_of(cause: BaseException, retry: RetryPolicy) -> Reach | None:
    """How far a load got that an error has ended; None of an error that is not the API's.

    Args:
        cause: The error, below those of the libraries that passed it on.
        retry: The policy its requests were sent with.
    """
    if isinstance(cause, SSLCertVerificationError):
        return Reach.NOT_REACHED
    if isinstance(cause, exceptions.HTTPError):
        is_unavailable = retry.covers(cause) and cause.response.status_code >= codes.server_error
        return Reach.UNAVAILABLE if is_unavailable else Reach.ANSWERED
    if isinstance(cause, exceptions.ConnectionError | exceptions.Timeout):
        said = deepest_os_error(cause)
        is_unreachable = isinstance(said, ConnectionRefusedError | gaierror)
        if is_unreachable or (said and said.errno in NO_WAY):
            return Reach.NOT_REACHED
        return Reach.UNANSWERED
    if isinstance(cause, exceptions.RequestException | AnalyticsApiError):
        return Reach.ANSWERED
    return None


def is_down(instance: DagsterInstance, run_id: str, probe: Callable[[], object]) -> bool:
    """Whether the API is down, so that a load need not be tried.

    Args:
        instance: Where the events of the run are.
        run_id: The run.
        probe: Asks the API for what the load is about, once. Called where all that the run has
            asked for so far was unavailable, which may be for itself alone.

    Raises:
        Exception: What the probe raises.
    """
    events = [
        entry.dagster_event
        for entry in instance.all_logs(run_id, of_type=EVENTS)
        if entry.dagster_event
    ]
    failures = [event.step_failure_data for event in events if event.is_step_failure]
    noted = [data.user_failure_data for data in failures if data.user_failure_data]
    found = [Reach(data.metadata[API].value) for data in noted if API in data.metadata]
    if Reach.NOT_REACHED in found:
        return True
    if Reach.ANSWERED in found or len(failures) < len(events):
        return False
    if found.count(Reach.UNANSWERED) > 1:
        return True
    if found:
        probe()
    return False
