"""Start the demo API: `python -m analytics_assets.demo_api --help` lists the options.

It listens on 127.0.0.1 and nowhere else: its control routes ask for no token.
"""

import argparse
import json
import logging
import os
import signal
import socket
import sys
import time
from dataclasses import fields
from datetime import datetime, timezone
from typing import NoReturn

import uvicorn

from analytics_assets.demo_api.app import Demo, Settings, create_app
from analytics_assets.demo_api.connection import BreakableProtocol
from analytics_assets.demo_api.control import Control
from analytics_assets.demo_api.population import Sizes, WorldOptions
from analytics_assets.demo_api.world import World

HOST = "127.0.0.1"
DEMO_TOKEN = "demo-token"  # noqa: S105 - it opens nothing but made-up rows


def main() -> None:
    """Serve until a signal ends it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises the signal again after its shutdown, which by default would kill.
        signal.signal(number, _exit_quietly)
    parser = create_parser()
    options = parser.parse_args()
    options.anchor = options.anchor or int(time.time() * 1000)
    try:
        listener = socket.create_server((HOST, options.port), backlog=2048)
    except OSError as error:
        sys.exit(
            f"The demo API cannot listen on port {options.port}: {os.strerror(error.errno or 0)}."
        )
    try:
        demo = create_demo(options)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    address = f"http://{HOST}:{listener.getsockname()[1]}"
    token_hint = f" (token: {DEMO_TOKEN})" if options.token == DEMO_TOKEN else ""
    config = uvicorn.Config(
        create_app(demo, Control(demo, lambda: create_demo(options)).as_app()),
        http=BreakableProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )
    server = AnnouncedServer(config, f"demo API on {address}{token_hint}")
    # Requests that hang when the server is stopped are no news.
    logging.getLogger("uvicorn.error").addFilter(lambda _: not server.should_exit)
    server.run(sockets=[listener])


class AnnouncedServer(uvicorn.Server):
    """A server that says so once it can be both used and stopped."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print the announcement."""
        await super().startup(sockets)
        sys.stdout.write(f"{self._announcement}\n")
        sys.stdout.flush()


def create_parser() -> argparse.ArgumentParser:
    """Define the options."""
    parser = argparse.ArgumentParser(
        "python -m analytics_assets.demo_api",
        description="A local stand-in for the analytics API, with made-up rows.",
    )
    parser.add_argument("--port", type=_parse_port, default=8787, help="8787; 0 picks a free one")
    parser.add_argument(
        "--token", default=DEMO_TOKEN, help=f"bearer token to ask for ({DEMO_TOKEN})"
    )

    rows = parser.add_argument_group("rows")
    for size in fields(Sizes):
        help_text = f"number of {size.metadata['help']} (%(default)s)"
        rows.add_argument(f"--{size.name}", type=int, default=size.default, help=help_text)
    rows.add_argument("--seed", type=int, default=7, help="choice of the rows (%(default)s)")
    rows.add_argument(
        "--days", type=int, default=90, help="how far deployments reach back (%(default)s)"
    )
    rows.add_argument("--anchor", type=_parse_time, help="ISO time of the newest rows (now)")
    rows.add_argument(
        "--grow-every", type=float, metavar="SECONDS", help="add deployments after that"
    )
    rows.add_argument(
        "--secret-prefix", default="demo-secret-", help="of variables' values (%(default)s)"
    )
    rows.add_argument(
        "--events-of",
        type=_parse_pair,
        action="append",
        default=[],
        metavar="UID_OR_INDEX=COUNT",
        help="number of events of one deployment, 0 being the newest (repeatable)",
    )

    answers = parser.add_argument_group("answers")
    answers.add_argument("--max-limit", type=int, metavar="N", help="rows on a page at most (100)")
    answers.add_argument(
        "--inclusive-until", action="store_true", help="let until include its time"
    )
    answers.add_argument(
        "--keep-times",
        action="store_true",
        help="let rows have one millisecond though until excludes its time",
    )
    answers.add_argument(
        "--projects-by-change",
        action="store_true",
        help="sort projects by updatedAt, which moves those that are changed",
    )
    answers.add_argument(
        "--events-without-id", action="store_true", help="leave the ids of events out"
    )
    answers.add_argument(
        "--latency", type=float, default=0, metavar="MS", help="of each request (0)"
    )
    answers.add_argument(
        "--rate-limit",
        type=_parse_pair,
        action="append",
        default=[],
        metavar="OPERATION=COUNT/SECONDS",
        help="answer 429 beyond it; `all` sets each operation's (repeatable)",
    )
    answers.add_argument("--no-retry-after", action="store_true", help="leave it out of a 429")
    answers.add_argument(
        "--fault",
        type=json.loads,
        action="append",
        default=[],
        metavar="JSON",
        help="answer some requests wrongly, see faults.py (repeatable)",
    )
    return parser


def create_demo(options: argparse.Namespace) -> Demo:
    """Make what the options describe; a senseless one raises ValueError."""
    world = World(
        WorldOptions(
            anchor=options.anchor,
            seed=options.seed,
            days=options.days,
            sizes=Sizes(**{size.name: getattr(options, size.name) for size in fields(Sizes)}),
            grow_every=options.grow_every,
            secret_prefix=options.secret_prefix,
            events_of={name: int(count) for name, count in options.events_of},
            inclusive_until=options.inclusive_until,
            keep_times=options.keep_times,
            projects_by_change=options.projects_by_change,
        )
    )
    settings = Settings(
        token=options.token,
        latency=options.latency,
        max_limit=options.max_limit,
        retry_after=not options.no_retry_after,
        events_without_id=options.events_without_id,
    )
    demo = Demo(world, settings)
    for operation, rate in options.rate_limit:
        demo.limits.change(operation, rate)
    for order in options.fault:
        demo.faults.add(order)
    return demo


def _parse_port(text: str) -> int:
    if int(text) not in range(1 << 16):
        raise ValueError(f"There is no port {text}.")
    return int(text)


def _parse_time(text: str) -> int:
    # Python 3.10 does not read the Z.
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return int(moment.timestamp() * 1000)


def _parse_pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"{text} has no =.")
    return name, value


def _exit_quietly(*_: object) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main()
