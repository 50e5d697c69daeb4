"""Another REST API than the project's own, and the configuration that loads it.

A bookshop that pages in four ways, numbers its authors, calls a book by its ISBN, and writes most
times as ISO text. The configuration is all that was written to load it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from analytics_assets.configuration import ApiConfig, Cadence, iso_time, read_api

Row = dict[str, Any]

TOKEN = "bookshop-token"  # noqa: S105 - opens only the servers that tests start
OPENED = 1_767_225_600_000
"""The epoch of the first order, in milliseconds."""
MINUTE = 60_000
BOOKS_A_PAGE = 2

TEN_MINUTELY: Cadence = {
    "name": "ten_minutely",
    "cron": "*/10 * * * *",
    "timezone": "Europe/London",
    "warn_after": 20,
    "fail_after": 40,
}
NIGHTLY: Cadence = {
    "name": "nightly",
    "cron": "15 2 * * *",
    "timezone": "Europe/London",
    "warn_after": 26 * 60,
    "fail_after": 30 * 60,
}

BOOKSHOP: ApiConfig = {
    "client": {"base_url": "https://bookshop.example.com", "auth": {"type": "bearer"}},
    "retry_stale": "*/30 * * * *",
    "history_start": "2026-01-01",
    "resource_defaults": {"primary_key": "id", "write_disposition": "merge"},
    "resources": [
        {
            "name": "authors",
            "description": "Authors of the books on the shelves.",
            "cadence": NIGHTLY,
            "endpoint": {
                "path": "/api/authors",
                "data_selector": "authors",
                "params": {"per_page": 4},
                "paginator": {"type": "page_number", "base_page": 1, "total_path": "total_pages"},
            },
            "fields": {"id": "number", "name": "string", "born": "string"},
        },
        {
            "name": "books",
            "description": "Books of each author; one that two have written is two rows.",
            "cadence": NIGHTLY,
            "primary_key": ["_authors_id", "isbn"],
            "include_from_parent": ["id"],
            "endpoint": {
                "path": "/api/authors/{resources.authors.id}/books",
                "data_selector": "items",
                "paginator": {"type": "json_link", "next_url_path": "links.next"},
            },
            "filled_from": {"publishedAt": ["published"]},
            "times": ["publishedAt"],
            "fields": {
                "isbn": "string",
                "title": "string",
                "price": "float",
                "published": "string",
                "publishedAt": "number",
                "tags": "array",
            },
        },
        {
            "name": "orders",
            "description": "Orders of the shop, asked for by the time of their last change.",
            "cadence": TEN_MINUTELY,
            "primary_key": "order_no",
            "newest_params": {"sort": "newest", "size": 1},
            "endpoint": {
                "path": "/api/orders",
                "data_selector": "data",
                "params": {"size": 10},
                "paginator": {
                    "type": "cursor",
                    "cursor_param": "cursor",
                    "cursor_path": "meta.next_cursor",
                },
                "incremental": {
                    "cursor_path": "updated_ms",
                    "start_param": "updated_after",
                    "end_param": "updated_before",
                    "allow_external_schedulers": False,
                },
            },
            "times": ["updated_ms"],
            "fields": {
                "order_no": "string",
                "updated_ms": "number",
                "placed": "string",
                "paid": "boolean",
                "lines": "array",
                "total": "float",
            },
        },
        {
            "name": "reviews",
            "description": "What readers say, asked for by an ISO time.",
            "cadence": TEN_MINUTELY,
            "endpoint": {
                "path": "/api/reviews",
                "data_selector": "result.rows",
                "paginator": {"type": "offset", "limit": 5, "total_path": "result.count"},
                "incremental": {
                    "cursor_path": "writtenAt",
                    "start_param": "since",
                    "convert": iso_time,
                    "allow_external_schedulers": False,
                },
            },
            "filled_from": {"writtenAt": ["written"]},
            "times": ["writtenAt"],
            "fields": {
                "id": "number",
                "written": "string",
                "writtenAt": "number",
                "stars": "number",
                "text": "string",
            },
        },
    ],
}

BOOKSHOP_API = read_api(BOOKSHOP)


class Bookshop:
    """The shop's records, and what it was asked.

    Attributes:
        authors: The authors, by id.
        books: The books of each author, by ISBN.
        orders: The orders, by number.
        reviews: The reviews, oldest first.
        asked: How often each path was asked.
        url: Where it answers while it is open.
    """

    def __init__(self) -> None:
        self.authors = {number: _author(number) for number in range(1, 10)}
        self.books = {
            author: {_isbn(author, place): _book(author, place) for place in range(author % 6)}
            for author in self.authors
        }
        self.orders: dict[str, Row] = {}
        for _ in range(25):
            self.add_order()
        self.reviews: list[Row] = []
        for _ in range(12):
            self.add_review()
        self.asked: Counter[str] = Counter()
        self.url = ""

    def add_order(self) -> str:
        """Takes an order, later than all others; returns its number."""
        order_no = f"B-{len(self.orders):04d}"
        self.orders[order_no] = {
            "order_no": order_no,
            "updated_ms": self._next_moment(),
            "placed": "2026-01-01T00:00:00Z",
            "paid": False,
            "lines": [{"isbn": _isbn(1, 0), "count": len(self.orders)}],
            "total": 9.5 + len(self.orders),
        }
        return order_no

    def pay(self, order_no: str) -> None:
        """Changes an order, whose time of change moves on."""
        self.orders[order_no] |= {"paid": True, "updated_ms": self._next_moment()}

    def add_book(self, author: int) -> None:
        """Puts one more book of an author on the shelf."""
        place = len(self.books[author])
        self.books[author][_isbn(author, place)] = _book(author, place)

    def add_review(self) -> None:
        """Prints what a reader says, later than all others."""
        number = len(self.reviews) + 1
        written = iso_time(OPENED + number * MINUTE)
        row = {"id": number, "written": written, "stars": number % 6, "text": "Read on."}
        self.reviews.append(row)

    def answer(self, path: str, query: dict[str, str]) -> Row | None:
        """The body of an answer; None of a path that the shop does not serve."""
        self.asked[path] += 1
        match path.strip("/").split("/"):
            case ["api", "authors"]:
                return self._authors_page(int(query.get("page", 1)), int(query["per_page"]))
            case ["api", "authors", author, "books"] if int(author) in self.authors:
                return self._books_page(path, int(author), int(query.get("page", 1)))
            case ["api", "orders"]:
                return self._orders_page(query)
            case ["api", "reviews"]:
                return self._reviews_page(query)
            case _:
                return None

    def _next_moment(self) -> int:
        moments = (int(order["updated_ms"]) for order in self.orders.values())
        return max(moments, default=OPENED) + MINUTE

    def _authors_page(self, page: int, size: int) -> Row:
        rows = list(self.authors.values())
        start = (page - 1) * size
        return {"authors": rows[start : start + size], "total_pages": -(-len(rows) // size)}

    def _books_page(self, path: str, author: int, page: int) -> Row:
        rows = list(self.books[author].values())
        end = page * BOOKS_A_PAGE
        following = f"{path}?page={page + 1}" if end < len(rows) else None
        return {"items": rows[end - BOOKS_A_PAGE : end], "links": {"next": following}}

    def _orders_page(self, query: dict[str, str]) -> Row:
        after = int(query.get("updated_after", 0))
        before = int(query.get("updated_before", 2**63))
        rows = [row for row in self.orders.values() if after <= row["updated_ms"] < before]
        rows.sort(key=lambda row: int(row["updated_ms"]), reverse=query.get("sort") == "newest")
        start = int(query.get("cursor", "at-0").removeprefix("at-"))
        end = start + int(query["size"])
        following = f"at-{end}" if end < len(rows) else None
        return {"data": rows[start:end], "meta": {"next_cursor": following}}

    def _reviews_page(self, query: dict[str, str]) -> Row:
        since = _moment(query.get("since", "2000-01-01T00:00:00.000Z"))
        rows = [row for row in self.reviews if _moment(row["written"]) >= since]
        start = int(query["offset"])
        page = rows[start : start + int(query["limit"])]
        return {"result": {"rows": page, "count": len(rows)}}


@contextmanager
def open_bookshop() -> Iterator[Bookshop]:
    """Opens a shop of its own, on a free port of this machine."""
    shop = Bookshop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                self._send(401, {"error": {"message": "Who are you?"}})
            elif (body := shop.answer(parts.path, query)) is None:
                self._send(404, {"error": {"message": "No such shelf."}})
            else:
                self._send(200, body)

        def _send(self, status: int, body: Row) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Keeps the requests out of the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        shop.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield shop
        finally:
            server.shutdown()
            thread.join()


def _author(number: int) -> Row:
    return {"id": number, "name": f"Author {number}", "born": f"19{50 + number}-02-03"}


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")


def _isbn(author: int, place: int) -> str:
    return f"978-{author}-{place}"


def _book(author: int, place: int) -> Row:
    return {
        "isbn": _isbn(author, place),
        "title": f"Volume {place}",
        "price": 10 + place / 4,
        "published": f"2015-03-{author + place:02d}T09:30:00Z",
        "tags": ["new"] if place else [],
    }
