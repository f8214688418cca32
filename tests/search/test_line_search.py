"""
Tests of finding lines, with the real grep.
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


class EveryDictionaryTests(RealGrepTestCase):
    """Tests of every dictionary, one after another."""

    async def test_lines_come_in_the_order_of_the_names(self) -> None:
        """And each has the context of its own dictionary only."""
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

    async def test_a_part_may_be_asked_for(self) -> None:
        """Offset and nresults count entries of all dictionaries together."""
        for offset, nresults in ((0, 1), (1, 2), (3, 9), (4, 1), (1, 0)):
            query = All(dictionary="*", offset=offset, nresults=nresults)
            expected = [*LOVE_TEXT.split("\n")[:-1], *FORTUNES_TEXT.split("\n")[:-1]]
            end = offset + nresults if nresults else None
            self.assertEqual(
                await find_entries(self.make_finder(), query), expected[offset:end]
            )

    async def test_one_that_goes_meanwhile_is_not_missed(self) -> None:
        """One that is named is."""
        finder = self.make_finder()
        run = GrepSession.run

        async def run_without(greps: GrepSession, *how: Any) -> Outcome:
            (self.folder / "fortunes").unlink(missing_ok=True)
            return await run(greps, *how)

        self.patch(GrepSession, "run", run_without)
        found = await find_entries(finder, Search(term="love", dictionary="*"))
        self.assertEqual(found, ["\tThe course of true  love"])
        with self.assertRaises(DictionaryNotFound):
            await find_entries(finder, Search(term="love", dictionary="fortunes"))

    async def test_names_are_listed(self) -> None:
        """All, or a part of them."""
        finder = self.make_finder()
        self.assertEqual(
            await find_entries(finder, List()), ["dreams", "empty", "fortunes"]
        )
        self.assertEqual(
            await find_entries(finder, List(offset=1, nresults=1)), ["empty"]
        )


class ChangeTests(RealGrepTestCase):
    """Tests of a dictionary that is written to while it is searched."""

    def change(self, times: int) -> None:
        """Have the dictionary written to behind the back of so many greps."""
        run, left = GrepSession.run, list(range(times))

        async def run_and_write(greps: GrepSession, *how: Any) -> Outcome:
            outcome = await run(greps, *how)
            if left:
                self.write("dreams", f"love {left.pop()}\n" * 100)
            return outcome

        self.patch(GrepSession, "run", run_and_write)

    async def test_the_answer_is_from_one_state(self) -> None:
        """grep is run again when the file has changed under it."""
        self.change(times=2)
        found = await find_entries(self.make_finder(), Search(term="love", nresults=2))
        self.assertEqual(found, ["love 0", "love 0"])

    async def test_one_that_changes_all_the_time_is_given_up(self) -> None:
        """The caller may come again."""
        self.change(times=MAX_ATTEMPTS)
        with self.assertRaises(DictionaryChanging):
            await find_entries(self.make_finder(), Search(term="love"))


class NormalTextTests(RealGrepTestCase):
    """Tests of files whose bytes are not their text."""

    async def test_a_text_is_normalized_once(self) -> None:
        """The same line comes back, whichever way it was found."""
        self.write("odd", b"x\r\r\ny\n")
        for term, regex in (("x", False), ("x", True), ("^x.$", True)):
            search = Search(term=term, regex=regex, dictionary="odd")
            self.assertEqual(await find_entries(self.make_finder(), search), ["x\r"])

    async def test_a_line_with_bad_bytes_is_found(self) -> None:
        """By an expression, and by the characters that stand for its bad bytes."""
        for bad in (b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfd" + b"\xbf" * 5):
            self.write("odd", b"x" + bad + b"y\n")
            line = (b"x" + bad + b"y").decode("utf-8", "replace")
            for term, regex in (
                ("^x[^ ]{4,}y$", True),
                ("x\ufffd+y", True),
                (line, False),
            ):
                search = Search(term=term, regex=regex, dictionary="odd")
                self.assertEqual(await find_entries(self.make_finder(), search), [line])
