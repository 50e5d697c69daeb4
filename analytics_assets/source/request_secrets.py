"""Keeps what a request proves itself by out of errors and events: by the names it bears."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, urlsplit

from requests import PreparedRequest

from analytics_assets.configuration.secret_names import opens_in_query

HIDDEN = "***"
SHORTEST_SECRET = 4
"""Characters: a shorter text would be hidden in the middle of words."""

_IN_QUERY = re.compile(r"(^|[?&#;]|%26)([^=&?#;\s'\"]+)(=|%3D)([^&#\s'\"]*)", re.IGNORECASE)
_IN_DICT = re.compile(r"""(['"])([^'"]+)\1:\s*\[?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\d+)\]?""")
_USER = re.compile(r"(\w://)[^\s/@'\"]+@")
_SCHEME = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]+", re.IGNORECASE)


def hide_secrets(text: str) -> str:
    """A text, like an address or a library's message, without the secrets of a request in it."""
    text = _USER.sub(rf"\1{HIDDEN}@", text)
    text = _IN_QUERY.sub(_hide_parameter, text)
    text = _IN_DICT.sub(
        lambda found: f"'{found[2]}': '{HIDDEN}'" if opens_in_query(found[2]) else found[0], text
    )
    return _SCHEME.sub(rf"\1 {HIDDEN}", text)


def _hide_parameter(found: re.Match[str]) -> str:
    before, name, equals, value = found.groups()
    # A value may hold further parameters, behind a semicolon or encoded.
    is_secret = opens_in_query(name)
    shown = HIDDEN if is_secret else _IN_QUERY.sub(_hide_parameter, value)
    return f"{before}{name}{equals}{shown}"


def secrets_of(request: PreparedRequest) -> Iterator[str]:
    """What a request proves itself by in its query and headers, the longest form of each first."""
    given = [*request.headers.items(), *parse_qsl(urlsplit(str(request.url)).query)]
    for name, value in given:
        if not opens_in_query(name):
            continue
        kind, _, secret = str(value).rpartition(" ")
        parts = (secret, *_user_and_password(secret)) if kind == "Basic" else (secret,)
        for part in parts:
            if len(part) >= SHORTEST_SECRET:
                yield from (quote(part, safe=""), part)


def _user_and_password(encoded: str) -> tuple[str, ...]:
    """The user and the password of `Authorization: Basic` (RFC 7617)."""
    try:
        user, _, password = b64decode(encoded).decode().partition(":")
    except ValueError:
        return ()
    return password, user
