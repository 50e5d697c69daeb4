"""Projects and their environment variables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from analytics_assets.demo_api.accounts import Account, Person
from analytics_assets.demo_api.drawing import DAY, draw_id, draw_times
from analytics_assets.demo_api.operations import JsonObject
from analytics_assets.demo_api.vocabulary import (
    FRAMEWORKS,
    NODE_VERSIONS,
    PROJECT_NAMES,
    REGIONS,
    VARIABLE_KEYS,
    VARIABLE_TYPES,
)

_TARGETS = ("production", "preview", "development")


@dataclass(frozen=True, slots=True)
class Project:
    """What deployments and aliases need to know of their project."""

    id: str
    name: str
    owner: Account
    created: int
    settings: JsonObject
    repository_id: int


def draw_projects(rng: Random, count: int, owners: Sequence[Account], began: int) -> list[Project]:
    """Projects, newest first, older than all deployments, dealt out to their owners in turn."""
    projects = []
    times = draw_times(rng, count, began - 300 * DAY, began - 10 * DAY)
    for index, created in enumerate(times):
        name = PROJECT_NAMES[index % len(PROJECT_NAMES)]
        if index >= len(PROJECT_NAMES):
            name += f"-{index // len(PROJECT_NAMES) + 1}"
        settings: JsonObject = {
            "nodeVersion": rng.choice(NODE_VERSIONS),
            "serverlessFunctionRegion": rng.choice(REGIONS),
            "sourceFilesOutsideRootDirectory": True,
            "gitForkProtection": True,
            "gitLFS": False,
            "gitComments": {"onPullRequest": True, "onCommit": False},
            "buildCommand": None,
            "rootDirectory": rng.choice((None, "apps/web")),
        }
        if rng.random() < 0.9:
            settings["framework"] = rng.choice(FRAMEWORKS)
        owner = owners[index % len(owners)]
        projects.append(
            Project(draw_id(rng, "prj_"), name, owner, created, settings, rng.randrange(10**6))
        )
    return projects


def project_row(
    project: Project, variables: Sequence[JsonObject], latest: JsonObject | None, updated: int
) -> JsonObject:
    """A project as the list shows it, with its variables and its latest deployment inside."""
    owner, created = project.owner, project.created
    return {
        **project.settings,
        "id": project.id,
        "accountId": owner.id,
        "name": project.name,
        "createdAt": created,
        "updatedAt": updated,
        "autoExposeSystemEnvs": True,
        "autoAssignCustomDomains": True,
        "autoAssignCustomDomainsUpdatedBy": owner.members[0].uid if owner.members else "system",
        "directoryListing": False,
        "live": False,
        "crons": {
            "enabledAt": created,
            "disabledAt": None,
            "updatedAt": created,
            "deploymentId": None,
            "definitions": [
                {"host": f"{project.name}.example", "path": "/api/nightly", "schedule": "0 3 * * *"}
            ],
        },
        "env": list(variables),
        "latestDeployments": [latest] if latest else [],
        "link": {
            "type": "github",
            "org": owner.slug,
            "repo": project.name,
            "repoId": project.repository_id,
            "productionBranch": "main",
            "sourceless": False,
            "createdAt": created,
            "updatedAt": created,
            "deployHooks": [
                {
                    "id": f"hook-{project.id[4:]}",
                    "name": "content",
                    "ref": "main",
                    "createdAt": created,
                    "url": f"https://api.example/v1/deploy/{project.id}/hook-{project.id[4:]}",
                }
            ],
        },
        "resourceConfig": {"fluid": True, "functionDefaultMemoryType": "standard"},
        "speedInsights": {"id": f"si_{project.id}", "hasData": True},
        "webAnalytics": {"id": f"wa_{project.id}", "enabledAt": created},
        "customEnvironments": [],
        "passwordProtection": {"deploymentType": "preview"},
        "paused": False,
        "permissions": {"project": ["read", "update"], "secret": ["list"], "token": ["list"]},
        "security": {"attackModeEnabled": False, "firewallBypassIps": ["203.0.113.7"]},
        "ssoProtection": {"deploymentType": "preview"},
        "targets": {"production": latest} if latest else {},
    }


def draw_variables(
    rng: Random, count: int, editor: Person, secret_prefix: str, period: tuple[int, int]
) -> Iterator[JsonObject]:
    """Environment variables, newest first, with values that look secret and are not."""
    for index, created in enumerate(draw_times(rng, count, *period)):
        key = VARIABLE_KEYS[index % len(VARIABLE_KEYS)]
        if index >= len(VARIABLE_KEYS):
            key += f"_{index // len(VARIABLE_KEYS) + 1}"
        target: object = list(_TARGETS[: rng.randint(1, len(_TARGETS))])
        row: JsonObject = {
            "id": draw_id(rng, "env_"),
            "key": key,
            "value": f"{secret_prefix}{rng.getrandbits(96):024x}",
            "type": rng.choice(VARIABLE_TYPES),
            "target": rng.choice(_TARGETS) if rng.random() < 0.2 else target,
            "createdAt": created,
            "updatedAt": rng.randrange(created, period[1] + 1),
            "createdBy": editor.uid,
            "updatedBy": None,
            "configurationId": None,
            "decrypted": False,
        }
        if rng.random() < 0.3:
            row["comment"] = rng.choice(("Rotated every quarter", "Ask before changing"))
        yield row
