"""What an API itself says of an error, as a sentence may repeat it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from requests import Response

from analytics_assets.source.request_secrets import HIDDEN, secrets_of

LONGEST_QUOTE = 200
"""Characters of the API's own words that a sentence repeats."""


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
    for secret in secrets_of(response.request):
        said = said.replace(secret, HIDDEN)
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
