"""What an API itself says of an error, as a sentence may repeat it."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from requests import PreparedRequest, Response

LONGEST_QUOTE = 200
"""Characters of the API's own words that a sentence repeats."""
REDACTED = "***"
SHORTEST_SECRET = 4
"""Letters: a shorter text would be redacted in the middle of words."""

_SECRET = re.compile(r"token|secret|passw|signature|auth|key", re.IGNORECASE)


def words_of(response: Response) -> str:
    """The API's own words on an error, in one line without secrets; "" where it has none.

    They stand in `error.message`, `error_description`, `errors[0].detail`, `message`, `detail`,
    `title` or `error` (RFC 9457, RFC 6749, JSON:API, and habits).
    """
    try:
        body = response.json()
    except ValueError:
        return ""
    said = next(filter(None, _candidates(body)), "")
    for secret in _secrets(response.request):
        said = said.replace(secret, REDACTED)
    return said if len(said) <= LONGEST_QUOTE else f"{said[:LONGEST_QUOTE].rstrip()} ..."


def _candidates(body: Any) -> Iterator[str]:
    """The texts that a body may say an error with, the one that says most first."""
    body = _first(body)
    error, errors = _member(body, "error"), _first(_member(body, "errors"))
    yield from (_text(_member(error, name)) for name in ("message", "detail"))
    yield _text(_member(body, "error_description"))
    yield from (_text(_member(errors, name)) for name in ("detail", "message", "title"))
    yield from (_text(_member(body, name)) for name in ("message", "detail", "title"))
    yield from map(_text, (error, errors, _member(error, "code"), body))


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else value


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: Any) -> str:
    """A text in one line; of a list the first one."""
    text = _first(value)
    if not isinstance(text, str):
        return ""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _secrets(request: PreparedRequest) -> Iterator[str]:
    """What a request was sent with that no sentence repeats, the longest form of each first."""
    given = [*request.headers.items(), *parse_qsl(urlsplit(str(request.url)).query)]
    for name, value in given:
        if not _SECRET.search(name):
            continue
        kind, _, secret = str(value).rpartition(" ")
        parts = (secret, *_basic(secret)) if kind == "Basic" else (secret,)
        for part in parts:
            if len(part) >= SHORTEST_SECRET:
                yield from (quote(part, safe=""), part)


def _basic(encoded: str) -> tuple[str, ...]:
    """The user and the password of `Authorization: Basic` (RFC 7617)."""
    try:
        user, _, password = b64decode(encoded).decode().partition(":")
    except ValueError:
        return ()
    return password, user
