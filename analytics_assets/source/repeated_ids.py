"""Keeps rows of one list apart that bear one id, and counts those that no key tells apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from dlt.common.normalizers.json.helpers import get_row_hash

from analytics_assets.source.columns import ROW_DIGEST
from analytics_assets.source.numerals import epoch
from analytics_assets.source.values import Record

ID = "id"
UPDATED_AT = "updatedAt"

Key = tuple[Any, ...]


class RepeatedIds:
    """Numbers the rows of a parent's list that bear one id: `e0`, `e0#2`, `e0#3`.

    By their order in the list, not by their content: the ids of a list that has grown, or comes in
    another order, are those that it had and further ones, so that none of its rows is left over.
    """

    def __init__(self, key: Sequence[str]) -> None:
        """Begins before the first list.

        Args:
            key: The columns that identify a row, `id` among them; the others tell lists apart.
        """
        self._others = [column for column in key if column != ID]
        self._list: Key | None = None
        self._numbers: dict[str, dict[str, int]] = {}

    def tell_apart(self, record: Record) -> None:
        """Numbers the id of a row whose list has another row of that id, in place."""
        of_list = tuple(record[column] for column in self._others)
        if of_list != self._list:
            self._list, self._numbers = of_list, {}
        own_id, digest = str(record[ID]), record[ROW_DIGEST]
        numbers = self._numbers.setdefault(own_id, {})
        number = numbers.setdefault(digest, len(numbers) + 1)
        if number > 1:
            record[ID] = f"{own_id}#{number}"
            record[ROW_DIGEST] = get_row_hash(record)


def merged_keys(page: Iterable[Record], key: Sequence[str]) -> list[Key]:
    """The keys of rows that another row of their page replaces, though none of the two is newer.

    Pages are looked at one by one: a list that moves while it is read brings a row twice, with what
    has changed meanwhile.
    """
    found: list[Key] = []
    known: defaultdict[Key, dict[str, int | None]] = defaultdict(dict)
    for record in page:
        its_key = tuple(record[column] for column in key)
        versions, digest = known[its_key], record[ROW_DIGEST]
        updated = epoch(record.get(UPDATED_AT))
        if digest not in versions and any(
            None in (updated, other) or updated == other for other in versions.values()
        ):
            found.append(its_key)
        versions[digest] = updated
    return found
