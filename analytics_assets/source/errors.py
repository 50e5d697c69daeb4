"""Errors for people: each says in one sentence what happened, where, and what to do."""

from __future__ import annotations

from urllib.parse import urlsplit

from requests import PreparedRequest, Request


class AnalyticsError(Exception):
    """What stopped a load, in one sentence."""


class AnalyticsApiError(AnalyticsError):
    """The API answered something that cannot be loaded."""


class WarehouseError(AnalyticsError):
    """The warehouse cannot be read or written."""


class SettingError(AnalyticsError, ValueError):
    """A setting is missing or wrong; the message names it."""


def request_line(request: Request | PreparedRequest) -> str:
    """Method and path of a request, without its query."""
    return f"{request.method} {urlsplit(str(request.url)).path}"


def first_line(error: BaseException) -> str:
    """The first line of a library's error, which says what happened."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."
