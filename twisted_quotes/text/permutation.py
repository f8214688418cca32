"""
Random permutations of long ranges, without a list of their numbers.
"""

from __future__ import annotations

from hashlib import blake2b
from math import isqrt
from random import Random
from secrets import randbits

_MAX_SHUFFLED = 4096
_ROUNDS = 8


class RandomPermutation:
    """
    A random permutation of C{range(count)}.

    Short ranges are shuffled, with the same probability for each order. In longer
    ones each number is computed on request, in constant time and memory, by a Feistel
    network with cycle walking (Black and Rogaway, "Ciphers with Arbitrary Finite
    Domains").

    @param count: the length of the range, 0 or more.
    @param seed: determines the order; L{None} for a random seed.
    """

    def __init__(self, count: int, seed: int | None) -> None:
        seed = randbits(64) if seed is None else seed
        self._count = count
        self._shuffled: list[int] | None = None
        if count <= _MAX_SHUFFLED:
            self._shuffled = list(range(count))
            Random(str(seed)).shuffle(self._shuffled)
        self._rows = isqrt(max(0, count - 1)) + 1
        self._columns = -(-count // self._rows)
        self._key = blake2b(b"%d" % seed).digest()

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> int:
        """
        Return the number at an index.

        @raise IndexError: the index is negative, or too large.
        """
        if not 0 <= index < self._count:
            raise IndexError(index)
        if self._shuffled is not None:
            return self._shuffled[index]
        number = self._permute(index)
        while number >= self._count:
            number = self._permute(number)
        return number

    def _permute(self, number: int) -> int:
        """Permute the numbers below C{rows * columns}."""
        row, column = divmod(number, self._columns)
        for round_number in range(0, _ROUNDS, 2):
            row = (row + self._hash(round_number, column)) % self._rows
            column = (column + self._hash(round_number + 1, row)) % self._columns
        return row * self._columns + column

    def _hash(self, round_number: int, number: int) -> int:
        data = b"%d %d" % (round_number, number)
        return int.from_bytes(blake2b(data, digest_size=8, key=self._key).digest())
