"""Neutral records: the fields a resource declares, filled, and a stable identity for each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from dlt.common.normalizers.json.helpers import get_row_hash

from analytics_assets.configuration import FieldType, ResourceConfig

Record = dict[str, Any]
Page = list[Record]

ID = "id"
ROW_DIGEST = "_dlt_id"
"""dlt's row id. Here it is a digest of the row's content, so that equal rows have equal ids and
an unchanged row can be told from a changed one (dlt keeps a row id that a row brings along)."""


def neutralize(resource: ResourceConfig) -> Callable[[Page], Page]:
    """A step that turns the rows of a page, or of one parent, into neutral records, in place.

    - A field that a row lacks is taken from the fields `filled_from` names.
    - A withheld field loses its value.
    - A single value of an array field becomes an array of one: the API's description lets
      `target` of an environment variable be either.
    - A row without an id of any kind gets a digest of its content as `id`. Rows of equal content
      are numbered, so that two equal rows of one list stay two.
    """
    fields = resource["fields"]
    filled_from = {
        field: [source.split(".") for source in sources]
        for field, sources in resource.get("filled_from", {}).items()
    }
    withheld = [path.split(".") for path in resource.get("withheld", [])]
    arrays = [field for field, word in fields.items() if word == "array"]

    def to_records(page: Page) -> Page:
        twins: Counter[str] = Counter()
        for record in page:
            for field, sources in filled_from.items():
                if record.get(field) is None:
                    record[field] = _as_type(fields[field], _first_value(record, sources))
            for path in withheld:
                _withhold(record, path)
            for field in arrays:
                if isinstance(record.get(field), (str, int, float)):
                    record[field] = [record[field]]
            if ID in fields and record.get(ID) is None:
                digest = get_row_hash(record)
                record[ID] = get_row_hash({"content": digest, "twin": twins[digest]})
                twins[digest] += 1
            record[ROW_DIGEST] = get_row_hash(record)
        return page

    return to_records


def _first_value(record: Mapping[str, Any], paths: list[list[str]]) -> Any:
    for path in paths:
        value: Any = record
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def _as_type(field_type: FieldType, value: Any) -> Any:
    """The value in the target's type: the API gives some times as ISO text, not as epochs."""
    if field_type == "number" and isinstance(value, str):
        return _epoch_milliseconds(value)
    return value


def _epoch_milliseconds(text: str) -> int | str:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    return int(moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp() * 1000)


def _withhold(value: Any, path: list[str]) -> None:
    if isinstance(value, list):
        for item in value:
            _withhold(item, path)
    elif isinstance(value, dict) and path[0] in value:
        if len(path) == 1:
            value[path[0]] = None
        else:
            _withhold(value[path[0]], path[1:])
