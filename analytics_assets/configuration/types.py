"""The words the configuration is written in.

A resource is a dlt `EndpointResource` (dlt, "REST API source": endpoint, primary key, write
disposition, parent fields) with what dlt has no word for beside it.
"""

from typing import Any, Literal

from dlt.sources.rest_api.typing import ClientConfig, EndpointResource, EndpointResourceBase
from typing_extensions import NotRequired, Required, TypedDict

FieldType = Literal["string", "number", "boolean", "array", "object", "float"]
"""JSON types of fields. `number` is a whole number (an epoch in milliseconds, a count), which
stays an integer in the warehouse; `float` is any other number."""


class Cadence(TypedDict):
    """How often a resource is loaded, and how old what is loaded may get.

    Attributes:
        name: Names the schedule; the resources of one cadence are loaded in one run.
        cron: When they are loaded.
        timezone: The time zone of `cron`, by its IANA name.
        warn_after: Minutes since its last load after which a resource is shown as a warning.
        fail_after: Minutes since its last load after which it is stale, and loaded by itself.
    """

    name: str
    cron: str
    timezone: str
    warn_after: int
    fail_after: int


class BareList(TypedDict):
    """How the rest of a list is asked for when the endpoint has no pagination object.

    Attributes:
        limit_param: Query parameter that bounds the number of rows.
        everything: Value of `limit_param` that asks for all rows at once.
        since_param: Query parameter for the oldest row wanted, in the unit of `time_fields`.
        time_fields: Fields of a row that may hold its time; the first one present counts.
    """

    limit_param: str
    everything: int
    since_param: str
    time_fields: list[str]


class AskedAgain(TypedDict):
    """For which parents a child is asked for again though nothing of them has changed.

    Attributes:
        within_minutes: How long after its end a parent may still get children.
        after: Fields of the parent with moments of its course, epochs in milliseconds: it has
            ended at the latest of them. Where one must stand for several, the first filled one.
    """

    within_minutes: int
    after: list[str]


class DailyCounts(TypedDict):
    """A picture: how many records were created each day, by the value of a field.

    Attributes:
        count_by: The field whose values the records of a day are told apart by.
        colors: The colors of values, as `#rrggbb`; others get one of a palette.
    """

    count_by: str
    colors: NotRequired[dict[str, str]]


class Durations(TypedDict):
    """A picture: how long something took, by the value of a field.

    Attributes:
        begin: The field with the first moment, an epoch in milliseconds.
        end: The field with the last one.
        group_by: The field whose values the records are told apart by.
    """

    begin: str
    end: str
    group_by: str


class ResourceConfig(EndpointResource, total=False):
    """One resource of the API, which becomes one asset and one table.

    Attributes:
        description: What the records are, in one sentence that a newcomer understands.
        documentation: Address of the endpoint's documentation.
        fields: The declared fields and their JSON types, in the order of the columns.
        filled_from: For a field that a record lacks, the fields to take it from, in order.
        ids_may_repeat: Whether different rows of one list may bear one `id`: the first keeps it,
            the others get `#2`, `#3` and so on appended. Of any other resource they are versions
            of one row, of which the newest is kept.
        withheld: Dotted paths of fields whose value is a secret: it is neither stored nor shown in
            Dagster. A declared one keeps its column, empty. `*` stands for any key of a map.
        store_withheld: Stores them all the same, and still shows none.
        store: Dotted paths of fields that look like secrets and are to be stored, with what is
            below them. Of all others that nobody declared the value is withheld, and a check warns.
        known_columns: Columns beyond `fields` that are no news: further fields of the API, and
            variants for values of another type, `<column>__v_<type>`. Any other is a warning.
        times: Fields that hold an epoch in milliseconds in every record, once they are filled.
        cadence: How often the resource is loaded, and how old it may get.
        newest_params: Query parameters that make the endpoint answer its newest record alone. With
            them a sensor, `new_<name>`, asks once a minute whether there is a new one.
        since_param: Query parameter for the oldest row wanted, of a list that is given by time and
            has a cursor in epoch milliseconds: a long one is then read in several stretches of time
            at once.
        bare_list: For a list without pagination object, how it is completed.
        asked_again: Of a child whose parent is asked for by time: the parents that it is asked for
            again for some time after their end, since the API goes on adding to them.
        column_descriptions: What a column holds, where its name does not say it.
        pictures: Pictures of the table's last 30 days that a load draws, by their names.
    """

    description: Required[str]
    documentation: str
    fields: Required[dict[str, FieldType]]
    filled_from: dict[str, list[str]]
    ids_may_repeat: bool
    withheld: list[str]
    store_withheld: bool
    store: list[str]
    known_columns: list[str]
    times: list[str]
    cadence: Required[Cadence]
    newest_params: dict[str, Any]
    since_param: str
    bare_list: BareList
    asked_again: AskedAgain
    column_descriptions: dict[str, str]
    pictures: dict[str, DailyCounts | Durations]


class ApiConfig(TypedDict):
    """A dlt `RESTAPIConfig` whose resources are `ResourceConfig`s.

    Attributes:
        retry_stale: When a resource that is stale, because its loads fail, is tried again, as cron
            (UTC).
        history_start: The first month that can be loaded again, by its first day.
        owners: Whom to ask about the assets: addresses of mail, or teams like `team:data`.
        column_descriptions: What columns hold that several resources have.
    """

    client: NotRequired[ClientConfig]
    retry_stale: str
    history_start: str
    owners: NotRequired[list[str]]
    column_descriptions: NotRequired[dict[str, str]]
    resource_defaults: NotRequired[EndpointResourceBase]
    resources: list[ResourceConfig]
