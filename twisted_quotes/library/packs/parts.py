"""
Parts of packs: some of their dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Self

from .pack import Pack


class PackPart(NamedTuple):
    """
    Consecutive dictionaries of a pack.

    @ivar numbers: their numbers in the pack.
    @ivar name: the name by which a query names the only one; L{None} if there are
        more, or if it has its own name.
    """

    pack: Pack
    numbers: range
    name: str | None = None

    @classmethod
    def whole(cls, pack: Pack) -> Self:
        """Return all dictionaries of a pack as a part."""
        return cls(pack, range(len(pack.dictionaries)))

    @classmethod
    def named(cls, pack: Pack, name: str) -> Self | None:
        """Return the dictionary with a name, or L{None} if there is none."""
        for number, packed in enumerate(pack.dictionaries):
            if packed.name == name:
                return cls(pack, range(number, number + 1))
        return None

    @property
    def quotes(self) -> range:
        """The numbers of its quotes in the pack."""
        return _slice(self.pack.quote_ends, self.numbers)

    @property
    def lines(self) -> range:
        """The numbers of its lines in the pack."""
        return _slice(self.pack.line_ends, self.numbers)

    def byte_range(self, column: str) -> range:
        """Return its part of a column with one file."""
        return _slice(self.pack.byte_ends[column], self.numbers)

    def is_before(self, other: PackPart) -> bool:
        """Return whether another part follows it, and both have their own names."""
        return (
            self.pack is other.pack
            and self.numbers.stop == other.numbers.start
            and self.name is other.name is None
        )

    def is_whole_pack(self) -> bool:
        """Return whether it has all dictionaries of the pack."""
        return len(self.numbers) == len(self.pack.dictionaries)


def merge_parts(parts: Iterable[PackPart]) -> Iterator[PackPart]:
    """Merge parts whose dictionaries follow one another in a pack."""
    merged: PackPart | None = None
    for part in parts:
        if merged and merged.is_before(part):
            numbers = range(merged.numbers.start, part.numbers.stop)
            merged = PackPart(part.pack, numbers)
            continue
        if merged:
            yield merged
        merged = part
    if merged:
        yield merged


def _slice(ends: Sequence[int], numbers: range) -> range:
    start = ends[numbers.start - 1] if numbers.start else 0
    return range(start, ends[numbers.stop - 1] if numbers else start)
