"""Numbers and times that an API writes as text keep their value and their unit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from analytics_assets.configuration import ResourceConfig
from harness.project import Project
from harness.scripted import Answer, Asked, scripted_api
from harness.things import api_of, things

MOMENT = 1_761_010_112_345
TIMES: list[Any] = [
    MOMENT,
    f"{MOMENT}",
    f" {MOMENT}\n",
    f"+{MOMENT}",
    f"{MOMENT}.0",
    f"{MOMENT}.",
    float(MOMENT),
    "1.761010112345e12",
    "2025-10-21T01:28:32.345Z",
    " 2025-10-21T03:28:32.345+02:00",
]


@pytest.mark.long_but_first(reason="further cases of a short test")
@pytest.mark.parametrize("field", ["created", "createdAt"])
def test_a_time_as_digits_is_stored_by_the_first_load_and_by_the_next(
    tmp_path: Path, field: str
) -> None:
    rows: list[dict[str, Any]] = []

    def answer(_: Asked) -> Answer:
        return Answer({"deployments": rows, "pagination": {"count": len(rows), "next": None}})

    with scripted_api(answer) as api:
        project = Project(tmp_path, api.url)
        for load in range(2):
            rows[:0] = [{"uid": f"dpl_{load}_{n}", field: at} for n, at in enumerate(TIMES)]
            project.load_all("deployments")
        loaded = project.rows("deployments")
    assert len(loaded) == len(rows)
    assert {row["createdAt"] for row in loaded.values()} == {MOMENT}
    assert api.asked[-1].params["since"] == str(MOMENT - 3 * 86_400_000)


NUMBERS: list[tuple[Any, Any, Any, Any]] = [
    # What the API says, and what a plain number, a filled one and a time make of it.
    ("20240131", 20_240_131, 20_240_131, 20_240_131),
    ("2024", 2024, 2024, 2024),
    ("1761010112", 1_761_010_112, 1_761_010_112, 1_761_010_112),
    ("1761010112345678", 1_761_010_112_345_678, 1_761_010_112_345_678, 1_761_010_112_345_678),
    (" -5 ", -5, -5, -5),
    ("-5.0", -5, -5, -5),
    ("9223372036854775807", 2**63 - 1, 2**63 - 1, 2**63 - 1),
    ("9223372036854775808", "9223372036854775808", "9223372036854775808", "9223372036854775808"),
    ("1.5", "1.5", "1.5", "1.5"),
    ("1_000", "1_000", "1_000", "1_000"),
    ("\u0661\u0662", "\u0661\u0662", "\u0661\u0662", "\u0661\u0662"),
    ("1e400", "1e400", "1e400", "1e400"),
    ("NaN", "NaN", "NaN", "NaN"),
    ("soon", "soon", "soon", "soon"),
    ("2024-01-31", "2024-01-31", 1_706_659_200_000, 1_706_659_200_000),
    ("20240131T120000Z", "20240131T120000Z", None, None),
    ("2024-W05", "2024-W05", "2024-W05", "2024-W05"),
    ("2024-13-45", "2024-13-45", "2024-13-45", "2024-13-45"),
]


def test_a_number_as_text_is_that_number_and_a_date_only_where_a_time_is_meant(
    tmp_path: Path,
) -> None:
    resource: ResourceConfig = {
        **things(date="string", plain="number", filled="number", moment="number"),
        "filled_from": {"filled": ["date"]},
        "times": ["moment"],
    }
    rows = [
        {"id": str(n), "date": said, "plain": said, "moment": said}
        for n, (said, *_) in enumerate(NUMBERS)
    ]
    with scripted_api(lambda _: Answer({"things": rows})) as api:
        project = Project(tmp_path, api.url, api_of(resource))
        project.load_all()
        project.load_all()
    stored = {row["id"]: row for row in project.query("select * from analytics.things")}
    for n, (said, *expected) in enumerate(NUMBERS):
        row = stored[str(n)]
        assert row["date"] == said
        for field, value in zip(("plain", "filled", "moment"), expected, strict=True):
            # Python 3.10 does not read times without dashes.
            allowed = [value] if value is not None else [said, 1_706_702_400_000]
            assert row[field] in allowed, (said, field, row[field])
