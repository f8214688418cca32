"""
Tests for L{twisted_quotes.search.line_search}, with the real grep.
"""

from __future__ import annotations

from typing import Any

from twisted_quotes.errors import DictionaryChanging, DictionaryNotFound
from twisted_quotes.grep.runner import GrepSession
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import All, List, Search

from ..cases import FORTUNES_TEXT, LOVE_TEXT, RealGrepTestCase
from ..fakes import find_entries


class AllDictionariesTests(RealGrepTestCase):
    """Tests of searches of all dictionaries."""

    async def test_lines_come_in_the_order_of_the_dictionaries(self) -> None:
        """The context of a match is from its own dictionary only."""
        search = Search(term="ove", dictionary="*", n_before=1, ignore_case=True)
        self.assertEqual(
            await find_entries(self.make_finder(), search),
            [
                "Love looks not",
                "\n\tThe course of true  love",
                "No love",
                "%\nLove",
            ],
        )

    async def test_offset_and_nresults_count_entries_of_all_dictionaries(self) -> None:
        for offset, nresults in ((0, 1), (1, 2), (3, 9), (4, 1), (1, 0)):
            query = All(dictionary="*", offset=offset, nresults=nresults)
            expected = [*LOVE_TEXT.split("\n")[:-1], *FORTUNES_TEXT.split("\n")[:-1]]
            end = offset + nresults if nresults else None
            self.assertEqual(
                await find_entries(self.make_finder(), query), expected[offset:end]
            )

    async def test_a_dictionary_that_is_removed_meanwhile_is_skipped(self) -> None:
        """It is an error if the query names it."""
        finder = self.make_finder()
        run = GrepSession.run

        async def remove_and_run(session: GrepSession, *arguments: Any) -> Outcome:
            (self.folder / "fortunes").unlink(missing_ok=True)
            return await run(session, *arguments)

        self.patch(GrepSession, "run", remove_and_run)
        found = await find_entries(finder, Search(term="love", dictionary="*"))
        self.assertEqual(found, ["\tThe course of true  love"])
        with self.assertRaises(DictionaryNotFound):
            await find_entries(finder, Search(term="love", dictionary="fortunes"))

    async def test_names_of_dictionaries_are_listed(self) -> None:
        names = ["dreams", "empty", "fortunes"]
        for query, expected in (
            (List(), names),
            (List(offset=1, nresults=1), names[1:2]),
        ):
            self.assertEqual(await find_entries(self.make_finder(), query), expected)


class ChangeTests(RealGrepTestCase):
    """Tests of a dictionary that is written to while it is searched."""

    def change_after_greps(self, count: int) -> None:
        """Write to the dictionary after each of the next greps."""
        run, remaining = GrepSession.run, list(range(count))

        async def run_and_write(session: GrepSession, *arguments: Any) -> Outcome:
            outcome = await run(session, *arguments)
            if remaining:
                self.write("dreams", f"love {remaining.pop()}\n" * 100)
            return outcome

        self.patch(GrepSession, "run", run_and_write)

    async def test_all_entries_are_from_one_state(self) -> None:
        self.change_after_greps(2)
        found = await find_entries(self.make_finder(), Search(term="love", nresults=2))
        self.assertEqual(found, ["love 0", "love 0"])

    async def test_a_dictionary_that_changes_in_each_attempt_is_an_error(self) -> None:
        self.change_after_greps(MAX_ATTEMPTS)
        with self.assertRaises(DictionaryChanging):
            await find_entries(self.make_finder(), Search(term="love"))


class NormalizationTests(RealGrepTestCase):
    """Tests of files whose bytes are not their text."""

    async def test_a_line_is_normalized_once(self) -> None:
        self.write("odd", b"x\r\r\ny\n")
        for term, regex in (("x", False), ("x", True), ("^x.$", True)):
            search = Search(term=term, regex=regex, dictionary="odd")
            self.assertEqual(await find_entries(self.make_finder(), search), ["x\r"])

    async def test_a_line_with_invalid_bytes_is_found(self) -> None:
        """By a regex, and by the replacement characters."""
        for invalid in (
            b"\xf4\x90\x80\x80",
            b"\xf5\x80\x80\x80",
            b"\xfd" + b"\xbf" * 5,
        ):
            self.write("odd", b"x" + invalid + b"y\n")
            line = (b"x" + invalid + b"y").decode("utf-8", "replace")
            for term, regex in (
                ("^x[^ ]{4,}y$", True),
                ("x\ufffd+y", True),
                (line, False),
            ):
                search = Search(term=term, regex=regex, dictionary="odd")
                self.assertEqual(await find_entries(self.make_finder(), search), [line])
