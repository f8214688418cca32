"""
Finding the quotes whose text stands in several places.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from re import compile

from .quote import ID_LENGTH

_LINE_LENGTH = ID_LENGTH + 1
_MAX_IDS = 500_000
"""The approximate maximum number of ids in memory at a time."""


def find_repeats(columns: Sequence[bytes], max_ids: int = _MAX_IDS) -> list[list[int]]:
    """
    Find the quotes whose text stands before, in the same dictionary or an earlier one.

    @param columns: for each dictionary, the ids of its quotes, each with a line feed.
    @return: for each dictionary, the positions of these quotes, not in order.
    """
    digit_count, id_count = 0, sum(map(len, columns)) // _LINE_LENGTH
    while id_count > max_ids:
        id_count //= 16
        digit_count += 1
    repeats: list[list[int]] = [[] for _ in columns]
    for digits in product(b"0123456789abcdef", repeat=digit_count):
        # An id starts after a line feed, or at the start.
        rest = b"[0-9a-f]{%d}\n" % (ID_LENGTH - digit_count)
        with_digits = compile(bytes(digits) + rest)
        seen: set[bytes] = set()
        for column, positions in zip(columns, repeats, strict=True):
            for line in with_digits.finditer(column):
                if line[0] in seen:
                    positions.append(line.start() // _LINE_LENGTH)
                seen.add(line[0])
    return repeats
