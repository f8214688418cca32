"""
Which dictionaries each pack has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

from twisted_quotes.library.dictionary import FileState

PACK_SIZE = 8 * 1024 * 1024
"""The approximate mean size of the dictionaries of a pack, in bytes."""

MAX_PACK_SIZE = 2 * PACK_SIZE
"""The maximum size of several dictionaries in a pack, in bytes."""

LARGE_SIZE = 4 * 1024 * 1024
"""The size from which on a dictionary has a pack of its own, in bytes."""

_SIZE_OF_ANY = 4096
"""What a dictionary counts besides its size: thousands may be empty."""


class PackPlan(NamedTuple):
    """The dictionaries of a pack: their names and their states, in order."""

    dictionaries: tuple[tuple[str, FileState], ...]

    @property
    def size(self) -> int:
        """The size of the dictionaries, in bytes."""
        return sum(state.size for _, state in self.dictionaries)

    def mixes(self, names: Collection[str]) -> bool:
        """Return whether it has dictionaries with some names, and others."""
        found = sum(name in names for name, _ in self.dictionaries)
        return found > 0 and len(self.dictionaries) > 1

    def key(self, context: str) -> str:
        """
        Return a key that differs if the plan does.

        @param context: what else it depends on.
        """
        text = repr((context, *self.dictionaries))
        digest = blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16)
        return digest.hexdigest()


def plan_packs(
    states: Mapping[str, FileState], isolated: Collection[str] = ()
) -> Iterator[PackPlan]:
    """
    Divide the dictionaries of a library into packs.

    A hash of its name decides whether a dictionary is the first of a pack. So when
    one is added, changed or removed, most other packs stay as they are.

    @param states: the states of the dictionaries by name, in order.
    @param isolated: the names of those that have a pack of their own.
    """
    planned: list[tuple[str, FileState]] = []
    planned_size = 0
    for name, state in states.items():
        size = state.size + _SIZE_OF_ANY
        is_alone = size >= LARGE_SIZE or name in isolated
        is_first = (
            planned_size >= PACK_SIZE // 2
            and crc32(name.encode()) / 2**32 * (PACK_SIZE // 2) < size
        )
        if planned and (is_alone or is_first or planned_size + size > MAX_PACK_SIZE):
            yield PackPlan(tuple(planned))
            planned, planned_size = [], 0
        if is_alone:
            yield PackPlan(((name, state),))
        else:
            planned.append((name, state))
            planned_size += size
    if planned:
        yield PackPlan(tuple(planned))
