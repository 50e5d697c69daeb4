"""Reads the bodies of answers: JSON, or one JSON object to a line."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import orjson
from requests import Response, exceptions

LINES = ("application/stream+json", "application/x-ndjson", "application/jsonl")

SHAPES = bytes.maketrans(b",[123456789", b"::000000000")
SPACES = b" \t\r\n-"
LARGE_NUMBER = b":" + b"0" * 19
"""What a whole number that may be beyond 64 bits looks like in a text of such shapes."""

# The character that PostgreSQL, for one, takes in no text: U+FFFD stands for it everywhere.
NUL = rb"\u0000"
_ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def carries_json(response: Response) -> bool:
    """Whether the body of an answer is what was asked for, and no error."""
    return response.ok and not response.is_redirect


def is_one_line(response: Response) -> bool:
    """Whether a body is a single object of those that come one to a line, and no error."""
    body, content_type = response.json(), response.headers.get("Content-Type", "")
    is_lines = content_type.partition(";")[0].strip().lower() in LINES
    return is_lines and isinstance(body, dict) and not body.get("error")


def parse_once(response: Response) -> None:
    """Parses the body and keeps it parsed: dlt and its paginators each ask for it.

    Raises:
        InvalidJSONError: If it is no JSON; it names the request, as `JSONDecodeError` does not.
    """
    try:
        body = _parse(response.content)
    except ValueError as error:
        raise exceptions.InvalidJSONError(str(error), response=response) from None
    response.json = lambda **_: body  # type: ignore[method-assign]  # it has no place for a body


def _parse(content: bytes) -> Any:
    """The value of a JSON text, or a list of the objects of one that has one to a line.

    JSON is UTF-8, whatever the content type says of other text. A body without a text has no value,
    as `null` has none.
    """
    content = without_nul(content)
    if not content.strip():
        return None
    try:
        return _parse_text(content)
    except ValueError:
        lines = [line for line in content.split(b"\n") if line.strip()]
        values = [_parse_text(line) for line in lines]
        # Lines of anything else are a text that is no JSON.
        if len(values) > 1 and all(isinstance(value, dict | None) for value in values):
            _check_last_line(values[-1])
            return values
        raise


def _check_last_line(value: dict[str, Any] | None) -> None:
    """Takes an error in place of the last line for the end of a stream that broke off."""
    if value and value.get("error"):
        raise ValueError("The last line is an error.")


def _parse_text(content: bytes) -> Any:
    # orjson takes a third of the time, but rounds whole numbers beyond 64 bits, and refuses halves
    # of surrogate pairs, which an API leaves where it cuts a text.
    if LARGE_NUMBER not in content.translate(SHAPES, SPACES):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(content)
    return json.loads(content, parse_constant=_refuse_constant)


def without_nul(content: bytes) -> bytes:
    """A JSON text without the character NUL."""
    return _ESCAPED_NUL.sub(rb"\1\\ufffd", content) if NUL in content else content


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
