"""
Tests of reading lines a piece at a time, with the real grep.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from twisted_quotes.errors import DictionaryChanging, EntryTooLong
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.query.queries import All, Search
from twisted_quotes.search import line_reader, line_search
from twisted_quotes.search.results import Entries

from ..cases import RealGrepTestCase
from ..fakes import CollectedEntries, find_entries

LINES = ["cat", "a cat\r", "", "x", "\ufffd", "dog", "é" * 9]


class LineReaderTestCase(RealGrepTestCase):
    """Has little held at one time."""

    def limit_buffers(self, max_buffered: int, chunk_size: int) -> None:
        """Hold no more bytes than these at one time."""
        self.patch(line_search, "MAX_BUFFERED", max_buffered)
        for name in ("READ_SIZE", "CHUNK_SIZE"):
            self.patch(line_reader, name, chunk_size)

    def call_after_writes(self, callback: Callable[[Entries], Awaitable[None]]) -> None:
        """Call a function with the entries after each write to the results."""
        write = CollectedEntries.write

        async def write_and_call(collected: CollectedEntries, entries: Entries) -> None:
            await write(collected, entries)
            await callback(entries)

        self.patch(CollectedEntries, "write", write_and_call)


class ChunkTests(LineReaderTestCase):
    """Tests of answers that are too long to be held whole."""

    async def test_the_answer_is_the_same_however_it_is_cut(self) -> None:
        """Every entry comes once, with its context, in order."""
        source = random.Random(4)
        finder = self.make_finder()
        for number in range(25):
            one, two = (source.choices(LINES, k=source.randrange(12)) for _ in "12")
            self.write("one", b"\xef\xbb\xbf" + "\n".join(one).encode())
            self.write("two", "\n".join(two).encode() + b"\xff\n")
            limits: dict[str, Any] = {
                "offset": source.randrange(4),
                "nresults": source.randrange(9),
            }
            around: dict[str, Any] = {
                f"n_{side}": source.randrange(4) for side in ("before", "after")
            }
            for query in (
                All(dictionary="*", **limits),
                Search(term="cat", dictionary="*", **limits, **around),
                Search(
                    term="cat$|^.$", dictionary="two", regex=True, **limits, **around
                ),
            ):
                self.limit_buffers(2**20, 2**18)
                expected = await find_entries(finder, query)
                self.limit_buffers(0, source.choice((1, 20, 100)))
                with self.subTest(number=number, query=query):
                    self.assertEqual(await find_entries(finder, query), expected)

    async def test_what_is_not_in_memory_is_read_by_a_thread(self) -> None:
        """Nobody waits for a disk but who asked; the answer is the same."""
        lines = ["a\r", "", "love" * 99, *("b" * 50), "no end\r\r"]
        self.write("cold", "\r\n".join(lines))
        self.limit_buffers(0, 20)
        reads: list[int] = []
        read_at = Dictionary.read_at

        def noted(dictionary: Dictionary, start: int, end: int) -> bytes:
            reads.append(end - start)
            return read_at(dictionary, start, end)

        self.patch(Dictionary, "read_at", noted)
        self.patch(Dictionary, "read_nowait", lambda *_: None)
        lines[-1] = "no end\r"
        for offset, nresults in ((0, 0), (0, 3), (1, 0), (5, 40), (53, 0)):
            query = All(dictionary="cold", offset=offset, nresults=nresults)
            end = offset + nresults if nresults else None
            found = await find_entries(self.make_finder(), query)
            self.assertEqual(found, lines[offset:end])
        self.assertEqual({20, 80, 320, 1280} - set(reads), set())

    async def test_a_long_answer_comes_in_many_pieces(self) -> None:
        """No grep prints much more than a piece, and each goes on where one ended."""
        numbers = [f"{number} love" for number in range(60_000)]
        self.write("many", "\n".join(numbers))
        self.limit_buffers(1000, 100_000)
        finder = self.make_finder()
        sizes: list[int] = []

        async def record_size(entries: Entries) -> None:
            sizes.append(sum(map(len, entries)))

        self.call_after_writes(record_size)
        for query in (All(dictionary="many"), Search(term="love", dictionary="many")):
            sizes.clear()
            self.assertEqual(await find_entries(finder, query), numbers)
            self.assertGreater(len(sizes), 3)
            self.assertLess(max(sizes), 300_000)

    async def test_between_two_pieces_no_place_is_held(self) -> None:
        """Who takes an answer slowly keeps nobody else from one."""
        self.write("many", "love\n" * 50_000)
        self.limit_buffers(1000, 20_000)
        finder = self.make_finder()
        others: list[list[str]] = []

        async def search_meanwhile(entries: Entries) -> None:
            if entries[0] == "love":
                search = Search(term="ove", nresults=1)
                others.append(await find_entries(finder, search))

        self.call_after_writes(search_meanwhile)
        slow = [find_entries(finder, All(dictionary="many")) for _ in range(2)]
        for each in slow:
            self.assertEqual(len(await each), 50_000)
        self.assertGreater(len(others), 10)
        self.assertEqual({each for [each] in others}, {"Love looks not"})


class LimitTests(LineReaderTestCase):
    """Tests of what cannot be answered."""

    async def test_an_entry_has_its_limit(self) -> None:
        """One that is longer is named as the reason; the others are answered."""
        self.patch(line_reader, "MAX_ENTRY_BYTES", 400_000)
        self.write("long", "x" * 300_000 + "\nlove\n" + "x" * 500_000 + "\n")
        self.limit_buffers(1000, 1000)
        finder = self.make_finder()
        for query in (
            All(dictionary="long"),
            Search(term="x", dictionary="long"),
            Search(term="love", dictionary="long", n_after=1),
        ):
            with self.assertRaises(EntryTooLong):
                await find_entries(finder, query)
        [found] = await find_entries(
            finder, Search(term="love", dictionary="long", n_before=1)
        )
        self.assertEqual(len(found), 300_005)

    async def test_one_state_is_answered_or_none(self) -> None:
        """What has been begun is not gone on with in another state."""
        self.write("many", "love\n" * 50_000)
        self.limit_buffers(1000, 20_000)
        gathered = CollectedEntries()

        async def change_dictionary(_: Entries) -> None:
            self.write("many", "hate\n" * 50_000)

        self.call_after_writes(change_dictionary)
        self.patch(CollectedEntries, "restart", lambda _: False)
        with self.assertRaises(DictionaryChanging):
            await self.make_finder().find_entries(All(dictionary="many"), gathered)
        self.assertEqual(set(gathered.entries), {"love"})
        self.assertGreater(gathered.remaining, 0)

    async def test_a_text_that_becomes_shorter_is_read_anew(self) -> None:
        """Though its line ends are gone where it was to be gone on with."""
        self.write("many", "love\n" * 50_000)
        self.limit_buffers(1000, 20_000)
        read_at, left = Dictionary.read_at, [1]

        def cut(dictionary: Dictionary, start: int, end: int) -> bytes:
            if left:
                self.write("many", "love\n" * left.pop() * 3 + "x" * 21_000)
            return read_at(dictionary, start, end)

        self.patch(Dictionary, "read_at", cut)
        self.patch(Dictionary, "read_nowait", lambda *_: None)
        found = await find_entries(self.make_finder(), All(dictionary="many", offset=3))
        self.assertEqual(found, ["x" * 21_000])

    async def test_the_last_line_need_not_end(self) -> None:
        """Wherever the pieces are cut."""
        text = "love\n" * 20 + "love"
        self.write("many", text)
        for size in range(len(text) // 2, 2 * len(text)):
            self.limit_buffers(10, size)
            search = Search(term="love", dictionary="many", ignore_case=True)
            self.assertEqual(
                await find_entries(self.make_finder(), search), ["love"] * 21
            )

    async def test_a_dictionary_that_becomes_shorter_is_read_anew(self) -> None:
        """Though what has just been found in it is no longer there."""
        self.write("many", "love\n" * 50_000)
        self.limit_buffers(1000, 20_000)
        looked_for = Dictionary.offset_after_lines

        def cut(dictionary: Dictionary, start: int, lines: int) -> int:
            self.write("many", "love\n" * 3)
            return looked_for(dictionary, start, lines)

        self.patch(Dictionary, "offset_after_lines", cut)
        found = await find_entries(
            self.make_finder(), Search(term="love", dictionary="many")
        )
        self.assertEqual(found, ["love"] * 3)
