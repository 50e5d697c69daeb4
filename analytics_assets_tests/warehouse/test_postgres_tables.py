"""The index that PostgreSQL finds a row by its key with: there, once, and used by loads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import cast

import dlt
import pytest

from analytics_assets.resources import Warehouse
from analytics_assets.resources.postgres_tables import IndexingClient, PostgresTables
from analytics_assets.resources.warehouse import DATASET
from analytics_assets.source.load import empty_schema
from harness.configurations import ANALYTICS_API
from harness.demo_api import FEW, DemoApi, running_demo_api
from harness.project import Project, assert_everything_equal
from harness.stores import PostgresDatabase

PARENT, CHILD = "deployments", "deployment_events"
TIMES = 50
"""Copies of the rows, without which PostgreSQL would rather read the whole table."""
AT_ONCE = 4


def indexes_of(database: PostgresDatabase) -> list[tuple[str, str]]:
    """Table and columns of each index but those that dlt has on its own `_dlt_id`."""
    found = database.query(
        "SELECT schemaname || '.' || tablename AS name, indexdef FROM pg_indexes "
        "WHERE schemaname ~ '^analytics' AND indexdef !~ '_dlt_id'"
    )
    columns = [row["indexdef"].partition(" USING btree ")[2].replace('"', "") for row in found]
    return sorted(zip((row["name"] for row in found), columns, strict=True))


def expected_index(name: str, *columns: str) -> tuple[str, str]:
    return (f"analytics.{name}", f"({', '.join(columns)})")


OF_CHILD = expected_index(CHILD, "_deployments_id", "id")


@pytest.fixture
def project(tmp_path: Path, demo_api: DemoApi, database: PostgresDatabase) -> Project:
    """The project, pointed at the test's demo API and at a database."""
    return Project(tmp_path, demo_api.url, store=database)


def drop_index(database: PostgresDatabase) -> None:
    """Makes the table what an earlier version made it."""
    database.run(f"DROP INDEX analytics.{CHILD}__deployments_id_id_idx")


def test_each_table_has_an_index_on_its_key_and_staging_tables_none(
    tmp_path: Path, database: PostgresDatabase
) -> None:
    expected = [
        expected_index(name, *resource.key) for name, resource in ANALYTICS_API.resources.items()
    ]
    with running_demo_api(*FEW) as api:
        project = Project(tmp_path, api.url, store=database)
        project.load_all()
        assert indexes_of(database) == sorted(expected)
        api.add_deployments(1)
        project.load_all(PARENT, CHILD)
        assert indexes_of(database) == sorted(expected)


def test_a_load_finds_the_rows_it_replaces_and_those_it_compares_with_by_their_key(
    project: Project, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project.load_all(PARENT, CHILD)
    own_key = """jsonb_build_object('_deployments_id', "_deployments_id" || n, 'id', id || n)"""
    table = f"analytics.{CHILD}"
    copies = f"LATERAL jsonb_populate_record(row, {own_key}) copy"
    numbered = f"{table} row, generate_series(1, {TIMES}) n"
    explain = f"ALTER DATABASE {database.database} SET"
    database.run(
        f"INSERT INTO {table} SELECT copy.* FROM {numbered}, {copies}",  # noqa: S608
        f"ANALYZE {table}",
        f"{explain} session_preload_libraries = 'auto_explain'",
        f"{explain} auto_explain.log_min_duration = 0",
    )
    demo_api.add_deployments(events=4)
    project.load_all(PARENT, CHILD)
    plans = (database.server.folder / "log").read_text().split(" LOG:  duration: ")
    merges = [plan for plan in plans if f"Delete on {CHILD} d" in plan]
    comparisons = [plan for plan in plans if '"_deployments_id" IN (' in plan]
    assert merges
    assert comparisons
    for plan in merges:
        assert f"Seq Scan on {CHILD} d" not in plan
    for plan in comparisons:
        assert f"Seq Scan on {CHILD}" not in plan


def test_a_table_of_an_earlier_version_is_indexed_while_others_read_it(
    project: Project, demo_api: DemoApi, database: PostgresDatabase
) -> None:
    project.load_all(PARENT, CHILD)
    drop_index(database)
    demo_api.add_deployments(events=4)
    project.load_all(PARENT)
    with database.server.connection(database.database) as reader, reader.cursor() as cursor:
        cursor.execute(f"BEGIN; SELECT 1 FROM analytics.{CHILD}")  # noqa: S608
        project.load_all(CHILD)
    assert OF_CHILD in indexes_of(database)
    assert_everything_equal(project, demo_api, PARENT, CHILD)


def test_processes_that_load_at_once_make_one_index(
    project: Project, database: PostgresDatabase
) -> None:
    project.load_all(PARENT, CHILD)
    drop_index(database)
    barrier = Barrier(AT_ONCE)

    def index_it(_: int) -> None:
        with Warehouse().pipeline(CHILD) as pipeline:
            pipeline.sync_destination()
            with pipeline.destination_client() as client:
                barrier.wait()
                client.update_stored_schema()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(index_it, range(AT_ONCE)))
    assert indexes_of(database).count(OF_CHILD) == 1


def test_processes_that_load_first_at_once_make_what_they_share_once(
    database: PostgresDatabase,
) -> None:
    barrier = Barrier(AT_ONCE)

    def make_it(number: int) -> None:
        schema = empty_schema(f"table_{number}")
        schema._bump_version()
        dataset = dlt.dataset(PostgresTables(), DATASET, schema)
        client = cast(IndexingClient, dataset.destination_client)
        with client:
            barrier.wait()
            client.initialize_storage()
            client.update_stored_schema()
            with client.with_staging_dataset():
                client.initialize_storage()
                client.update_stored_schema(only_tables=["_dlt_version"])

    for _ in range(5):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(make_it, range(AT_ONCE)))
        database.run("DROP SCHEMA analytics CASCADE", "DROP SCHEMA analytics_staging CASCADE")
