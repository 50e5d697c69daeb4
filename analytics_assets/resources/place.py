"""Where the rows of a warehouse are, in words for people: no user, no password, no option."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.destinations.sql_client import SqlClientBase

MOTHERDUCK = "md:"
"""What the name of a database that is no file begins with (DuckDB, "MotherDuck")."""


def place_of(client: SqlClientBase[Any]) -> str:
    """The file, the folder, or the host and the database that a connection leads to.

    Args:
        client: A connection to the warehouse.
    """
    files = getattr(client, "remote_client", None)
    if files is not None:
        return address_without_secrets(str(files.config.bucket_url))
    if isinstance(client, DuckDbSqlClient):
        database = str(client.credentials.database)
        is_file = not database.startswith(MOTHERDUCK)
        return str(Path(database).resolve()) if is_file else database.partition("?")[0]
    return address_without_secrets(str(client.credentials))


def address_without_secrets(address: str) -> str:
    """An address without the parts that may hold a secret: user, password, query and fragment."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
