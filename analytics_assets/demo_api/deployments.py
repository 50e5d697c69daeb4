"""Deployments, from the queue to their end, and the aliases that point to them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from analytics_assets.demo_api.accounts import Account, Person
from analytics_assets.demo_api.drawing import (
    DAY,
    SECOND,
    draw_around,
    draw_id,
    draw_times,
    iso_time,
)
from analytics_assets.demo_api.operations import JsonObject
from analytics_assets.demo_api.projects import Project
from analytics_assets.demo_api.vocabulary import BRANCHES, COMMIT_MESSAGES, DEPLOYMENT_SOURCES

PACE = 20 * SECOND
"""A deployment waits up to one pace in the queue and builds for one to four."""


@dataclass(frozen=True, slots=True)
class Course:
    """When a deployment does what; its state at any time and its events follow from this."""

    uid: str
    created: int
    building_at: int | None
    """None when it was canceled while it waited."""
    ended_at: int
    outcome: str
    event_count: int
    settled: bool = False
    """It has its outcome whatever the clock says: a test asked for it."""

    def state_at(self, now: int) -> str:
        """The deployment's state."""
        if self.settled or now >= self.ended_at:
            return self.outcome
        waiting = self.building_at is None or now < self.building_at
        return "QUEUED" if waiting else "BUILDING"

    def next_change(self, now: int) -> int | None:
        """When the state changes next; None when it is final."""
        if self.settled or now >= self.ended_at:
            return None
        if self.building_at is None or now >= self.building_at:
            return self.ended_at
        return self.building_at

    def settle(self, event_count: int, outcome: str) -> "Course":
        """The same course, ended with exactly so many events."""
        building_at = self.created + 1
        return replace(
            self,
            building_at=building_at,
            ended_at=building_at + max(event_count, SECOND),
            outcome=outcome,
            event_count=event_count,
            settled=True,
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment's course and what its row says besides."""

    course: Course
    project: Project
    creator: Person
    facts: JsonObject

    def settle(self, event_count: int, outcome: str = "READY") -> "Deployment":
        """The same deployment, ended with exactly so many events."""
        return replace(self, course=self.course.settle(event_count, outcome))

    def row_at(self, now: int) -> JsonObject:
        """The row as the list shows it at that time."""
        course, state = self.course, self.course.state_at(now)
        row: JsonObject = {
            "uid": course.uid,
            "name": self.project.name,
            "projectId": self.project.id,
            "created": course.created,
            "state": state,
            "readyState": state,
            "type": "LAMBDAS",
            "creator": {**self.creator.as_creator(), "githubLogin": self.creator.username},
            "projectSettings": self.project.settings,
            "isRollbackCandidate": state == "READY" and self.facts.get("target") == "production",
            "aliasAssigned": False,
            **self.facts,
        }
        if state != "QUEUED" and course.building_at is not None:
            row["buildingAt"] = course.building_at
        if state == "READY":
            row["ready"] = course.ended_at
            row["readySubstate"] = "PROMOTED" if row["isRollbackCandidate"] else "STAGED"
            # The API answers either a time or a plain yes.
            row["aliasAssigned"] = course.created % 16 == 0 or course.ended_at + SECOND
            row |= {"checksState": "completed", "checksConclusion": "succeeded"}
        if state == "ERROR":
            row |= {
                "errorCode": "BUILD_FAILED",
                "errorMessage": 'Command "npm run build" exited with 1',
            }
        return row

    def row_in_project(self, now: int) -> JsonObject:
        """The deployment as its project's row shows it."""
        course = self.course
        return {
            "id": course.uid,
            "name": self.project.name,
            "url": self.facts["url"],
            "deploymentHostname": self.project.name,
            "createdAt": course.created,
            "createdIn": "iad1",
            "creator": self.creator.as_creator(),
            "userId": self.creator.uid,
            "plan": "pro",
            "private": False,
            "type": "LAMBDAS",
            "readyState": course.state_at(now),
            "meta": self.facts["meta"],
        }


def draw_deployment(
    rng: Random, created: int, projects: Sequence[Project], mean_events: int, pace: int
) -> Deployment:
    """One deployment of one of the projects by one of its people."""
    uid = draw_id(rng, "dpl_", 28)
    project = projects[min(int(rng.expovariate(4 / len(projects))), len(projects) - 1)]
    creator = rng.choice(project.owner.members)
    outcome = rng.choices(("READY", "ERROR", "CANCELED"), (84, 10, 6))[0]
    building_at: int | None = created + int(pace * rng.uniform(0.3, 1))
    ended_at = created + pace + int(pace * rng.uniform(1, 4))
    if outcome == "CANCELED" and rng.random() < 0.5:
        building_at = None
    events = 0 if building_at is None else draw_around(rng, mean_events)
    slug, host = project.owner.slug, f"{project.name}-{draw_id(rng, length=9).lower()}"
    sha, branch = f"{rng.getrandbits(160):040x}", rng.choice(BRANCHES)
    facts: JsonObject = {
        "url": f"{host}-{slug}.demo-app.example",
        "inspectorUrl": f"https://dashboard.example/{slug}/{project.name}/{uid[4:]}",
        "source": rng.choice(DEPLOYMENT_SOURCES),
        "meta": {
            "githubCommitAuthorLogin": creator.username,
            "githubCommitAuthorName": creator.name,
            "githubCommitMessage": rng.choice(COMMIT_MESSAGES),
            "githubCommitOrg": slug,
            "githubCommitRef": branch,
            "githubCommitRepo": project.name,
            "githubCommitSha": sha,
            "githubDeployment": "1",
            "githubRepoId": str(project.repository_id),
            "branchAlias": f"{project.name}-git-{branch.replace('/', '-')}.demo-app.example",
        },
    }
    if branch in ("main", "staging"):
        facts["target"] = "production" if branch == "main" else "staging"
    if rng.random() < 0.9:
        facts["createdAt"] = created
    course = Course(uid, created, building_at, ended_at, outcome, events)
    return Deployment(course, project, creator, facts)


def draw_alias_rows(
    rng: Random, count: int, deployments: Sequence[Deployment], anchor: int
) -> Iterator[tuple[Account, JsonObject]]:
    """Aliases of these deployments with their owners, newest first."""
    for index, created in enumerate(draw_times(rng, count, anchor - 80 * DAY, anchor)):
        deployment = deployments[index % len(deployments)]
        project = deployment.project
        subdomain = project.name if index < len(deployments) else f"{project.name}-{index}"
        row: JsonObject = {
            "uid": draw_id(rng, "als_"),
            "alias": f"{subdomain}.{project.owner.slug}.example",
            "created": iso_time(created),
            "createdAt": created,
            "updatedAt": rng.randrange(created, anchor + 1),
            "creator": deployment.creator.as_creator(),
            "deploymentId": deployment.course.uid,
            "deployment": {"id": deployment.course.uid, "url": deployment.facts["url"]},
            "projectId": project.id,
        }
        if rng.random() < 0.1:
            del row["deployment"]
            row |= {"deploymentId": None, "redirect": "www.example.com", "redirectStatusCode": 308}
        yield project.owner, row
