"""The people of the demo and what is theirs: teams, memberships, the user and its tokens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from unicodedata import normalize

from analytics_assets.demo_api.drawing import DAY, HOUR, draw_id, draw_times, iso_time
from analytics_assets.demo_api.operations import JsonObject
from analytics_assets.demo_api.vocabulary import (
    FIRST_NAMES,
    LAST_NAMES,
    LOGIN_ORIGINS,
    TEAM_NAMES,
    TOKEN_NAMES,
)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with an account; the same person may be in several teams."""

    uid: str
    name: str
    username: str
    email: str

    def as_creator(self) -> JsonObject:
        """The person as rows name their creator."""
        return {"uid": self.uid, "email": self.email, "username": self.username}


@dataclass(frozen=True, slots=True)
class Account:
    """An owner of projects: a team, or one person's own account."""

    id: str
    name: str
    slug: str
    created: int
    members: Sequence[Person]


def draw_people(rng: Random, count: int) -> list[Person]:
    """That many people with distinct user names."""
    people = []
    for index in range(count):
        first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
        ascii_name = normalize("NFKD", first).encode("ascii", "ignore").decode()
        username = f"{ascii_name.lower()}{index + 1}"
        people.append(
            Person(draw_id(rng), f"{first} {last}", username, f"{username}@people.example")
        )
    return people


def draw_teams(
    rng: Random, count: int, members: int, people: Sequence[Person], anchor: int
) -> list[Account]:
    """Teams, newest first; the first of the people is in all of them."""
    times = draw_times(rng, count, anchor - 900 * DAY, anchor - 400 * DAY)
    teams = []
    for index, created in enumerate(times):
        name = TEAM_NAMES[index % len(TEAM_NAMES)]
        if index >= len(TEAM_NAMES):
            name += f" {index // len(TEAM_NAMES) + 1}"
        slug = name.lower().replace(" ", "-")
        others = rng.sample(people[1:], max(members - 1, 0))
        team_members = [*people[: min(members, 1)], *others]
        teams.append(Account(draw_id(rng, "team_"), name, slug, created, team_members))
    return teams


def personal_account(person: Person, anchor: int) -> Account:
    """The account that a person's own projects belong to."""
    return Account(person.uid, person.name, person.username, anchor - 1000 * DAY, [person])


def team_row(team: Account, user: Person, *, short: bool) -> JsonObject:
    """A team as the list shows it: in full, or in the short form of a limited session."""
    row: JsonObject = {
        "id": team.id,
        "slug": team.slug,
        "name": team.name,
        "avatar": None,
        "created": iso_time(team.created),
        "createdAt": team.created,
        "membership": {
            "uid": user.uid,
            "teamId": team.id,
            "role": "OWNER",
            "confirmed": True,
            "confirmedAt": team.created + HOUR,
            "created": team.created,
            "createdAt": team.created,
        },
    }
    if short:
        return {**row, "limited": True}
    return {
        **row,
        "updatedAt": team.created + 30 * DAY,
        "creatorId": user.uid,
        "createdDirectToHobby": False,
        "stagingPrefix": f"{team.slug}-staging",
        "description": None,
        "emailDomain": None,
        "inviteCode": f"join-{team.id[5:]}",
        "billing": {"plan": "pro", "status": "active", "period": {"start": team.created}},
        "enabledInvoiceItems": {"concurrentBuilds": True},
        "featureBlocks": {},
        "isMigratingToSensitiveEnvVars": False,
        "profiles": [{"service": "github", "link": f"https://github.example/{team.slug}"}],
        "remoteCaching": {"enabled": True},
        "resourceConfig": {"concurrentBuilds": 3, "nodeType": "standard"},
        "sensitiveEnvironmentVariablePolicy": "off",
        "spaces": {"enabled": False},
    }


def draw_member_rows(rng: Random, team: Account, anchor: int) -> Iterator[JsonObject]:
    """The team's members, newest first; the user founded the team and is the oldest."""
    times = draw_times(rng, len(team.members), team.created, anchor - DAY)
    for person, created in zip(reversed(team.members), times, strict=True):
        founder = person is team.members[0]
        row: JsonObject = {
            "uid": person.uid,
            "name": person.name,
            "username": person.username,
            "email": person.email,
            "role": "OWNER" if founder else rng.choice(("MEMBER", "DEVELOPER", "VIEWER")),
            "confirmed": founder or rng.random() < 0.9,
            "createdAt": created,
            "joinedFrom": {"origin": "teams" if founder else rng.choice(("link", "mail", "saml"))},
        }
        if rng.random() < 0.7:
            row["github"] = {"login": person.username}
        yield row


def user_row(user: Person, teams: Sequence[Account], anchor: int) -> JsonObject:
    """The account the token belongs to."""
    created = anchor - 1000 * DAY
    return {
        "id": user.uid,
        "email": user.email,
        "name": user.name,
        "username": user.username,
        "avatar": None,
        "createdAt": created,
        "defaultTeamId": teams[0].id if teams else None,
        "version": "northstar",
        "billing": None,
        "softBlock": None,
        "stagingPrefix": f"{user.username}-staging",
        "hasTrialAvailable": False,
        "importFlowGitNamespace": user.username,
        "importFlowGitNamespaceId": 4_210_337,
        "importFlowGitProvider": "github",
        "dismissedToasts": [
            {
                "name": "new-dashboard",
                "dismissals": [{"scopeId": user.uid, "createdAt": created + DAY}],
            }
        ],
        "dataCache": {"excessBillingEnabled": False},
        "featureBlocks": {"webAnalytics": {"isCurrentlyBlocked": False}},
        "remoteCaching": {"enabled": True},
        "resourceConfig": {"concurrentBuilds": 1, "edgeConfigs": 2, "nodeType": "standard"},
    }


def draw_token_rows(
    rng: Random, count: int, teams: Sequence[Account], anchor: int
) -> Iterator[JsonObject]:
    """The user's tokens, newest first: each for one team or for the whole account."""
    times = draw_times(rng, count, anchor - 300 * DAY, anchor - DAY)
    for index, created in enumerate(times):
        origin = rng.choice(LOGIN_ORIGINS)
        scope: JsonObject = {"type": "user", "origin": origin, "createdAt": created}
        if teams and index % 2:
            scope |= {"type": "team", "teamId": rng.choice(teams).id}
        row: JsonObject = {
            "id": draw_id(rng, "tok_"),
            "name": TOKEN_NAMES[index % len(TOKEN_NAMES)],
            "type": "oauth2-token",
            "origin": origin,
            "scopes": [scope],
            "createdAt": created,
            "activeAt": rng.randrange(created, anchor),
        }
        if rng.random() < 0.5:
            row["expiresAt"] = created + 365 * DAY
        yield row
