"""
Tests for L{twisted_quotes.search.sources.cursor}.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import TestCase

from twisted_quotes.search.sources.cursor import FlagsCursor


class FlagsCursorTests(TestCase):
    """Tests for L{FlagsCursor}."""

    async def test_it_has_the_positions_of_all_flags(self) -> None:
        """They may be fetched, skipped and counted in any order."""
        source = random.Random(1)
        for size in (0, 1, 2, 9, 100):
            flags = bytes(source.choices((0, 1), k=size))
            positions = [index for index, flag in enumerate(flags) if flag]
            for _ in range(20):
                cursor, rest = FlagsCursor(flags), positions
                for _ in range(4):
                    limit = source.randint(0, size)
                    if source.random() < 0.5:
                        self.assertEqual(await cursor.fetch(limit), rest[:limit])
                    else:
                        skipped = await cursor.skip(limit)
                        self.assertEqual(skipped, len(rest[:limit]))
                    rest = rest[limit:]
                self.assertEqual(await cursor.count_remaining(), len(rest))
                self.assertEqual(await cursor.fetch(9), [])

    async def test_thousands_are_skipped_at_once(self) -> None:
        cursor = FlagsCursor(b"\0\1" * 1_000_000)
        self.assertEqual(await cursor.skip(999_000), 999_000)
        self.assertEqual(await cursor.fetch(1), [1_998_001])
        self.assertEqual(await cursor.skip(10**18), 999)
