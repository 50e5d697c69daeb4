"""Of a list that is given by time, a load takes the rows that it has asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analytics_assets.source.errors import AnalyticsApiError
from analytics_assets.source.position import Position
from analytics_assets.source.window import Window
from harness.configurations import ANALYTICS_API

DEPLOYMENTS = ANALYTICS_API.resources["deployments"]
LAG = 3 * 86_400_000


def taken(position: Position, *moments: int | None) -> list[int | None]:
    return [row["createdAt"] for row in position.within([{"createdAt": m} for m in moments])]


def test_a_window_takes_what_lies_in_it_and_moves_no_cursor() -> None:
    state: dict[str, Any] = {"incremental": {"createdAt": {"last_value": 7}}}
    position = Position(DEPLOYMENTS, state, None, Window(1_000, 2_000))
    assert position.params == {"since": 999, "until": 2_000}
    assert taken(position, 999, 1_000, 1_999, 2_000, None) == [1_000, 1_999, None]
    position.note()
    assert state == {"incremental": {"createdAt": {"last_value": 7}}}


def test_the_look_back_never_goes_back_behind_the_first_day() -> None:
    state: dict[str, Any] = {"incremental": {"createdAt": {"last_value": 2 * LAG}}}
    assert Position(DEPLOYMENTS, state, None, None).params == {"since": LAG}
    assert Position(DEPLOYMENTS, state, LAG + 5, None).params == {"since": LAG + 4}
    assert Position(DEPLOYMENTS, {}, None, None).params == {}


def test_the_newest_row_is_noted_where_one_came() -> None:
    state: dict[str, Any] = {}
    position = Position(DEPLOYMENTS, state, None, None)
    position.note()
    assert state == {}
    assert taken(position, 5, 9, 7) == [5, 9, 7]
    position.note()
    assert state["incremental"]["createdAt"]["last_value"] == 9


def test_what_becomes_of_a_row_without_a_time_is_for_the_configuration_to_say() -> None:
    def position(on_missing: str) -> Position:
        cursor = DEPLOYMENTS.cursor and replace(DEPLOYMENTS.cursor, on_missing=on_missing)
        return Position(replace(DEPLOYMENTS, cursor=cursor), {}, None, None)

    assert taken(position("include"), None, 5) == [None, 5]
    assert taken(position("exclude"), None, 5) == [5]
    with pytest.raises(AnalyticsApiError, match="deployments has a row without `createdAt`"):
        taken(position("raise"), None, 5)
