"""What a request asks for and what is answered: the values that the faults distort."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson

_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_ERRORS = {
    400: (
        "bad_request",
        "One of the provided values in the request query, body or headers is invalid",
    ),
    403: ("forbidden", "Not authorized"),
    404: ("not_found", "The item you requested was not found"),
    429: ("rate_limited", "Too many requests, try again later"),
}

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    body: bytes
    content_type: bytes = b"application/json; charset=utf-8"
    headers: Sequence[Header] = ()


def refuse(status: int, headers: Sequence[Header] = ()) -> Answer:
    """Answer with the error body that the API gives with a status."""
    code, message = _ERRORS.get(status, ("internal_server_error", "An unexpected error occurred"))
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return Answer(status, body, headers=headers)


@dataclass(slots=True)
class Query:
    """The part of a request that chooses the rows."""

    parent: str = ""
    """What the path calls the parent; empty for what is no child."""
    limit: int | None = None
    since: int | None = None
    until: int | None = None
    team: str | None = None
    backward: bool = False


def parse_query(parent: str, query_string: bytes) -> Query:
    """Read the parameters that this server heeds; a bad value raises ValueError."""
    given = dict(parse_qsl(query_string.decode(), keep_blank_values=True))
    direction = given.get("direction", "forward")
    if direction not in ("forward", "backward"):
        raise ValueError(f"{direction} is no direction.")
    return Query(
        parent,
        _parse_integer(given.get("limit")),
        _parse_integer(given.get("since")),
        _parse_integer(given.get("until")),
        given.get("teamId"),
        direction == "backward",
    )


@dataclass(slots=True)
class Page:
    """A body before it is encoded."""

    key: str | None
    """The key that holds the rows; None when the body is the list itself."""
    rows: list[bytes] | None
    pagination: dict[str, int | None] | None = None
    single: bool = False

    def encode(self) -> bytes:
        """Write the body; the rows are JSON already."""
        if self.rows is None:
            content = b"null"
        elif self.single:
            content = b"".join(self.rows[:1]) or b"null"
        else:
            content = b"[" + b",".join(self.rows) + b"]"
        if self.key is None:
            return content
        tail = b""
        if self.pagination is not None:
            tail = b',"pagination":' + orjson.dumps(self.pagination)
        return b'{"%b":%b%b}' % (self.key.encode(), content, tail)


def _parse_integer(text: str | None) -> int | None:
    if text is None:
        return None
    if _INTEGER.fullmatch(text) is None:
        raise ValueError(f"{text} is no integer.")
    return int(text)
