"""Hooks that look at an answer before dlt does, while it may still be asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from requests import Request, Response, codes, exceptions

from analytics_assets.source.bodies import carries_json

TOO_LARGE = (codes.bad_request, codes.request_entity_too_large, codes.unprocessable_entity)
"""Answers to a limit that a server does not take."""

Hook = Callable[..., None]


def add_hook(request: Request, hook: Hook) -> None:
    """Lets a hook see the answer before all others; a second time changes nothing."""
    remove_hook(request, hook)
    request.hooks = {**request.hooks, "response": [hook, *(request.hooks.get("response") or [])]}


def remove_hook(request: Request, hook: Hook) -> None:
    """Takes a hook away, if it is there, of one request: those of a list share their hooks."""
    others = [other for other in request.hooks.get("response") or [] if other != hook]
    request.hooks = {**request.hooks, "response": others}


def refuse_empty_body(response: Response, *_: Any, **__: Any) -> None:
    """Where an object is declared, an empty body is a broken one, which may pass.

    Raises:
        InvalidJSONError: If the body is empty.
    """
    if carries_json(response) and not response.content.strip():
        raise exceptions.InvalidJSONError("The body is empty.", request=response.request)


def refuse_empty_body_but_no_content(response: Response, *_: Any, **__: Any) -> None:
    """The same where 204 says that there is nothing more.

    Raises:
        InvalidJSONError: If the body of any other answer is empty.
    """
    if response.status_code != codes.no_content:
        refuse_empty_body(response)


def take_refusal_for_no_rows(response: Response, *_: Any, **__: Any) -> None:
    """Where a larger limit is only tried, its refusal is no error."""
    if response.status_code in TOO_LARGE:
        response.status_code = codes.no_content
        response.json = lambda **_: None  # type: ignore[method-assign]  # it has no place for a body
