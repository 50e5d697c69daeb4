"""Rows become Arrow tables without losing a value, whatever its column holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from dlt.common.data_types.typing import TDataType

from analytics_assets.source.batches import BYTES_PER_BATCH, in_batches, to_table
from analytics_assets.source.limits import LIMITS
from analytics_assets.source.records import Page
from analytics_assets.source.telling import silent
from analytics_assets.source.traffic import Traffic

Row = dict[str, Any]

FITTED: list[tuple[dict[str, TDataType], list[Any], Row]] = [
    ({"a": "text"}, ["x", 7, True, 1.5], {"a": ["x", "7", "True", "1.5"]}),
    ({"a": "bigint"}, [1, "2", 3.0], {"a": [1, 2, 3]}),
    (
        {"a": "bigint"},
        [1, "soon", 2.5, True, {"b": 1}],
        {
            "a": [1, None, None, None, None],
            "a__v_text": [None, "soon", None, None, None],
            "a__v_double": [None, None, 2.5, None, None],
            "a__v_bool": [None, None, None, True, None],
            "a__v_json": [None, None, None, None, '{"b":1}'],
        },
    ),
    ({"a": "double"}, [1, 2.5], {"a": [1.0, 2.5]}),
    ({"a": "json"}, [{"b": [1]}, [2], "x"], {"a": ['{"b":[1]}', "[2]", None]}),
    ({}, [None, 3, "x"], {"a": [None, 3, None], "a__v_text": [None, None, "x"]}),
    ({}, [None, None], {}),
]


@pytest.mark.parametrize(("types", "values", "expected"), FITTED)
def test_a_value_stands_in_its_column_or_beside_it(
    types: Mapping[str, TDataType], values: list[Any], expected: Row
) -> None:
    known = dict(types)
    table = to_table([{"a": value} for value in values], known).to_pydict()
    for column, stored in expected.items():
        assert table[column] == stored
    assert all(known[column] for column in table)


def test_a_field_that_only_some_rows_have_is_null_in_the_others() -> None:
    table = to_table([{"a": 1}, {"b": "x"}, {"a": 2, "c": None}], {})
    assert table.to_pydict() == {"a": [1, None, 2], "b": [None, "x", None]}


@pytest.mark.parametrize(
    ("rows_a_page", "bytes_a_page"), [(LIMITS.rows_per_batch // 2, 1), (1, BYTES_PER_BATCH // 2)]
)
def test_rows_are_passed_on_once_they_are_many_or_large(
    rows_a_page: int, bytes_a_page: int
) -> None:
    traffic = Traffic(silent)

    def pages() -> Iterator[Page]:
        for _ in range(5):
            traffic.count_bytes(received=1, read=bytes_a_page)
            yield [{}] * rows_a_page

    passed = [*map(len, in_batches(pages(), traffic, LIMITS.rows_per_batch))]
    assert passed == [2 * rows_a_page, 2 * rows_a_page, rows_a_page]


def test_pages_without_rows_are_no_batch() -> None:
    traffic = Traffic(silent)
    traffic.count_bytes(received=1, read=BYTES_PER_BATCH)
    assert list(in_batches([[], []], traffic, LIMITS.rows_per_batch)) == []
