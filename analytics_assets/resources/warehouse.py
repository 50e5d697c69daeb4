"""The warehouse as a Dagster resource: a dlt destination, and DuckDB's one-writer rule."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import dlt
from dagster import ConfigurableResource, DagsterLogManager
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import MissingDependencyException
from dlt.destinations.exceptions import DestinationConnectionError
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import SqlClientBase
from pydantic import Field
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_fixed

from analytics_assets.resources.dlt_settings import set_dlt_defaults
from analytics_assets.resources.duckdb_file import (
    delete_if_half_made,
    holder,
    is_held_elsewhere,
)
from analytics_assets.source.clock import await_the_newest_load
from analytics_assets.source.errors import SettingError, WarehouseError, first_line

DATASET = "analytics"
DESTINATION = "ANALYTICS_DESTINATION"
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
        description="Seconds to wait for a DuckDB file that another process holds open.",
    )

    def pipeline(self, name: str, directory: str) -> dlt.Pipeline:
        """The dlt pipeline of one resource.

        Args:
            name: The resource.
            directory: Working directory of this load alone. dlt deletes what another load left in
                a directory they share; state and schema come back from the destination.
        """
        return dlt.pipeline(
            pipeline_name=name,
            pipelines_dir=directory,
            destination=self._destination(),
            dataset_name=DATASET,
        )

    def open_dataset(self, name: str) -> dlt.Dataset:
        """The dataset with the schema of the resource named, for reading."""
        return dlt.dataset(self._destination(), DATASET, schema=name)

    def row_count(self, name: str) -> int:
        """The rows stored of a resource."""
        counts = self.open_dataset(name).row_counts(table_names=[name]).fetchall()
        return int(counts[0][1])

    @contextmanager
    def opened(self, log: DagsterLogManager) -> Iterator[SqlClientBase[Any]]:
        """Holds the warehouse open for one load, or for its checks.

        One process at a time may have a DuckDB file open for writing. The connection held here
        keeps other processes out until the load is done, and the kernel lets go of it if this
        process dies; a load that comes second waits for it here, as it waits for a reader.

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
            client = dlt.dataset(self._destination(), DATASET, dlt.Schema(DATASET)).sql_client
            waiting(_open, client)
        except SettingError:
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
                f"{self._credentials_setting()}."
            ) from error
        try:
            await_the_newest_load(client, log.info)
            yield client
        finally:
            client.close_connection()

    def _destination_name(self) -> str:
        return self.destination or os.environ.get(DESTINATION) or "duckdb"

    def _credentials_setting(self) -> str:
        return f"DESTINATION__{self._destination_name().upper()}__CREDENTIALS"

    def _destination(self) -> Destination[Any, Any]:
        name = self._destination_name()
        if name == "duckdb":
            return self._duckdb()
        try:
            factory = Destination.from_reference(name)
        except UnknownDestinationModule as error:
            raise SettingError(f"{DESTINATION} names no dlt destination: {name!r}.") from error
        return cast("Destination[Any, Any]", factory)

    def _duckdb(self) -> Destination[Any, Any]:
        credentials: Any = dlt.secrets.get("destination.duckdb.credentials")
        if credentials is None:
            credentials = dlt.secrets.get("destination.duckdb.credentials.database")
        if credentials is None:
            DEFAULT_DUCKDB_FILE.parent.mkdir(exist_ok=True)
            credentials = str(DEFAULT_DUCKDB_FILE)
        elif Path(str(credentials)).name.partition(".")[0].lower() == DATASET:
            raise SettingError(
                f"{self._credentials_setting()} names a file called like the dataset, "
                f"{DATASET!r}, so that DuckDB cannot tell catalog from schema: name it otherwise."
            )
        # Parquet files load faster and in less memory than INSERT statements, dlt's default here.
        return dlt.destinations.duckdb(credentials, preferred_loader_file_format="parquet")


def _open(client: SqlClientBase[Any]) -> None:
    if isinstance(client, DuckDbSqlClient):
        delete_if_half_made(Path(client.credentials.database))
    client.open_connection()


def _log_first_wait(log: DagsterLogManager, patience: float) -> Callable[[RetryCallState], None]:
    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.attempt_number == 1 and error:
            log.info(f"{holder(error)}: waiting for its end, up to {patience:.0f} s.")

    return note


def _reason(error: BaseException) -> str:
    """What the driver itself says, or that it is missing."""
    if isinstance(error, MissingDependencyException):
        return f"its driver is not installed (`pip install '{error.dependencies[0]}'`)."
    return first_line(error.inner_exc if isinstance(error, DestinationConnectionError) else error)
