"""Connections that break off, for which ASGI has no message: the app is handed the transport."""

import asyncio
import socket
import struct
from typing import cast

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "analytics_assets.demo_api.transport"


class BreakableProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also tells the app its transport, as an ASGI extension."""

    def on_message_begin(self) -> None:
        """Begin a request whose scope carries the transport."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: self.transport}  # type: ignore[dict-item]


async def reset_connection(scope: Scope, receive: Receive) -> None:
    """Break the connection off with a TCP reset; what was sent may be lost."""
    transport = _transport(scope)
    if not transport.is_closing():
        # Closing a socket that lingers for no time is what sends a reset.
        no_time = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_time)
        transport.abort()
    await wait_for_disconnect(receive)


async def close_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection after what was sent."""
    _transport(scope).close()
    await wait_for_disconnect(receive)


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the connection is gone: uvicorn complains of an app that returns earlier."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _transport(scope: Scope) -> asyncio.Transport:
    return cast("asyncio.Transport", scope["extensions"][_TRANSPORT])
