"""The warehouse as a Dagster resource: a dlt destination, and DuckDB's one-writer rule."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from logging import Logger
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import dlt
from dagster import ConfigurableResource
from dlt.common.configuration.exceptions import ConfigFieldMissingException
from dlt.common.configuration.specs.base_configuration import is_hint_not_resolvable
from dlt.common.destination import Destination
from dlt.common.destination.client import JobClientBase
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import MissingDependencyException
from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import SqlClientBase
from pydantic import Field, PrivateAttr
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from analytics_assets.resources import postgres_lock
from analytics_assets.resources.dlt_jobs import await_jobs
from analytics_assets.resources.dlt_settings import set_dlt_defaults
from analytics_assets.resources.duckdb_damage import refuse_strange_files, telling_damage
from analytics_assets.resources.duckdb_file import delete_if_half_made, holder, is_held_elsewhere
from analytics_assets.resources.one_load import Queue, Turn
from analytics_assets.source.clock import await_the_newest_load
from analytics_assets.source.errors import SettingError, WarehouseError, first_line
from analytics_assets.source.load import empty_schema

DATASET = "analytics"
DESTINATION = "ANALYTICS_DESTINATION"
POSTGRES = "dlt.destinations.postgres"
"""dlt's name of what destinations of that kind are, whatever they are called."""
MERGE = "delete-insert"
"""The strategy that loads go by (dlt, "Merge loading")."""
DEFAULT_DUCKDB_FILE = Path("data/warehouse.duckdb")


class Warehouse(ConfigurableResource):  # type: ignore[type-arg]  # it provides itself
    """Where rows are loaded to. A field left out is read from its setting when a load starts."""

    destination: str | None = Field(
        default=None,
        description=f"Name of a dlt destination. Setting: {DESTINATION}; default duckdb.",
    )
    patience: float = Field(
        default=1800.0,
        ge=0,
        description="Seconds to wait for another process: for the DuckDB file that it holds open, "
        "or for its load of the same asset into PostgreSQL or files.",
    )
    _opened: Destination[Any, Any] | None = PrivateAttr(default=None)

    @contextmanager
    def pipeline(self, name: str) -> Iterator[dlt.Pipeline]:
        """The dlt pipeline of one load of a resource, in a working directory of its own.

        dlt deletes what another load left in a directory they share; state and schema come back
        from the destination.
        """
        with TemporaryDirectory(prefix=f"{name}_") as directory:
            try:
                yield dlt.pipeline(
                    pipeline_name=name,
                    pipelines_dir=directory,
                    destination=self._destination(),
                    dataset_name=DATASET,
                )
            finally:
                # Its jobs need the directory, and the turn of the load is not over before they are.
                await_jobs()

    def open_dataset(self, name: str) -> dlt.Dataset:
        """The dataset with the schema of the resource named, for reading."""
        return dlt.dataset(self._destination(), DATASET, schema=name)

    @contextmanager
    def opened(self, log: Logger, staging_layout: str = "") -> Iterator[SqlClientBase[Any]]:
        """Holds the warehouse open for one load, or for its checks.

        One process at a time may have a DuckDB file open for writing. The connection held here
        keeps other processes out until the load is done, and the kernel lets go of it if this
        process dies; a load that comes second waits for it here, as it waits for a reader.

        Args:
            log: Is told of a wait.
            staging_layout: How dlt is to name the staging dataset of the load, unless as usual.

        Yields:
            The connection.

        Raises:
            WarehouseError: If the destination cannot be opened, or not within `patience` seconds,
                or if it holds a load from the future.
        """
        set_dlt_defaults()
        waiting = Retrying(
            retry=retry_if_exception(is_held_elsewhere),
            wait=wait_fixed(0.5),
            stop=stop_after_delay(self.patience),
            before_sleep=_log_first_wait(log, self.patience),
            reraise=True,
        )
        try:
            destination = self._destination(staging_layout)
            dataset = dlt.dataset(destination, DATASET, empty_schema(DATASET))
            client = dataset.sql_client
            with telling_damage(client):
                waiting(_open, client)
            _keep_settings(destination, dataset.destination_client)
        except (SettingError, WarehouseError):
            raise
        except Exception as error:
            # Not every destination wraps its driver's errors in dlt's own.
            if is_held_elsewhere(error):
                raise WarehouseError(
                    f"{holder(error)}, and still had it after {self.patience:.0f} s: end that "
                    "process, or wait for its end, and materialize again."
                ) from error
            raise WarehouseError(
                f"The warehouse cannot be opened: {_reason(error)} Check {DESTINATION} and "
                f"{self._place_setting()}."
            ) from error
        try:
            self._opened = destination
            with telling_damage(client):
                await_the_newest_load(client, log.info)
                yield client
        finally:
            self._opened = None
            client.close_connection()

    @contextmanager
    def opened_to_load(self, name: str, log: Logger, months: Sequence[str] = ()) -> Iterator[Turn]:
        """Holds the warehouse open for a load of one resource, of which there is one at a time.

        DuckDB's one-writer rule sees to that; on PostgreSQL locks do, for as long as the
        connection lasts, and in a folder a lock file. On other destinations it is for Dagster's
        limits to see to.

        Args:
            name: The resource.
            log: Is told of a wait.
            months: Those of a load that writes no row beyond them: on PostgreSQL loads of others
                may go on beside it. None of any other load.

        Yields:
            The turn of the load, with the connection.

        Raises:
            WarehouseError: As `opened`, and if another load is not over within `patience` seconds.
        """
        # Loads of other months are not to empty it.
        layout = postgres_lock.staging_layout(name, months[0]) if months else ""
        with (
            self.opened(log, layout) as client,
            self._turn(client, name, log, months) as turn,
        ):
            yield turn

    def _turn(
        self, client: SqlClientBase[Any], name: str, log: Logger, months: Sequence[str]
    ) -> AbstractContextManager[Turn]:
        queue = Queue(self.patience, log.info)
        if self.destination_name == "filesystem":
            # An extra, and an import that takes its time.
            from analytics_assets.resources import files_lock

            return files_lock.its_turn(client, name, queue)
        if self.is_postgres():
            return postgres_lock.its_turn(client, name, queue, months)
        return nullcontext(Turn(client))

    @property
    def destination_name(self) -> str:
        """The name of the dlt destination."""
        name = self.destination or os.environ.get(DESTINATION) or "duckdb"
        return name.removeprefix("dlt.destinations.")

    def is_postgres(self) -> bool:
        """Whether the destination is PostgreSQL, whatever it is called."""
        # The other two are made by being asked for.
        if self.destination_name in ("duckdb", "filesystem"):
            return False
        return bool(self._destination().destination_type == POSTGRES)

    def _place_setting(self) -> str:
        name = self.destination_name
        setting = "BUCKET_URL" if name == "filesystem" else "CREDENTIALS"
        return f"DESTINATION__{name.upper()}__{setting}"

    def _destination(self, staging_layout: str = "") -> Destination[Any, Any]:
        """The destination; while the warehouse is open one for all, which share its connection.

        Args:
            staging_layout: As `opened` has it.
        """
        if self._opened:
            return self._opened
        name = self.destination_name
        if name == "duckdb":
            return self._duckdb()
        if name == "filesystem":
            return self._files()
        try:
            factory = cast("Destination[Any, Any]", Destination.from_reference(name))
        except UnknownDestinationModule as error:
            raise SettingError(
                f"{DESTINATION} names no dlt destination: {name!r}. See docs/destinations.md."
            ) from error
        if factory.destination_type == POSTGRES:
            return self._postgres(factory.destination_name, staging_layout)
        if MERGE not in (factory.capabilities().supported_merge_strategies or ()):
            raise SettingError(
                f"{DESTINATION} names {name}, which cannot replace rows that have changed: choose "
                "a database (docs/destinations.md)."
            )
        return factory

    def _postgres(self, name: str, staging_layout: str) -> Destination[Any, Any]:
        # Its driver is an extra.
        from analytics_assets.resources.postgres_tables import PostgresTables

        options: dict[str, Any] = {}
        if staging_layout:
            options["staging_dataset_name_layout"] = staging_layout
        return PostgresTables(destination_name=name, **options)

    def _files(self) -> Destination[Any, Any]:
        try:
            # An extra, and an import that takes its time.
            from analytics_assets.resources.delta_files import DeltaFiles
        except ImportError as error:
            raise SettingError(
                f"{DESTINATION} names filesystem, for which {error.name} is missing: install this "
                "package with its extra `filesystem`."
            ) from error
        return DeltaFiles(
            destination_name="filesystem",
            preferred_table_format="delta",
            # Of tables whose names hold a slash, which those of resources do not.
            warn_unsafe_layout_separators=False,
        )

    def _duckdb(self) -> Destination[Any, Any]:
        credentials: Any = dlt.secrets.get("destination.duckdb.credentials")
        if credentials is None:
            credentials = dlt.secrets.get("destination.duckdb.credentials.database")
        if credentials is None:
            DEFAULT_DUCKDB_FILE.parent.mkdir(exist_ok=True)
            credentials = str(DEFAULT_DUCKDB_FILE)
        elif Path(str(credentials)).name.partition(".")[0].lower() == DATASET:
            raise SettingError(
                f"{self._place_setting()} names a file called like the dataset, "
                f"{DATASET!r}, so that DuckDB cannot tell catalog from schema: name it otherwise."
            )
        # Parquet files load faster and in less memory than INSERT statements, dlt's default here.
        return dlt.destinations.duckdb(credentials, preferred_loader_file_format="parquet")


def _keep_settings(destination: Destination[Any, Any], client: JobClientBase) -> None:
    """Hands a destination the settings a client found: dlt looks them up for each one anew."""
    found = client.config
    kept = {
        name: value
        for name, hint in found.get_resolvable_fields().items()
        # A destination shows what it was handed, but for credentials: options may hold a secret.
        if not is_hint_not_resolvable(hint) and not isinstance(value := getattr(found, name), dict)
    }
    if client.capabilities.supported_staging_file_formats:
        # It gets one from dlt for each load, which none here would switch off.
        kept.pop("staging_config", None)
    destination.config_params |= kept


def _open(client: SqlClientBase[Any]) -> None:
    if isinstance(client, DuckDbSqlClient):
        file = Path(client.credentials.database)
        delete_if_half_made(file)
        refuse_strange_files(file)
    client.open_connection()


def _log_first_wait(log: Logger, patience: float) -> Callable[[RetryCallState], None]:
    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number == 1 and error:
            log.info(f"{holder(error)}: waiting for its end, up to {patience:.0f} s.")

    return note


def _reason(error: BaseException) -> str:
    """What the driver itself says, or that it is missing, or what it is not told."""
    if isinstance(error, ConfigFieldMissingException):
        return "Its place is missing, or lacks the user, the password, the host or the name."
    if isinstance(error, MissingDependencyException):
        return f"its driver is not installed (`pip install '{error.dependencies[0]}'`)."
    return first_line(error.inner_exc if isinstance(error, DestinationConnectionError) else error)
