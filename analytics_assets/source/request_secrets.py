"""Keeps what a request proves itself by out of errors, events and logs: by the names it bears."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from requests import PreparedRequest

from analytics_assets.configuration.secret_names import secrecy_of

HIDDEN = "***"
NAMES_IN_QUERIES = {"key", "appid", "auth", "sig", "signature"}
"""Names that mean a secret in a query, and need not elsewhere."""
SHORTEST_SECRET = 4
"""Characters: what is shorter stands in a sentence by chance."""

_IN_QUERY = re.compile(r"([?&])([^=&?#\s]+)=([^&#\s'\"]*)")
_IN_DICT = re.compile(r"""(['"])([^'"]+)\1: (?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+)""")


def shown_params(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters of a request as they may be shown."""
    return {
        name: HIDDEN if _is_secret(name) else value for name, value in dict(params or {}).items()
    }


def hide_secrets(text: str) -> str:
    """A text, like an address or a library's message, without the secrets of a request in it."""
    text = _IN_QUERY.sub(
        lambda found: f"{found[1]}{found[2]}={HIDDEN}" if _is_secret(found[2]) else found[0], text
    )
    return _IN_DICT.sub(
        lambda found: f"'{found[2]}': '{HIDDEN}'" if _is_secret(found[2]) else found[0], text
    )


def repeats_a_secret(text: str, request: PreparedRequest) -> bool:
    """Whether a text holds what a request proves itself by, in its query or a header."""
    query = parse_qsl(urlsplit(str(request.url)).query)
    return any(secret in text for secret in _secrets([*query, *request.headers.items()]))


def hide_secrets_in_logs() -> None:
    """Lets dlt, which logs each request whole at DEBUG, log none of its secrets."""
    logging.getLogger("dlt").addFilter(_hide_in_record)


def _hide_in_record(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    hidden = hide_secrets(message)
    if hidden != message:
        record.msg, record.args = hidden, ()
    return True


def _secrets(pairs: Iterable[tuple[str, Any]]) -> list[str]:
    # Of a header like `Bearer 4f1d9c` the words are looked for one by one.
    words = [word for name, value in pairs if _is_secret(name) for word in str(value).split()]
    return [word for word in words if len(word) >= SHORTEST_SECRET and word != "Bearer"]


def _is_secret(name: str) -> bool:
    return bool(secrecy_of(name)) or name.casefold() in NAMES_IN_QUERIES
