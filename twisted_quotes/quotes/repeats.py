"""
Finding the quotes whose text stands in several places.
"""

from __future__ import annotations

from collections.abc import Sequence

from .quote import ID_LENGTH

_SIZE = ID_LENGTH // 2
_MAX_IDS = 200_000
"""The approximate maximum number of ids in memory at a time."""


def find_repeats(columns: Sequence[bytes], max_ids: int = _MAX_IDS) -> list[list[int]]:
    """
    Find the quotes whose text stands before, in the same column or an earlier one.

    @param columns: the ids of quotes, as bytes, one after another.
    @return: for each column, the positions of these quotes, not in order.
    """
    part_count = sum(map(len, columns)) // _SIZE // max_ids + 1
    repeats: list[list[int]] = [[] for _ in columns]
    for part in range(part_count):
        seen: set[bytes] = set()
        for column, positions in zip(columns, repeats, strict=True):
            for start in range(0, len(column), _SIZE):
                # Ids are hashes: each part has about the same number of them.
                if (column[start] << 8 | column[start + 1]) % part_count != part:
                    continue
                quote_id = column[start : start + _SIZE]
                if quote_id in seen:
                    positions.append(start // _SIZE)
                seen.add(quote_id)
    return repeats
