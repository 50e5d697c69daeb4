"""What the words of a configuration mean: an API and its resources, read once and never changed.

Everything behind the configuration takes a `Resource`, and nothing else reads the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Any

from dlt.sources.rest_api.typing import Endpoint

from analytics_assets.configuration.lineage import (
    complete_endpoint,
    cursor_field,
    inherited_fields,
    key_columns,
    parent_fields,
    parent_name,
)
from analytics_assets.configuration.types import (
    ApiConfig,
    AskedAgain,
    BareList,
    Cadence,
    DailyCounts,
    Durations,
    FieldType,
    ResourceConfig,
)
from analytics_assets.configuration.validation import validate

MILLISECONDS_A_DAY = 86_400_000


@dataclass(frozen=True)
class Cursor:
    """The time by which an incremental resource is asked for what is new.

    Attributes:
        field: The field of its rows that holds it, in epoch milliseconds.
        start_param: The query parameter for the first moment wanted; "" where there is none.
        end_param: The same for the last one.
        lag: Milliseconds before the newest row from which on rows are asked for again.
        initial_value: The moment that a first load begins at; None begins with the first row.
        convert: Makes a parameter of a moment.
        on_missing: What becomes of a row without that field, in dlt's words.
    """

    field: str
    start_param: str
    end_param: str
    lag: int
    initial_value: int | None
    convert: Callable[[int], Any] | None
    on_missing: str

    def bounds(self, start: int | None, end: int | None) -> dict[str, Any]:
        """The query parameters that ask for a stretch of time; None leaves an end open."""
        ends = {self.start_param: start, self.end_param: end}
        return {
            param: self.convert(moment) if self.convert else moment
            for param, moment in ends.items()
            if param and moment is not None
        }


@dataclass(frozen=True)
class Parent:
    """What a child takes of the resource that it depends on.

    Attributes:
        resource: The parent.
        asked_with: The fields of its rows that requests are made from.
        inherited: The columns of the child that hold its fields, and those fields (dlt, "REST API
            source: Include fields from the parent").
    """

    resource: Resource
    asked_with: tuple[str, ...]
    inherited: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource of the API: an asset, a table, and the list or lists that fill it.

    The attributes are the words of a `ResourceConfig`, with what the defaults add to them, but for:

    Attributes:
        api: The name of the API.
        key: The columns that identify a row.
        endpoint: The endpoint with what the defaults add to it.
        parent: What it takes of its parent; None of a root.
        is_parent: Whether other resources depend on it.
        cursor: The time by which it is asked for what is new; None of any other.
        beginning: The first moment that can be loaded again, in epoch milliseconds.
        owners: Whom to ask about it.
        column_descriptions: Its own, and those of the API.
    """

    api: str
    name: str
    key: tuple[str, ...]
    endpoint: Endpoint
    parent: Parent | None
    is_parent: bool
    cursor: Cursor | None
    beginning: int
    owners: tuple[str, ...]
    column_descriptions: Mapping[str, str]
    description: str
    documentation: str
    fields: Mapping[str, FieldType]
    cadence: Cadence
    filled_from: Mapping[str, list[str]]
    ids_may_repeat: bool
    withheld: tuple[str, ...]
    store_withheld: bool
    store: tuple[str, ...]
    known_columns: tuple[str, ...]
    times: tuple[str, ...]
    newest_params: Mapping[str, Any]
    since_param: str
    bare_list: BareList | None
    asked_again: AskedAgain | None
    pictures: Mapping[str, DailyCounts | Durations]
    processing_steps: tuple[Mapping[str, Any], ...]

    @property
    def cursor_field(self) -> str:
        """The field by which it is asked for what is new; "" of any other."""
        return self.cursor.field if self.cursor else ""

    @property
    def path(self) -> str:
        """The path of its endpoint, with placeholders for its parent's fields."""
        return str(self.endpoint["path"])

    @property
    def is_listed_in_full(self) -> bool:
        """Whether each load lists all its rows.

        An incremental resource brings only new and changed rows, and so does a child that asks only
        for its parent's new and changed rows.
        """
        return not self.cursor and (self.parent is None or self.parent.resource.is_listed_in_full)

    @property
    def is_reloadable(self) -> bool:
        """Whether a window of time can be loaded again: it, or its parent, is asked for by time."""
        return bool(self.cursor or (self.parent and self.parent.resource.cursor))

    @property
    def may_load_months_at_once(self) -> bool:
        """Whether loads of different months may be under way at once.

        Those of a child, which notes what it has asked for month by month; unless it is a parent
        itself: its own children go on from its newest load, and months do not commit in their
        order.
        """
        return self.parent is not None and not self.is_parent

    @property
    def id_fields(self) -> tuple[str, ...]:
        """Fields of which a record has one at least, and that tell rows apart."""
        if self.bare_list:
            # Events may have no id of their own.
            return tuple(self.bare_list["time_fields"])
        sources = (self.filled_from.get(column, []) for column in self.key)
        return (*self.key, *(field for fields in sources for field in fields))

    @property
    def inherited(self) -> Mapping[str, str]:
        """The columns that hold its parent's fields, and those fields."""
        return self.parent.inherited if self.parent else {}

    @property
    def how_it_is_loaded(self) -> str:
        """What each load asks for, in words that follow `loads`."""
        if self.parent and self.parent.resource.is_listed_in_full:
            return f"one list for each row of the latest {self.parent.resource.name}"
        if self.parent:
            again = self.asked_again
            ended = f", or one that ended within {again['within_minutes']} minutes" if again else ""
            return f"one list for each new or changed row of {self.parent.resource.name}{ended}"
        if not self.cursor:
            return "the full list"
        days = self.cursor.lag / MILLISECONDS_A_DAY
        before = f" than {days:g} days before its newest row" if days else ""
        return f"what is newer{before}"


@dataclass(frozen=True, eq=False)
class Api:
    """An API, as its configuration tells it.

    Attributes:
        name: Its name: the group of its assets and the dataset of their tables.
        resources: Its resources by their names, in the order of the configuration.
        retry_stale: When a stale resource is tried again, as cron (UTC).
        history_start: The first month that can be loaded again, by its first day.
    """

    name: str
    resources: Mapping[str, Resource]
    retry_stale: str
    history_start: str

    @property
    def reload_jobs(self) -> dict[str, list[str]]:
        """The jobs that load a past window again, and their resources; none without a history.

        `reload_history` loads all resources that have one, and one for each of their children loads
        that alone: its months may be loaded at once where the destination takes that, the first
        time, too.
        """
        names = [name for name, resource in self.resources.items() if resource.is_reloadable]
        children = [name for name in names if self.resources[name].parent]
        jobs = {"reload_history": names} if names else {}
        return jobs | {f"reload_{child}": [child] for child in children}


def read_api(config: ApiConfig, name: str = "analytics") -> Api:
    """Reads a configuration.

    Args:
        config: Its words.
        name: The API's name.

    Raises:
        ConfigurationError: If they are wrong; it names every fault.
    """
    validate(config)
    words = {str(resource["name"]): resource for resource in config["resources"]}
    parents = {parent_name(each) for each in words.values()}
    read: dict[str, Resource] = {}

    def resource_of(own: ResourceConfig) -> Resource:
        if own["name"] not in read:
            above = parent_name(own)
            parent = _parent(own, resource_of(words[above])) if above else None
            is_parent = own["name"] in parents
            read[str(own["name"])] = _resource(config, name, own, parent, is_parent)
        return read[str(own["name"])]

    return Api(
        name,
        MappingProxyType({each: resource_of(own) for each, own in words.items()}),
        config["retry_stale"],
        config["history_start"],
    )


def _resource(
    config: ApiConfig, api: str, own: ResourceConfig, parent: Parent | None, is_parent: bool
) -> Resource:
    beginning = datetime.fromisoformat(config["history_start"]).replace(tzinfo=timezone.utc)
    return Resource(
        api=api,
        name=str(own["name"]),
        key=tuple(key_columns(config, own)),
        endpoint=complete_endpoint(config, own),
        parent=parent,
        is_parent=is_parent,
        cursor=_cursor(own),
        beginning=int(beginning.timestamp() * 1000),
        owners=tuple(config.get("owners", [])),
        column_descriptions={
            **config.get("column_descriptions", {}),
            **own.get("column_descriptions", {}),
        },
        description=own["description"],
        documentation=own.get("documentation", ""),
        fields=own["fields"],
        cadence=own["cadence"],
        filled_from=own.get("filled_from", {}),
        ids_may_repeat=own.get("ids_may_repeat", False),
        withheld=tuple(own.get("withheld", [])),
        store_withheld=own.get("store_withheld", False),
        store=tuple(own.get("store", [])),
        known_columns=tuple(own.get("known_columns", [])),
        times=tuple(own.get("times", [])),
        newest_params=own.get("newest_params", {}),
        since_param=own.get("since_param", ""),
        bare_list=own.get("bare_list"),
        asked_again=own.get("asked_again"),
        pictures=own.get("pictures", {}),
        processing_steps=tuple(map(dict, own.get("processing_steps") or [])),
    )


def _parent(own: ResourceConfig, parent: Resource) -> Parent:
    asked_with = dict.fromkeys(each.field for each in parent_fields(own))
    inherited = {column: each.field for column, each in inherited_fields(own).items()}
    return Parent(parent, tuple(asked_with), inherited)


def _cursor(own: ResourceConfig) -> Cursor | None:
    field = cursor_field(own)
    if not field:
        return None
    incremental: Any = own["endpoint"]["incremental"]  # type: ignore[index]  # `validate` saw to it
    return Cursor(
        field,
        incremental.get("start_param") or "",
        incremental.get("end_param") or "",
        int(incremental.get("lag") or 0),
        incremental.get("initial_value"),
        incremental.get("convert"),
        incremental.get("on_cursor_value_missing", "raise"),
    )
