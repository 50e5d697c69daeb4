"""Another REST API is loaded by another configuration, and by nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dagster import ScheduleDefinition
from dlt.sources.rest_api.typing import Endpoint, EndpointResource, IncrementalConfig

from analytics_assets.configuration import ConfigurationError, read_api
from analytics_assets.configuration.endpoint_validation import (
    READ_ONE_WAY,
    UNREAD_ENDPOINT_WORDS,
    UNREAD_WORDS,
)
from analytics_assets.configuration.validation import FIXED_WORDS
from analytics_assets.definitions import build_definitions
from analytics_assets.resources import AnalyticsApi
from analytics_assets.source.newest import ask_for_newest
from analytics_assets.source.rate_limit import RateLimit
from analytics_assets.source.telling import silent
from analytics_assets.source.traffic import Traffic
from harness.bookshop import BOOKSHOP, BOOKSHOP_API, TOKEN, Bookshop, Row, open_bookshop
from harness.commands import run_cli
from harness.demo_api import DemoApi, Key
from harness.processes import REPOSITORY
from harness.project import Project, assert_equal, sentence
from harness.stores import DuckDbFile

MODULE = "harness.bookshop_definitions"
HERE = ("--working-directory", str(REPOSITORY))
CHECKS = {
    "authors": {"key_is_unique", "columns_are_declared", "rows_did_not_fall"},
    "books": {"parents_exist", "times_are_plausible", "key_is_unique", "columns_are_declared"},
    "orders": {"times_are_plausible", "key_is_unique", "columns_are_declared"},
    "reviews": {"times_are_plausible", "key_is_unique", "columns_are_declared"},
}


@pytest.fixture
def shop() -> Iterator[Bookshop]:
    with open_bookshop() as shop:
        yield shop


@pytest.fixture
def shop_project(tmp_path: Path, shop: Bookshop) -> Project:
    return Project(tmp_path, shop.url, BOOKSHOP_API, access_token=TOKEN)


def assert_the_shop_is_loaded(file: Path, shop: Bookshop) -> None:
    """Holds the four tables against the shop, key by key."""

    def stored(table: str, *key: str) -> dict[Key, Row]:
        rows = DuckDbFile(file).query(f"select * from analytics.{table}")  # noqa: S608
        by_key = {tuple(str(row[column]) for column in key): row for row in rows}
        assert len(by_key) == len(rows)
        return by_key

    books: dict[Key, Row] = {
        (str(author), isbn): book
        for author in shop.books
        for isbn, book in shop.books[author].items()
    }
    assert_equal(stored("authors", "id"), {(str(n),): row for n, row in shop.authors.items()})
    assert_equal(stored("books", "_authors_id", "isbn"), books)
    assert_equal(stored("orders", "order_no"), {(n,): row for n, row in shop.orders.items()})
    assert_equal(stored("reviews", "id"), {(str(row["id"]),): row for row in shop.reviews})


@pytest.mark.long(reason="thousands of rows")
def test_another_api_loads_with_changes_to_the_configuration_only(
    tmp_path: Path, shop: Bookshop
) -> None:
    def materialize() -> None:
        shop.asked.clear()
        settings = DemoApi(shop.url, TOKEN)
        run = run_cli("asset", "materialize", *HERE, "-m", MODULE, "--select", "*", api=settings)
        assert run.returncode == 0, run.stderr
        assert_the_shop_is_loaded(tmp_path / "warehouse.duckdb", shop)

    materialize()
    assert {path: shop.asked[path] for path in ("/api/authors", "/api/orders", "/api/reviews")} == {
        # Its beginning is looked at once more.
        "/api/authors": 4,
        "/api/orders": 3,
        "/api/reviews": 3,
    }
    shop.add_order()
    shop.pay("B-0003")
    shop.add_book(6)
    shop.add_review()
    materialize()
    assert (shop.asked["/api/orders"], shop.asked["/api/reviews"]) == (1, 1), "only what is new"


@pytest.mark.long(reason="several loads each")
def test_its_checks_pass_and_find_their_tables(shop_project: Project) -> None:
    shop_project.load_all()
    for name, expected in CHECKS.items():
        found = shop_project.check(name)
        assert expected <= found.keys()
        assert all(check.passed for check in found.values()), found


@pytest.mark.long(reason="several loads each")
def test_a_past_month_of_it_loads_again(shop: Bookshop, shop_project: Project) -> None:
    shop_project.load_all()
    shop.orders["B-0000"]["total"] = 1.0
    shop_project.load_all("orders")
    assert shop_project.query("select min(total) as least from analytics.orders") == [
        {"least": 10.5 - 1.0}
    ]
    window = {"config": {"start": "2026-01-01", "end": "2026-02-01"}}
    shop_project.load_all("orders", run_config={"ops": {"orders": window}})
    assert shop_project.query("select min(total) as least from analytics.orders") == [
        {"least": 1.0}
    ]


def test_its_schedules_follow_from_its_cadences() -> None:
    repository = build_definitions(BOOKSHOP).get_repository_def()
    schedules: list[ScheduleDefinition] = list(repository.schedule_defs)
    assert {s.name: (s.cron_schedule, s.execution_timezone) for s in schedules} == {
        "nightly": ("15 2 * * *", "Europe/London"),
        "ten_minutely": ("*/10 * * * *", "Europe/London"),
    }
    assert repository.has_sensor_def("new_orders")


def test_its_newest_order_is_asked_for_alone(shop: Bookshop) -> None:
    newest = shop.add_order()
    api = AnalyticsApi(base_url=shop.url, access_token=TOKEN)
    rate_limit = RateLimit(silent, math.inf)
    found = ask_for_newest(
        BOOKSHOP_API.resources["orders"],
        api.client(api.retry_policy(), Traffic(silent), rate_limit),
    )
    assert found is not None
    assert (found.key, found.moment) == (newest, shop.orders[newest]["updated_ms"])
    assert shop.asked == {"/api/orders": 1}


def authors(config: Any) -> Any:
    return config["resources"][0]


def paginator(config: Any) -> Any:
    return authors(config)["endpoint"]["paginator"]


def orders(config: Any) -> Any:
    return config["resources"][2]


def put(path: str, value: Any, config: Any) -> None:
    """Sets a word of the resource `orders`, named by its path."""
    *above, word = path.split(".")
    words = orders(config)
    for each in above:
        words = words[each]
    words[word] = value


REFUSED: list[tuple[Callable[[Any], object], str]] = [
    (lambda c: c.update(resorces=[]), "`resorces` is none of client, retry_stale, history_start"),
    (lambda c: c.pop("retry_stale"), "`retry_stale` is to be a cron schedule"),
    (lambda c: c.update(history_start="2026-13-01"), "`history_start` is to be the first day"),
    (lambda c: c["client"].update(auth={"type": "api_key"}), "`client.auth` is to be"),
    (lambda c: c["client"].update(headers={"Accept": "text/csv"}), "`client.headers` is not read"),
    (
        lambda c: c["resource_defaults"].update(write_disposition="replace"),
        "`resource_defaults`: `write_disposition` is to be left out",
    ),
    (
        lambda c: c["resource_defaults"].update(include_from_parent=["id"]),
        "`resource_defaults`: `include_from_parent` is to stand in each resource",
    ),
    (lambda c: orders(c)["cadence"].update(cron="often"), "resource `orders`: `cadence.cron`"),
    (
        lambda c: orders(c)["cadence"].update(timezone="London"),
        "resource `orders`: `cadence.timezone` is to be an IANA name",
    ),
    (lambda c: orders(c).pop("name"), "resource `without a name`: `name` is to be a letter"),
    (lambda c: orders(c).update(withheld=["order_no"]), "resource `orders`: `withheld` names"),
    (
        lambda c: orders(c)["endpoint"]["incremental"].update(cursor_path="placed"),
        "resource `orders`: `endpoint.incremental.cursor_path` is not one of its `fields` of the",
    ),
    (
        lambda c: orders(c)["endpoint"]["params"].update(since="{incremental.start_value}"),
        "resource `orders`: `endpoint.params.since` has a placeholder of the cursor",
    ),
    (
        lambda c: orders(c)["endpoint"]["params"].update(a={"type": "resolve"}),
        "resource `orders`: `endpoint.params.a` is resolved: use a placeholder",
    ),
    (
        lambda c: authors(c)["endpoint"].update(path="/api/{shop}/authors", params={"shop": "a"}),
        "resource `authors`: `endpoint.path` has the placeholder {shop}: only a field of a parent",
    ),
    (
        lambda c: orders(c)["endpoint"].update(json={"since": "{incremental.start_value}"}),
        "resource `orders`: `endpoint.json` has the placeholder {incremental.start_value}",
    ),
    (
        lambda c: c["resource_defaults"].update(endpoint={"params": {"q": "{id}"}}),
        "`resource_defaults`: `endpoint` has a placeholder, which is to stand in each resource",
    ),
    (
        lambda c: orders(c)["endpoint"]["incremental"].update(initial_value="2026-01-01"),
        "resource `orders`: `endpoint.incremental.initial_value` is to be a whole number",
    ),
    *(
        (
            partial(put, word, value),
            f"resource `orders`: `{word}` is to be left out: ",
        )
        for word, value in {
            "columns": {"total": {"data_type": "text"}},
            "file_format": "csv",
            "max_table_nesting": 2,
            "merge_key": "placed",
            "nested_hints": {"lines": {"primary_key": "isbn"}},
            "parallelized": True,
            "parent_table_name": "books",
            "references": [],
            "schema_contract": "freeze",
            "table_format": "delta",
            "endpoint.auth": {"type": "bearer", "token": "another"},
            "endpoint.response_actions": [{"status_code": 404, "action": "ignore"}],
            "endpoint.incremental.allow_external_schedulers": True,
            "endpoint.incremental.end_value": 1,
            "endpoint.incremental.last_value_func": "min",
            "endpoint.incremental.primary_key": "placed",
            "endpoint.incremental.range_end": "closed",
            "endpoint.incremental.range_start": "open",
            "endpoint.incremental.row_order": "desc",
        }.items()
    ),
    (
        lambda c: authors(c)["endpoint"].pop("paginator"),
        "resource `authors`: `endpoint.paginator` is missing",
    ),
    (
        lambda c: authors(c)["endpoint"].update(paginator="auto"),
        "resource `authors`: `endpoint.paginator` is `auto`",
    ),
    (
        lambda c: paginator(c).update(type="pages"),
        "resource `authors`: `endpoint.paginator` is `pages`",
    ),
    (
        lambda c: paginator(c).update(total="total_pages"),
        "resource `authors`: `endpoint.paginator` is not complete or has a key too many",
    ),
]


@pytest.mark.parametrize(("spoil", "complaint"), REFUSED, ids=[text for _, text in REFUSED])
def test_what_would_lose_rows_or_is_not_read_is_refused(
    spoil: Callable[[Any], object], complaint: str
) -> None:
    config = deepcopy(BOOKSHOP)
    spoil(config)
    with pytest.raises(ConfigurationError) as error:
        build_definitions(config)
    assert complaint in str(error.value)


def test_words_that_say_what_the_project_does_are_taken() -> None:
    config: Any = deepcopy(BOOKSHOP)
    orders(config)["endpoint"]["incremental"].update(
        last_value_func=max, range_start="closed", range_end="open", initial_value=None
    )
    orders(config).update(columns=None)
    assert read_api(config).resources["orders"].cursor


def test_every_word_of_dlt_is_read_or_refused() -> None:
    """A word that a newer dlt brings is to be decided on."""
    read = {
        EndpointResource: {"name", "endpoint", "primary_key", "include_from_parent"}
        | {"processing_steps", *FIXED_WORDS, *UNREAD_WORDS},
        Endpoint: {"path", "method", "params", "json", "data", "headers", "paginator"}
        | {"data_selector", "incremental", *UNREAD_ENDPOINT_WORDS},
        IncrementalConfig: {"cursor_path", "start_param", "end_param", "initial_value", "lag"}
        | {"convert", "on_cursor_value_missing", *READ_ONE_WAY},
    }
    for shape, words in read.items():
        assert words == set(shape.__annotations__), shape


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ([{"map": lambda row: row["nope"]}], "failed on a row (KeyError)"),
        ([{"map": lambda row: row["id"]}], "made something of a row that is no row"),
    ],
)
def test_a_step_that_fails_names_no_value_of_the_row(
    tmp_path: Path, shop: Bookshop, steps: Any, complaint: str
) -> None:
    config: Any = deepcopy(BOOKSHOP)
    authors(config)["processing_steps"] = steps
    project = Project(tmp_path, shop.url, read_api(config), access_token=TOKEN)
    said = sentence(project, "authors")
    assert f"A step of `processing_steps` of authors {complaint}" in said


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"page_param": "p"}, "answered the same 4 rows again: the API does not heed the"),
        ({"total_path": "pages"}, "answered 200 without `pages`, by which its list is to end."),
    ],
)
def test_a_paginator_that_the_api_does_not_heed_fails_the_asset_in_one_sentence(
    tmp_path: Path, shop: Bookshop, wrong: dict[str, str], complaint: str
) -> None:
    config = deepcopy(BOOKSHOP)
    paginator(config).update(wrong)
    project = Project(tmp_path, shop.url, read_api(config), access_token=TOKEN)
    assert f"GET /api/authors {complaint}" in sentence(project, "authors")


def test_rows_are_merged_without_a_word_on_it(tmp_path: Path, shop: Bookshop) -> None:
    config = deepcopy(BOOKSHOP)
    config["resource_defaults"].pop("write_disposition")
    project = Project(tmp_path, shop.url, read_api(config), access_token=TOKEN)
    for _ in range(2):
        project.load_all("authors")
    assert project.query("select count(*) as rows from analytics.authors") == [{"rows": 9}]
