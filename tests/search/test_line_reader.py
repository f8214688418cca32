"""
Tests for L{twisted_quotes.search.line_reader}, with the real grep.
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
    """Limits the sizes of buffers and of chunks."""

    def limit_buffers(self, max_buffered: int, chunk_size: int) -> None:
        """Set the maximum sizes, in bytes."""
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
    """Tests of results that are too long for a buffer."""

    async def test_entries_do_not_depend_on_the_chunks(self) -> None:
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
            context: dict[str, Any] = {
                name: source.randrange(4) for name in ("n_before", "n_after")
            }
            for query in (
                All(dictionary="*", **limits),
                Search(term="cat", dictionary="*", **limits, **context),
                Search(
                    term="cat$|^.$", dictionary="two", regex=True, **limits, **context
                ),
            ):
                self.limit_buffers(2**20, 2**18)
                expected = await find_entries(finder, query)
                self.limit_buffers(0, source.choice((1, 20, 100)))
                with self.subTest(number=number, query=query):
                    self.assertEqual(await find_entries(finder, query), expected)

    async def test_a_thread_reads_what_is_not_in_memory(self) -> None:
        lines = ["a\r", "", "love" * 99, *("b" * 50), "no end\r\r"]
        self.write("cold", "\r\n".join(lines))
        self.limit_buffers(0, 20)
        sizes: set[int] = set()
        read_at = Dictionary.read_at

        def record_and_read(dictionary: Dictionary, start: int, end: int) -> bytes:
            sizes.add(end - start)
            return read_at(dictionary, start, end)

        self.patch(Dictionary, "read_at", record_and_read)
        self.patch(Dictionary, "read_nowait", lambda *_: None)
        lines[-1] = "no end\r"
        for offset, nresults in ((0, 0), (0, 3), (1, 0), (5, 40), (53, 0)):
            query = All(dictionary="cold", offset=offset, nresults=nresults)
            end = offset + nresults if nresults else None
            found = await find_entries(self.make_finder(), query)
            self.assertEqual(found, lines[offset:end])
        self.assertLessEqual({20, 80, 320, 1280}, sizes)

    async def test_long_results_come_in_many_chunks(self) -> None:
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

    async def test_no_slot_is_held_between_two_chunks(self) -> None:
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
        for deferred in slow:
            self.assertEqual(len(await deferred), 50_000)
        self.assertGreater(len(others), 10)
        self.assertEqual({entry for [entry] in others}, {"Love looks not"})

    async def test_the_last_line_feed_is_optional(self) -> None:
        text = "love\n" * 20 + "love"
        self.write("many", text)
        search = Search(term="love", dictionary="many", ignore_case=True)
        for size in range(len(text) // 2, 2 * len(text)):
            self.limit_buffers(10, size)
            found = await find_entries(self.make_finder(), search)
            self.assertEqual(found, ["love"] * 21)

    async def test_an_entry_has_a_maximum_size(self) -> None:
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


class ChangeTests(LineReaderTestCase):
    """Tests of a dictionary that changes between two chunks."""

    def setUp(self) -> None:
        super().setUp()
        self.write("many", "love\n" * 50_000)
        self.limit_buffers(1000, 20_000)

    async def test_results_that_were_sent_are_from_one_state(self) -> None:
        collected = CollectedEntries()

        async def change_dictionary(_: Entries) -> None:
            self.write("many", "hate\n" * 50_000)

        self.call_after_writes(change_dictionary)
        self.patch(CollectedEntries, "restart", lambda _: False)
        with self.assertRaises(DictionaryChanging):
            await self.make_finder().find_entries(All(dictionary="many"), collected)
        self.assertEqual(set(collected.entries), {"love"})
        self.assertGreater(collected.remaining, 0)

    async def test_a_dictionary_that_becomes_shorter_is_read_again(self) -> None:
        """Even if there is no line end any more where the next chunk starts."""
        read_at, remaining = Dictionary.read_at, [1]

        def truncate_and_read(dictionary: Dictionary, start: int, end: int) -> bytes:
            if remaining:
                self.write("many", "love\n" * remaining.pop() * 3 + "x" * 21_000)
            return read_at(dictionary, start, end)

        self.patch(Dictionary, "read_at", truncate_and_read)
        self.patch(Dictionary, "read_nowait", lambda *_: None)
        found = await find_entries(self.make_finder(), All(dictionary="many", offset=3))
        self.assertEqual(found, ["x" * 21_000])

    async def test_a_dictionary_with_longer_lines_is_read_again(self) -> None:
        """The first entry is then beyond the previous end of the file."""
        lines = ["x" * 100_000] * 5
        offset_after_lines, pending = Dictionary.offset_after_lines, ["\n".join(lines)]

        def grow_and_count(dictionary: Dictionary, start: int, count: int) -> int:
            if pending:
                self.write("many", pending.pop())
            return offset_after_lines(dictionary, start, count)

        self.patch(Dictionary, "offset_after_lines", grow_and_count)
        found = await find_entries(self.make_finder(), All(dictionary="many", offset=3))
        self.assertEqual(found, lines[3:])

    async def test_a_dictionary_without_the_last_match_is_read_again(self) -> None:
        offset_after_lines = Dictionary.offset_after_lines

        def truncate_and_count(dictionary: Dictionary, start: int, lines: int) -> int:
            self.write("many", "love\n" * 3)
            return offset_after_lines(dictionary, start, lines)

        self.patch(Dictionary, "offset_after_lines", truncate_and_count)
        query = Search(term="love", dictionary="many")
        self.assertEqual(await find_entries(self.make_finder(), query), ["love"] * 3)
