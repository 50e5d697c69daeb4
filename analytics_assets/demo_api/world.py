"""The demo's data: a pure function of the seed, the sizes, the anchor and the time.

A server that is started again with the same four serves the same rows, and those that would have
come since. Only what a test changed through the control routes is lost.
"""

import heapq
import json
import time
from collections.abc import Mapping

import orjson

from analytics_assets.demo_api.deployments import Course, Deployment, draw_deployment
from analytics_assets.demo_api.drawing import SECOND, open_generator
from analytics_assets.demo_api.events import EventLog
from analytics_assets.demo_api.operations import OPERATIONS, JsonObject, Operation
from analytics_assets.demo_api.pages import Query
from analytics_assets.demo_api.population import WorldOptions, draw_population, list_rows
from analytics_assets.demo_api.table import MOST_ROWS, Row, Table

_DEPLOYMENTS = OPERATIONS["deployments"]
_EVENTS = OPERATIONS["deployment_events"]


class World:
    """All rows, by operation and by parent."""

    def __init__(self, options: WorldOptions, most_rows: int = MOST_ROWS) -> None:
        self._options = options
        self._most_rows = most_rows
        self._tables: dict[tuple[str, str | None], Table] = {}
        self._courses: dict[str, Course] = {}
        self._unfinished: list[tuple[int, str, Deployment]] = []
        self._grown = 0
        self._now = options.anchor
        population = draw_population(options)
        self._projects = population.projects
        for entry in list_rows(population, options):
            body = orjson.dumps(entry.row)
            self._file(OPERATIONS[entry.operation], entry.row, body, entry.parent, entry.account)
        for deployment in population.deployments:
            self._follow(deployment)
        self.advance()

    def advance(self) -> None:
        """Let happen what is due by now; without growth the clock stands at the anchor."""
        if self._options.grow_every is None or not self._projects:
            return
        self._now = max(self._options.anchor, _epoch_ms())
        step = self._options.grow_every * SECOND
        while len(self.table(_DEPLOYMENTS)) < self._most_rows:
            created = self._options.anchor + int((self._grown + 1) * step)
            if created > self._now:
                break
            self._grown += 1
            self._add_deployment(self._draw_deployment(f"grown {self._grown}", created))
        while self._unfinished and self._unfinished[0][0] <= self._now:
            _, uid, deployment = heapq.heappop(self._unfinished)
            row = self.table(_DEPLOYMENTS).find(uid)
            if row is not None:
                row.body = orjson.dumps(deployment.row_at(self._now))
            self._follow(deployment)

    def table(self, operation: Operation, parent: str | None = None) -> Table:
        """The list that an operation serves, of one parent if it has parents."""
        key = operation.name, parent
        if key not in self._tables:
            self._tables[key] = Table(
                inclusive_until=self._options.inclusive_until,
                keep_times=self._options.keep_times,
            )
        return self._tables[key]

    def find_id(self, operation: str, name: str) -> str | None:
        """The id of the row of that id or other name."""
        row = self.table(OPERATIONS[operation]).find(name)
        return None if row is None else row.names[0]

    def events(
        self, deployment: str, query: Query, limit: int | None, *, with_ids: bool
    ) -> list[bytes]:
        """A deployment's events from `since` to `until`, both included."""
        edited = self._tables.get((_EVENTS.name, deployment))
        if edited is not None:
            after = None if query.since is None else query.since - 1
            rows = edited.page(since=after, until=query.until).rows
            return [row.body for row in (rows if query.backward else reversed(rows))][:limit]
        if deployment not in self._courses:
            return []
        log = EventLog(self._courses[deployment], self._now, with_ids=with_ids)
        places = log.between(query.since, query.until)
        return [log.encode(place) for place in places[:: -1 if query.backward else 1][:limit]]

    def rows(self, operation: Operation, parent: str | None) -> list[bytes]:
        """All rows of a list, whatever a page of it would hold."""
        parent_id = self.find_id(operation.parent, parent or "") if operation.parent else None
        if operation is _EVENTS:
            return self.events(parent_id or "", Query(), None, with_ids=True)
        return [row.body for row in self.table(operation, parent_id).page().rows]

    def touch(self, operation: Operation, name: str, parent: str | None) -> None:
        """Change a row now: it becomes the one that was changed last."""
        updated = [json.loads(body).get("updatedAt") or 0 for body in self.rows(operation, parent)]
        self.change_row(operation, name, parent, {"updatedAt": max(updated) + 1})

    def add_row(self, operation: Operation, body: bytes, parent: str | None) -> None:
        """Store a row that is served exactly as it came."""
        fields = json.loads(body)
        parent_id = self._open_for_edits(operation, parent)
        self._file(operation, fields if isinstance(fields, dict) else {}, body, parent_id)

    def change_row(
        self, operation: Operation, name: str | None, parent: str | None, changes: JsonObject
    ) -> None:
        """Give fields of a stored row other values; without a name, of the newest one."""
        parent_id = self._open_for_edits(operation, parent)
        row = self._named_row(operation, name, parent_id)
        fields = json.loads(row.body) | changes
        self.table(operation, parent_id).remove(row)
        # Python's own JSON keeps integers of any size, orjson does not.
        self._file(operation, fields, json.dumps(fields).encode(), parent_id, row.account)

    def remove_row(self, operation: Operation, name: str | None, parent: str | None) -> None:
        """Delete a row; its children answer 404 from then on."""
        parent_id = self._open_for_edits(operation, parent)
        self.table(operation, parent_id).remove(self._named_row(operation, name, parent_id))

    def post_deployments(
        self, count: int, *, events: int | None = None, state: str = "READY"
    ) -> list[str]:
        """Create deployments that are newer than all others and have ended already."""
        if not self._projects:
            raise ValueError("There is no project to deploy.")
        uids = []
        for _ in range(count):
            newest = self.table(_DEPLOYMENTS).newest()
            created = max(_epoch_ms(), newest.created + 1 if newest else 0)
            deployment = self._draw_deployment(f"posted {created}", created)
            event_count = deployment.course.event_count if events is None else events
            self._add_deployment(deployment.settle(event_count, state))
            uids.append(deployment.course.uid)
        return uids

    def _draw_deployment(self, part: str, created: int) -> Deployment:
        options = self._options
        rng = open_generator(options.seed, part)
        return draw_deployment(rng, created, self._projects, options.sizes.events, options.pace)

    def _add_deployment(self, deployment: Deployment) -> None:
        row = deployment.row_at(self._now)
        account = deployment.project.owner.id
        self._file(_DEPLOYMENTS, row, orjson.dumps(row), None, account)
        self._follow(deployment)

    def _follow(self, deployment: Deployment) -> None:
        course = deployment.course
        self._courses[course.uid] = course
        due = course.next_change(self._now)
        if due is not None:
            heapq.heappush(self._unfinished, (due, course.uid, deployment))

    def _open_for_edits(self, operation: Operation, parent: str | None) -> str | None:
        """The parent's id; a deployment's events are written out before the first edit."""
        if operation.parent is None:
            return None
        parent_id = self.find_id(operation.parent, parent or "")
        if parent_id is None:
            raise ValueError(
                f"{operation.name} needs the parameter parent, one of {operation.parent}."
            )
        if operation is _EVENTS and (operation.name, parent_id) not in self._tables:
            bodies = self.events(parent_id, Query(), None, with_ids=True)
            self._tables[operation.name, parent_id] = Table(inclusive_until=True)
            for body in bodies:
                self._file(operation, orjson.loads(body), body, parent_id)
        return parent_id

    def _named_row(self, operation: Operation, name: str | None, parent: str | None) -> Row:
        table = self.table(operation, parent)
        row = table.newest() if name is None else table.find(name)
        if row is None:
            raise ValueError(f"{operation.name} has no row {name or 'at all'}.")
        return row

    def _file(
        self,
        operation: Operation,
        fields: Mapping[str, object],
        body: bytes,
        parent: str | None,
        account: str | None = None,
    ) -> None:
        names = (fields.get(operation.id_field), fields.get(operation.second_name or ""))
        by_change = operation.name == "projects" and self._options.projects_by_change
        created = fields.get("updatedAt" if by_change else operation.created_field)
        owner = account or fields.get("accountId")
        self.table(operation, parent).add(
            Row(
                # A test may store a row whose creation time is no time at all.
                created if type(created) is int and 0 < created < 2**63 else _epoch_ms(),
                tuple(name for name in names if isinstance(name, str)),
                owner if isinstance(owner, str) else None,
                body,
            )
        )


def _epoch_ms() -> int:
    return int(time.time() * SECOND)
