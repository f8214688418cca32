"""
All of a range in an order that chance has chosen, without a list of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from math import isqrt
from random import Random
from secrets import randbits

_MAX_SHUFFLED = 4096
_ROUNDS = 8


class RandomPermutation:
    """
    The numbers of a range, each once, in an order drawn by chance.

    Few are shuffled, so that each order is as likely as any other. Of many each
    is found where it is asked for, by a network of Feistel's over two numbers
    that make up one, and gone on with while the result is outside the range
    (Black and Rogaway, "Ciphers with Arbitrary Finite Domains"). So to draw one
    of millions takes no time and no memory, wherever it stands in that order.

    @param count: how many there are, 0 or more.
    @param seed: the same seed gives the same order; L{None} for chance.
    """

    def __init__(self, count: int, seed: int | None) -> None:
        seed = randbits(64) if seed is None else seed
        self._count = count
        self._shuffled: Sequence[int] | None = None
        if count <= _MAX_SHUFFLED:
            shuffled = list(range(count))
            Random(str(seed)).shuffle(shuffled)
            self._shuffled = shuffled
        self._rows = isqrt(max(0, count - 1)) + 1
        self._columns = -(-count // self._rows)
        self._key = blake2b(b"%d" % seed).digest()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:
        """
        The number at a place in the order.

        @raise IndexError: there is no such place.
        """
        if not 0 <= index < self._count:
            raise IndexError(index)
        if self._shuffled is not None:
            return self._shuffled[index]
        index = self._permute(index)
        while index >= self._count:
            index = self._permute(index)
        return index

    def _permute(self, number: int) -> int:
        """Put a number of the whole rectangle in another place of it."""
        row, column = divmod(number, self._columns)
        for round_number in range(0, _ROUNDS, 2):
            row = (row + self._hash(round_number, column)) % self._rows
            column = (column + self._hash(round_number + 1, row)) % self._columns
        return row * self._columns + column

    def _hash(self, round_number: int, number: int) -> int:
        data = b"%d %d" % (round_number, number)
        return int.from_bytes(blake2b(data, digest_size=8, key=self._key).digest())
