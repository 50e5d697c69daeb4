"""Build events, made when they are asked for: 20,000 deployments' events would fill the memory.

An event depends on nothing but its deployment's course and its place in the log, so that a page
costs as much as its rows, however long the log is.
"""

from bisect import bisect_left, bisect_right
from zlib import crc32

import orjson

from analytics_assets.demo_api.deployments import Course
from analytics_assets.demo_api.operations import JsonObject

_OPENING = (
    ("stdout", "Cloning repository (Branch: main)"),
    ("stdout", "Cloning completed: 812.000ms"),
    ("stdout", "Restored build cache from previous deployment"),
    ("command", 'Running "npm install"'),
    ("stdout", "added 1423 packages in 23s"),
    ("stderr", "warning: package `left-pad` is deprecated"),
    ("command", 'Running "npm run build"'),
    ("stdout", "Creating an optimized production build ..."),
    ("stdout", "✓ Compiled successfully"),
)
_ENDING = {
    "READY": ("stdout", "Build completed, deploying outputs"),
    "ERROR": ("fatal", 'Error: Command "npm run build" exited with 1'),
    "CANCELED": ("exit", "Build canceled"),
}
_LEVELS = {"stderr": "warning", "fatal": "error"}


class EventLog:
    """The events of one deployment, oldest first, as far as they have happened."""

    def __init__(self, course: Course, now: int, *, with_ids: bool) -> None:
        self._course = course
        self._with_ids = with_ids
        self._start = course.building_at or course.created
        self._span = max(course.ended_at - self._start, course.event_count)
        # A fifth of the deployments answers in the API's older form.
        self._nested = crc32(course.uid.encode()) % 5 == 0
        happened = range(course.event_count)
        if not course.settled:
            happened = happened[: bisect_right(happened, now, key=self.created)]
        self._happened = happened

    def between(self, since: int | None, until: int | None) -> range:
        """The places of the events from `since` to `until`, both included."""
        events = self._happened
        start = 0 if since is None else bisect_left(events, since, key=self.created)
        stop = len(events) if until is None else bisect_right(events, until, key=self.created)
        return events[start:stop]

    def created(self, place: int) -> int:
        """When the event happens; no two of a deployment share a millisecond."""
        return self._start + place * self._span // self._course.event_count

    def encode(self, place: int) -> bytes:
        """One event as the list shows it."""
        return orjson.dumps(self._row(place))

    def _row(self, place: int) -> JsonObject:
        uid, created = self._course.uid, self.created(place)
        kind, text = self._line(place)
        build = {"type": "build", "name": f"bld_{uid[4:13]}", "entrypoint": "."}
        event: JsonObject = {
            "date": created,
            "deploymentId": uid,
            "info": build,
            "serial": f"{created}{place:06d}",
            "text": text,
        }
        if self._with_ids:
            event["id"] = f"{created}{crc32(uid.encode()):010d}{place:06d}"
        if self._nested:
            return {"type": kind, "created": created, "payload": {**event, "created": created}}
        if kind in _LEVELS:
            event["level"] = _LEVELS[kind]
        return {**event, "type": kind, "created": created}

    def _line(self, place: int) -> tuple[str, str]:
        total = self._course.event_count
        if place == total - 1:
            return _ENDING.get(self._course.outcome, _OPENING[0])
        if place < len(_OPENING):
            return _OPENING[place]
        return "stdout", f"Generating static pages ({place}/{total})"
