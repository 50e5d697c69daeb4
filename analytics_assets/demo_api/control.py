"""The control routes below `/_demo`, by which tests watch and change a running demo API.

They need no token, and their requests are not recorded. Errors answer 400 and say why.

- `GET /_demo/requests`: `{"counts": {operation: n}, "log": [...]}`, the log oldest first
- `POST /_demo/requests/reset`: forget the requests so far
- `POST /_demo/reset`: begin anew, with the rows, faults, settings and limits of the start
- `POST /_demo/settings`: any of `token`, `latency`, `max_limit`, `retry_after`,
  `events_without_id`, and `rate_limits`, an object like `{"teams": "100/60", "user": null}`, where
  null only tells the live API's limit
- `POST /_demo/faults`: add one fault (see `faults.py`)
- `DELETE /_demo/faults`: drop all faults
- `POST /_demo/deployments`: `{"count": 1, "events": 12, "state": "READY"}`, all optional; creates
  deployments newer than all others and answers their `uids`
- `GET /_demo/rows/{operation}`: all rows, in the order of the list, on one page
- `POST /_demo/rows/{operation}/add`: store the body as a row, served byte for byte as it came
- `POST /_demo/rows/{operation}?id=`: `{"set": {field: value}}` changes a stored row
- `DELETE /_demo/rows/{operation}?id=`: delete a row; its children answer 404

Rows of a child operation need `parent=` besides; without `id` the newest row is meant.
"""

import json
from collections.abc import Callable
from dataclasses import fields, replace

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from analytics_assets.demo_api.app import Demo
from analytics_assets.demo_api.operations import OPERATIONS, JsonObject, Operation


class Control:
    """The control routes' functions, over one demo."""

    def __init__(self, demo: Demo, make_demo: Callable[[], Demo]) -> None:
        self._demo = demo
        self._make_demo = make_demo

    def as_app(self) -> Starlette:
        """Serve the control routes."""
        routes = [
            Route("/requests", self._list_requests),
            Route("/requests/reset", self._reset_requests, methods=["POST"]),
            Route("/reset", self._reset, methods=["POST"]),
            Route("/settings", self._change_settings, methods=["POST"]),
            Route("/faults", self._add_fault, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
            Route("/deployments", self._post_deployments, methods=["POST"]),
            Route("/rows/{operation}/add", self._add_row, methods=["POST"]),
            Route("/rows/{operation}", self._list_rows),
            Route("/rows/{operation}", self._change_row, methods=["POST"]),
            Route("/rows/{operation}", self._remove_row, methods=["DELETE"]),
        ]
        handlers = {ValueError: _explain, TypeError: _explain}
        return Starlette(routes=routes, exception_handlers=handlers)

    async def _list_requests(self, _: Request) -> Response:
        journal = self._demo.journal
        log = [entry.as_json() for entry in journal.entries]
        return _json({"counts": dict(journal.counts), "log": log})

    async def _reset_requests(self, _: Request) -> Response:
        self._demo.journal.reset()
        return _json({})

    async def _reset(self, _: Request) -> Response:
        fresh = self._make_demo()
        for part in fields(Demo):
            setattr(self._demo, part.name, getattr(fresh, part.name))
        return _json({})

    async def _change_settings(self, request: Request) -> Response:
        changes = await _read_object(request)
        rates = changes.pop("rate_limits", {})
        if not isinstance(rates, dict):
            raise TypeError("rate_limits must be an object.")
        for operation, rate in rates.items():
            self._demo.limits.change(operation, rate)
        self._demo.settings = replace(self._demo.settings, **changes)  # type: ignore[arg-type]
        return _json({})

    async def _add_fault(self, request: Request) -> Response:
        self._demo.faults.add(await _read_object(request))
        return _json({})

    async def _clear_faults(self, _: Request) -> Response:
        self._demo.faults.clear()
        return _json({})

    async def _post_deployments(self, request: Request) -> Response:
        order = await _read_object(request)
        return _json({"uids": self._demo.world.post_deployments(**order)})  # type: ignore[arg-type]

    async def _list_rows(self, request: Request) -> Response:
        rows = self._demo.world.rows(_operation(request), request.query_params.get("parent"))
        return Response(b"[%b]" % b",".join(rows), media_type="application/json")

    async def _add_row(self, request: Request) -> Response:
        operation, parent = _operation(request), request.query_params.get("parent")
        self._demo.world.add_row(operation, await request.body(), parent)
        return _json({})

    async def _change_row(self, request: Request) -> Response:
        name, parent = request.query_params.get("id"), request.query_params.get("parent")
        changes = (await _read_object(request)).get("set")
        if not isinstance(changes, dict):
            raise TypeError('The body must be {"set": {field: value}}.')
        self._demo.world.change_row(_operation(request), name, parent, changes)
        return _json({})

    async def _remove_row(self, request: Request) -> Response:
        name, parent = request.query_params.get("id"), request.query_params.get("parent")
        self._demo.world.remove_row(_operation(request), name, parent)
        return _json({})


def _operation(request: Request) -> Operation:
    name = request.path_params["operation"]
    if name not in OPERATIONS:
        raise ValueError(f"There is no operation {name}.")
    return OPERATIONS[name]


async def _read_object(request: Request) -> JsonObject:
    # Python's own JSON reads integers of any size, orjson does not.
    content = json.loads(await request.body() or b"{}")
    if not isinstance(content, dict):
        raise TypeError("The body must be a JSON object.")
    return content


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


async def _explain(_: Request, error: Exception) -> Response:
    return _json({"error": str(error)}, 400)
