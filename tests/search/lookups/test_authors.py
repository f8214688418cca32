"""
Tests for L{twisted_quotes.search.lookups.authors}.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred

from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.search.lookups import authors

from ...cases import RealGrepTestCase
from ...fakes import run_immediately

TEXT = """One.
-- Mark Twain, Letters

Two.
-- \u00c9mile Zola

Three.
-- Mark Twain

Four has none.

Five.
-- eve
"""


class AuthorListTests(RealGrepTestCase):
    """Tests of the list of authors."""

    async def find(self, *names: str) -> list[tuple[str, int]]:
        """Return the authors in dictionaries, and the numbers of their quotes."""
        finder = self.make_finder()
        found, is_complete = await finder.find_authors(names or EVERY_DICTIONARY)
        self.assertTrue(is_complete)
        return [(name, count) for name, count in found]

    async def test_authors_are_counted_in_the_order_of_their_names(self) -> None:
        """Neither case nor accents count."""
        self.write("some", TEXT)
        expected = [("\u00c9mile Zola", 1), ("eve", 1), ("Mark Twain", 2)]
        self.assertEqual(await self.find("some"), expected)
        for size in (1, 7):
            with patch.object(authors, "_BLOCK_SIZE", size):
                self.assertEqual(await self.find("some"), expected)

    async def test_the_authors_of_all_dictionaries_are_counted_together(self) -> None:
        self.write("some", TEXT)
        self.write("more", "Six.\n-- Mark Twain\n")
        found = dict(await self.find())
        self.assertEqual((found["Mark Twain"], found["eve"]), (3, 1))
        self.assertEqual((await self.find("more")), [("Mark Twain", 1)])
        self.assertEqual(await self.find("empty"), [])

    async def test_a_change_of_a_dictionary_changes_the_list(self) -> None:
        finder = self.make_finder()
        self.write("some", TEXT)
        before, _ = await finder.find_authors(("some",))
        again, _ = await finder.find_authors(("some",))
        self.assertIs(again, before)
        self.write("some", "Seven.\n-- Ann\n")
        after, _ = await finder.find_authors(("some",))
        self.assertEqual(after, [("Ann", 1)])

    async def test_the_list_of_the_library_stays_when_others_are_requested(
        self,
    ) -> None:
        finder = self.make_finder()
        names = [str(number) for number in range(5)]
        for name in names:
            self.write(name, TEXT)
        before, _ = await finder.find_authors(EVERY_DICTIONARY)
        for name in names:
            await finder.find_authors((name,))
        again, _ = await finder.find_authors(EVERY_DICTIONARY)
        self.assertIs(again, before)

    async def test_an_empty_list_is_kept(self) -> None:
        finder = self.make_finder()
        self.write("none", "A quote without an author.\n")
        before, _ = await finder.find_authors(("none",))
        self.assertEqual(before, [])
        again, _ = await finder.find_authors(("none",))
        self.assertIs(again, before)

    async def test_concurrent_requests_share_a_list(self) -> None:
        """One that is cancelled does not end it for the others."""
        self.write("some", TEXT)
        waiting: list[Deferred[None]] = []

        def in_thread(function: Any, /, *arguments: Any) -> Deferred[Any]:
            if function.__name__ != "read_all":
                return run_immediately(function, *arguments)
            waiting.append(Deferred())
            return waiting[-1].addCallback(lambda _: function(*arguments))

        finder = self.make_finder(slots=4, in_thread=in_thread)
        await finder.list_dictionaries()
        requests = [finder.find_authors(EVERY_DICTIONARY) for _ in range(4)]
        self.assertEqual(len(waiting), 1)
        requests[0].cancel()
        self.failureResultOf(requests[0], CancelledError)
        self.assertEqual(len(waiting), 2)
        waiting[1].callback(None)
        lists = [(await each)[0] for each in requests[1:]]
        self.assertEqual([each is lists[0] for each in lists], [True] * 3)
        self.assertEqual(len(waiting), 2)

    async def test_a_damaged_pack_is_built_again(self) -> None:
        self.write("some", TEXT)
        real, failures = authors._count_authors, [PackDamaged("damaged")]

        def count(opened):  # type: ignore[no-untyped-def]
            for failure in failures:
                next(opened)
                failures.clear()
                raise failure
            return real(opened)

        with patch.object(authors, "_count_authors", count):
            self.assertEqual(len(await self.find("some")), 3)
        self.assertEqual(failures, [])
