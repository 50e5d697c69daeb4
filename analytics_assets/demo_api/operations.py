"""The nine operations: what each is called, where it is served and how its rows are keyed."""

from dataclasses import dataclass

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Operation:
    """One list operation of the API."""

    name: str
    path: str
    list_key: str | None
    """The body's key that holds the rows; None when the body is the list itself."""
    requests_per_minute: int
    """What the live API allows; for projects, aliases and events it is a guess."""
    id_field: str = "id"
    second_name: str | None = None
    """Another field by which a path may call the row."""
    created_field: str = "createdAt"
    parent: str | None = None
    single: bool = False
    """The body holds one object instead of a list."""
    takes_limit: bool = True
    scoped_by_team: bool = False


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation(
            "projects", "/v9/projects", "projects", 500, second_name="name", scoped_by_team=True
        ),
        Operation("teams", "/v2/teams", "teams", 600),
        Operation("user", "/v2/user", "user", 500, single=True, takes_limit=False),
        Operation(
            "deployments",
            "/v6/deployments",
            "deployments",
            1000,
            id_field="uid",
            second_name="url",
            created_field="created",
            scoped_by_team=True,
        ),
        Operation(
            "environments",
            "/v9/projects/{parent}/env",
            "envs",
            500,
            parent="projects",
            takes_limit=False,
        ),
        Operation("auth_tokens", "/v5/user/tokens", "tokens", 120),
        Operation("aliases", "/v4/aliases", "aliases", 500, id_field="uid", scoped_by_team=True),
        Operation(
            "deployment_events",
            "/v3/deployments/{parent}/events",
            None,
            1000,
            created_field="created",
            parent="deployments",
        ),
        Operation(
            "teams_member",
            "/v2/teams/{parent}/members",
            "members",
            120,
            id_field="uid",
            parent="teams",
        ),
    )
}
