"""Everything there is at the anchor, and the rows that show it."""

from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, field
from typing import NamedTuple

from analytics_assets.demo_api.accounts import (
    Account,
    Person,
    draw_member_rows,
    draw_people,
    draw_teams,
    draw_token_rows,
    personal_account,
    team_row,
    user_row,
)
from analytics_assets.demo_api.deployments import (
    PACE,
    Deployment,
    draw_alias_rows,
    draw_deployment,
)
from analytics_assets.demo_api.drawing import (
    DAY,
    SECOND,
    draw_working_times,
    open_generator,
)
from analytics_assets.demo_api.operations import JsonObject
from analytics_assets.demo_api.projects import (
    Project,
    draw_projects,
    draw_variables,
    project_row,
)
from analytics_assets.demo_api.table import MOST_ROWS

FASTEST_GROWTH = 0.01


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many rows there are at the anchor."""

    projects: int = field(default=12, metadata={"help": "projects"})
    teams: int = field(default=3, metadata={"help": "teams"})
    members: int = field(default=8, metadata={"help": "members of each team, at least 1"})
    deployments: int = field(default=400, metadata={"help": "deployments"})
    events: int = field(default=12, metadata={"help": "events of a deployment, on average"})
    variables: int = field(default=6, metadata={"help": "environment variables of a project"})
    aliases: int = field(default=60, metadata={"help": "aliases"})
    tokens: int = field(default=5, metadata={"help": "tokens"})

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn: the user is a member of every team."""
        if self.members < 1 or min(astuple(self)) < 0 or max(astuple(self)) > MOST_ROWS:
            raise ValueError(f"Sizes go from 0 to {MOST_ROWS}, and a team has at least one member.")


@dataclass(frozen=True, slots=True)
class WorldOptions:
    """All that the world is a function of, but the time."""

    anchor: int
    """The time, in epoch milliseconds, at which the sizes hold."""
    seed: int = 7
    sizes: Sizes = field(default_factory=Sizes)
    grow_every: float | None = None
    """Seconds between two new deployments after the anchor; None stops the clock there."""
    secret_prefix: str = "demo-secret-"  # noqa: S105 - no secret follows it
    days: int = 90
    """How far deployments reach back."""
    events_of: Mapping[str, int] = field(default_factory=dict)
    """Numbers of events of single deployments, by uid or by place in the list."""
    inclusive_until: bool = False
    keep_times: bool = False
    """Whether rows of one millisecond stay so although `until` excludes it."""
    projects_by_change: bool = False
    """Whether the list of projects is sorted by their last change, not by their creation."""

    def __post_init__(self) -> None:
        """Refuse deployments of no time, and a growth that never ends or has no pace."""
        if self.days < 1:
            raise ValueError("Deployments reach back a day at least.")
        if self.grow_every is not None and self.grow_every < FASTEST_GROWTH:
            raise ValueError(f"Deployments arrive every {FASTEST_GROWTH} seconds at most.")

    @property
    def began(self) -> int:
        """When the first deployment may have been made."""
        return self.anchor - self.days * DAY

    @property
    def pace(self) -> int:
        """Milliseconds a deployment takes for a step: no slower than new ones arrive."""
        return PACE if self.grow_every is None else min(PACE, int(self.grow_every * SECOND))


@dataclass(frozen=True, slots=True)
class Population:
    """What exists at the anchor; the lists are newest first."""

    user: Person
    teams: list[Account]
    projects: list[Project]
    deployments: list[Deployment]


class Entry(NamedTuple):
    """A row and where it belongs."""

    operation: str
    row: JsonObject
    parent: str | None = None
    account: str | None = None


def draw_population(options: WorldOptions) -> Population:
    """Draw all that exists at the anchor."""
    seed, sizes, anchor = options.seed, options.sizes, options.anchor
    # Fewer people than seats, so that some sit in several teams.
    people_count = max(sizes.members, sizes.members * sizes.teams * 2 // 3)
    people = draw_people(open_generator(seed, "people"), people_count)
    teams = draw_teams(open_generator(seed, "teams"), sizes.teams, sizes.members, people, anchor)
    owners = [*teams, personal_account(people[0], anchor)]
    projects = draw_projects(
        open_generator(seed, "projects"), sizes.projects, owners, options.began
    )
    deployments = _draw_deployments(options, projects) if projects else []
    return Population(people[0], teams, projects, deployments)


def list_rows(population: Population, options: WorldOptions) -> Iterator[Entry]:
    """All rows at the anchor but the events, which are made when they are asked for."""
    seed, sizes, anchor = options.seed, options.sizes, options.anchor
    user, teams = population.user, population.teams
    yield Entry("user", user_row(user, teams, anchor))
    for token in draw_token_rows(open_generator(seed, "tokens"), sizes.tokens, teams, anchor):
        yield Entry("auth_tokens", token)
    for index, team in enumerate(teams):
        yield Entry("teams", team_row(team, user, short=index % 5 == 2))
        for member in draw_member_rows(open_generator(seed, team.id), team, anchor):
            yield Entry("teams_member", member, parent=team.id)
    latest = {item.project.id: item for item in reversed(population.deployments)}
    yield from _project_entries(population, latest, options)
    if latest:
        rng = open_generator(seed, "aliases")
        for owner, alias in draw_alias_rows(rng, sizes.aliases, list(latest.values()), anchor):
            yield Entry("aliases", alias, account=owner.id)
    # Oldest first, so that each is filed at the end of the list and moves no other.
    for item in reversed(population.deployments):
        yield Entry("deployments", item.row_at(anchor), account=item.project.owner.id)


def _draw_deployments(options: WorldOptions, projects: list[Project]) -> list[Deployment]:
    anchor, pace, count = options.anchor, options.pace, options.sizes.deployments
    rng = open_generator(options.seed, "deployments")
    # The newest two are still in the queue and building, whatever the count.
    unfinished = [anchor - pace // 5, anchor - pace * 6 // 5][:count]
    finished = draw_working_times(rng, count - len(unfinished), options.began, anchor - 10 * pace)
    events_of = dict(options.events_of)
    deployments = []
    for place, created in enumerate(unfinished + finished):
        item = draw_deployment(rng, created, projects, options.sizes.events, pace)
        asked = events_of.pop(str(place), events_of.pop(item.course.uid, None))
        if asked is not None:
            item = item.settle(asked)
        deployments.append(item)
    if events_of:
        raise ValueError(f"There is no deployment {', '.join(events_of)} to give events to.")
    return deployments


def _project_entries(
    population: Population, latest: Mapping[str, Deployment], options: WorldOptions
) -> Iterator[Entry]:
    for project, variables in _draw_variables_by_project(population, options):
        newest = latest.get(project.id)
        row = project_row(
            project,
            variables,
            newest.row_in_project(options.anchor) if newest else None,
            newest.course.created if newest else project.created,
        )
        yield Entry("projects", row, account=project.owner.id)
        for variable in variables:
            yield Entry("environments", variable, parent=project.id)


def _draw_variables_by_project(
    population: Population, options: WorldOptions
) -> Iterator[tuple[Project, list[JsonObject]]]:
    count, anchor = options.sizes.variables, options.anchor

    def draw(part: str, count: int, start: int) -> list[JsonObject]:
        rng = open_generator(options.seed, part)
        period = (start, anchor)
        return list(draw_variables(rng, count, population.user, options.secret_prefix, period))

    # Two neighbouring projects share one variable, under one id.
    shared_count = len(population.projects) if count else 0
    shared = draw("shared variables", shared_count, options.began - 5 * DAY)
    for place, project in enumerate(population.projects):
        own = draw(project.id, max(count - 1, 0), project.created)
        yield project, own + shared[place // 2 : place // 2 + 1]
