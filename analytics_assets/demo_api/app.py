"""The nine operations as an ASGI application: few layers, since benchmarks run against it."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zlib import crc32

from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from analytics_assets.demo_api.connection import (
    close_connection,
    reset_connection,
    wait_for_disconnect,
)
from analytics_assets.demo_api.faults import Fault, Faults
from analytics_assets.demo_api.journal import Entry, Journal
from analytics_assets.demo_api.limits import Allowance, RateLimits
from analytics_assets.demo_api.operations import OPERATIONS, Operation
from analytics_assets.demo_api.pages import Answer, Header, Page, Query, parse_query, refuse
from analytics_assets.demo_api.world import World

DEFAULT_LIMIT = 20
MOST_PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """How requests are answered."""

    token: str
    """The bearer token to ask for."""
    latency: float = 0
    """Milliseconds that every request takes longer."""
    max_limit: int | None = None
    """Rows on a page at most; environments are on one page without it."""
    retry_after: bool = True
    """Whether a 429 says how long to wait."""
    events_without_id: bool = False

    def __post_init__(self) -> None:
        """Refuse what no answer can have."""
        if self.latency < 0 or (self.max_limit is not None and self.max_limit < 1):
            raise ValueError("A latency is not negative, and a page has room for one row.")


@dataclass(slots=True)
class Demo:
    """All that the routes share."""

    world: World
    settings: Settings
    limits: RateLimits = field(default_factory=RateLimits)
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)


def create_app(demo: Demo, control: ASGIApp) -> Router:
    """Serve the operations, and the control routes below `/_demo`."""
    operations = [
        Route(operation.path, Endpoint(operation, demo), methods=["GET"])
        for operation in OPERATIONS.values()
    ]
    routes = [*operations, Mount("/_demo", control)]
    return Router(routes, redirect_slashes=False, default=_serve_nothing)


class Endpoint:
    """One operation: authorized, limited, then answered well or as a fault wants it."""

    def __init__(self, operation: Operation, demo: Demo) -> None:
        self._operation = operation
        self._demo = demo

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        demo, name = self._demo, self._operation.name
        now = time.time()
        entry = Entry(
            name, scope["method"], scope["path"], scope["query_string"], now, scope["client"][1]
        )
        demo.journal.record(entry)
        if demo.settings.latency:
            await asyncio.sleep(demo.settings.latency / 1000)

        allowance = demo.limits.take(name, now)
        refusal = self._refuse(scope, allowance)
        fault = None if refusal else demo.faults.pick(name, _parent(scope))
        kind = fault.kind if fault else ""
        if kind == "reset":
            await reset_connection(scope, receive)
            return
        if fault and kind == "hang" and await _goes_away(receive, fault.seconds):
            return
        answer = refusal or self._answer(scope, fault)
        if kind == "truncated":
            answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        entry.status = answer.status
        await _send(send, answer, allowance.headers, cut=kind == "cut")
        if kind == "cut":
            await close_connection(scope, receive)

    def _refuse(self, scope: Scope, allowance: Allowance) -> Answer | None:
        settings = self._demo.settings
        bearer = f"Bearer {settings.token}".encode()
        if (b"authorization", bearer) not in scope["headers"]:
            return refuse(403)
        if allowance.exceeded:
            wait = [(b"retry-after", b"%d" % allowance.retry_after)]
            return refuse(429, wait if settings.retry_after else ())
        return None

    def _answer(self, scope: Scope, fault: Fault | None) -> Answer:
        replacement = fault.answer() if fault else None
        if replacement:
            return replacement
        world, operation = self._demo.world, self._operation
        world.advance()
        try:
            query = parse_query(_parent(scope), scope["query_string"])
            if fault:
                fault.prepare(query)
            limit = self._page_size(query.limit)
        except ValueError:
            return refuse(400)
        if query.team is not None and world.find_id("teams", query.team) is None:
            return refuse(403)
        if fault and fault.kind == "touch":
            world.touch(operation, fault.row, query.parent)
        parent = world.find_id(operation.parent, query.parent) if operation.parent else None
        if operation.parent and parent is None:
            return refuse(404)
        if parent and operation.list_key is None:
            page = self._event_page(parent, query, limit)
        else:
            page = self._row_page(parent, query, limit)
        if fault:
            fault.distort(page, query)
        return Answer(200, page.encode())

    def _page_size(self, asked: int | None) -> int | None:
        most = self._demo.settings.max_limit
        if not self._operation.takes_limit:
            return most
        if asked == -1 and self._operation.list_key is None:
            return None
        if asked is not None and asked < 1:
            raise ValueError("A page has at least one row.")
        return min(asked or DEFAULT_LIMIT, most or MOST_PER_PAGE)

    def _row_page(self, parent: str | None, query: Query, limit: int | None) -> Page:
        operation = self._operation
        table = self._demo.world.table(operation, parent)
        if operation.single:
            newest = table.newest()
            return Page(operation.list_key, [newest.body] if newest else [], single=True)
        cut = table.page(
            limit=limit,
            since=query.since,
            until=query.until,
            account=query.team if operation.scoped_by_team else None,
        )
        bodies = [row.body for row in cut.rows]
        pagination: dict[str, int | None] = {
            "count": len(bodies),
            "next": cut.rows[-1].created if cut.more else None,
            "prev": cut.rows[0].created if bodies else None,
        }
        if operation.name == "teams_member":
            pagination["hasNext"] = cut.more
        return Page(operation.list_key, bodies, pagination)

    def _event_page(self, deployment: str, query: Query, limit: int | None) -> Page:
        rows = self._demo.world.events(
            deployment, query, limit, with_ids=not self._demo.settings.events_without_id
        )
        # For a deployment without events the API says either [] or null.
        says_null = not rows and crc32(deployment.encode()) % 2 == 0
        return Page(None, None if says_null else rows)


def _parent(scope: Scope) -> str:
    parent: str = scope["path_params"].get("parent", "")
    return parent


async def _serve_nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await _send(send, refuse(404))


async def _goes_away(receive: Receive, seconds: float) -> bool:
    try:
        await asyncio.wait_for(wait_for_disconnect(receive), seconds)
    except asyncio.TimeoutError:
        return False
    return True


async def _send(
    send: Send, answer: Answer, headers: Sequence[Header] = (), *, cut: bool = False
) -> None:
    length = len(answer.body)
    own = {name.lower() for name, _ in answer.headers}
    start_headers = [
        (b"content-type", answer.content_type),
        (b"content-length", b"%d" % length),
        *(header for header in headers if header[0] not in own),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": start_headers})
    body = answer.body[: length // 2] if cut else answer.body
    await send({"type": "http.response.body", "body": body, "more_body": cut})
