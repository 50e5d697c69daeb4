"""Measure how many requests a second the demo API answers: `python -m benchmarks.demo_api`.

It starts a server with 20,000 deployments and asks over 32 kept connections, the client being a
process on the same machine.
"""

import asyncio
import time
from typing import cast

import uvloop

from harness.demo_server import DemoServer

CONNECTIONS = 32
SECONDS = 5
HEADERS = "Host: demo\r\nAuthorization: Bearer demo-token\r\n"


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\n{HEADERS}\r\n".encode()
        self._missing = 0
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        # uvloop's transports are no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of an answer; the server writes its head at once."""
        if self._missing == 0:
            head, _, body = data.partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 OK"):
                raise ValueError(head)
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._missing = int(length) - len(body)
        else:
            self._missing -= len(data)
        if self._missing == 0:
            self.answered += 1
            self._transport.write(self._request)


async def measure(port: int, path: str) -> float:
    """Return the requests answered in a second."""
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(lambda: Client(path), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    started = time.perf_counter()
    await asyncio.sleep(SECONDS)
    seconds = time.perf_counter() - started
    for transport, _ in connections:
        transport.abort()
    return sum(client.answered for _, client in connections) / seconds


def main() -> None:
    """Print a line for each path."""
    with DemoServer("--deployments", "20000") as demo:
        deployment = demo.get("/v6/deployments").json()["deployments"][9]
        for path in (
            "/v6/deployments?limit=1",
            "/v6/deployments?limit=20",
            "/v6/deployments?limit=100",
            f"/v3/deployments/{deployment['uid']}/events?limit=100",
        ):
            print(f"{uvloop.run(measure(demo.port, path)):8.0f} requests/s  {path}")


if __name__ == "__main__":
    main()
