"""A small API of teams and deployments, of which some parents do not answer for their children."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.project import Project
from harness.scripted import Answer, Asked, ScriptedApi, scripted_api
from harness.stores import Row

NOW = 1_780_000_000_000
EVENTS = "/v3/deployments/{}/events"
MEMBERS = "/v2/teams/{}/members"


@dataclass
class Server:
    """What the API holds, and what it answers instead of some lists.

    Attributes:
        parents: The ids of the parents that are listed, each with its children's ids.
        wrong: What a parent answers instead of its children.
        wrong_pages: The same, by the place of a page.
        limit: Members on a page.
        times: Times of deployments, beside those of all.
    """

    parents: dict[str, list[str]]
    wrong: dict[str, Answer] = field(default_factory=dict)
    wrong_pages: dict[tuple[str, int], Answer] = field(default_factory=dict)
    limit: int = 100
    times: dict[str, dict[str, int]] = field(default_factory=dict)

    def answer(self, asked: Asked) -> Answer:
        """Answers as the analytics API does."""
        if asked.path == "/v2/teams":
            return listing("teams", [{"id": id_, "createdAt": NOW} for id_ in self.parents])
        if asked.path == "/v6/deployments":
            since, until = asked.integer("since") or 0, asked.integer("until")
            rows: list[Row] = [
                {"uid": id_, "created": NOW - number, "state": "READY", **self.times.get(id_, {})}
                for number, id_ in enumerate(self.parents)
            ]
            rows.sort(key=lambda row: -row["created"])
            within = [r for r in rows if since < r["created"] < (until or r["created"] + 1)]
            return listing("deployments", within)
        id_ = asked.path.split("/")[3]
        if id_ in self.wrong:
            return self.wrong[id_]
        if id_ not in self.parents:
            return refused(404)
        if asked.path.endswith("/members"):
            return self._page_of_members(id_, asked)
        return Answer([{"id": child, "created": NOW} for child in self.parents[id_]])

    def _page_of_members(self, team: str, asked: Asked) -> Answer:
        """One page, whose cursor is the place of the next one."""
        place = asked.integer("until") or 0
        if (team, place) in self.wrong_pages:
            return self.wrong_pages[team, place]
        rows = self.parents[team]
        following = place + self.limit if place + self.limit < len(rows) else None
        page = [{"uid": uid, "createdAt": NOW} for uid in rows[place : place + self.limit]]
        return listing("members", page, following)

    def keys(self, *without: str) -> set[tuple[str, str]]:
        """The keys of all children, but for those of some parents."""
        return {
            (parent, child)
            for parent, children in self.parents.items()
            for child in children
            if parent not in without
        }


def listing(name: str, rows: list[Row], following: int | None = None) -> Answer:
    """A page of a list."""
    pagination = {"count": len(rows), "next": following, "prev": None}
    return Answer({name: rows, "pagination": pagination})


def refused(status: int, message: str = "Not authorized") -> Answer:
    """An error as the API words it."""
    return Answer({"error": {"code": "refused", "message": message}}, status)


@contextmanager
def serving(server: Server, folder: Path, **options: Any) -> Iterator[tuple[Project, ScriptedApi]]:
    """Serves it, and a project that loads it."""
    with scripted_api(lambda asked: server.answer(asked)) as scripted:
        yield Project(folder, scripted.url, **options), scripted
