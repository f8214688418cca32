"""
Tests for L{twisted_quotes.search.line_search}, with the real grep.
"""

from __future__ import annotations

from random import Random
from typing import Any
from unicodedata import category

from msgspec.structs import replace
from twisted.logger import capturedLogs, formatEvent

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.errors import DictionaryChanging, DictionaryNotFound
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.library.packs import collection as collection_module
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import All, List, Search

from ..cases import FORTUNES_TEXT, LOVE_TEXT, RealGrepTestCase
from ..fakes import find_entries
from ..web.api.cases import index_missing


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

    async def test_a_dictionary_that_is_removed_meanwhile_is_found(self) -> None:
        """Without an index, it is skipped; it is an error if the query names it."""
        finder = self.make_finder()
        run = GrepSession.run

        async def remove_and_run(session: GrepSession, *arguments: Any) -> Outcome:
            (self.folder / "fortunes").unlink(missing_ok=True)
            return await run(session, *arguments)

        self.patch(GrepSession, "run", remove_and_run)
        search = Search(term="love", dictionary="*")
        lines = ["\tThe course of true  love", "No love"]
        self.assertEqual(await find_entries(finder, search), lines)
        self.write("fortunes", FORTUNES_TEXT)
        with index_missing(self.folder / "fortunes"):
            self.assertEqual(await find_entries(finder, search), lines[:1])
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

    async def test_a_pack_is_kept_while_a_search_waits_for_a_slot(self) -> None:
        self.patch(collection_module, "MAX_SUPERSEDED", 0)
        finder = self.make_finder()
        packs = finder.searchable_library.packs
        acquire = GrepRunner.acquire_session

        async def supersede_and_acquire(
            runner: GrepRunner, slot_request: SlotRequest
        ) -> GrepSession:
            packs.collection.supersede([])
            return await acquire(runner, slot_request)

        self.patch(GrepRunner, "acquire_session", supersede_and_acquire)
        with capturedLogs() as events:
            found = await find_entries(finder, Search(term="blind", dictionary="*"))
        self.assertEqual(len(found), 1)
        self.assertEqual([x for x in events if "damaged" in (formatEvent(x) or "")], [])


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


class WholeWordTests(RealGrepTestCase):
    """Tests of whole words with combining marks, in lines and in quotes."""

    async def find(self, term: str, **fields: Any) -> list[list[str]]:
        """Return the lines, and the quotes, that have a whole word."""
        return [
            await find_entries(
                self.make_finder(),
                Search(
                    term=term, dictionary="marks", whole_word=True, unit=unit, **fields
                ),
            )
            for unit in ("line", "quote")
        ]

    async def test_marks_and_joiners_belong_to_the_word(self) -> None:
        for text, part, word in (
            (
                "\u0938\u0924\u094d\u092f \u0915\u0940 \u091c\u0940\u0924",
                "\u0938\u0924",
                "\u0915\u0940",
            ),
            ("q\u0301uick q\u0301", "q", "q\u0301"),
            ("\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd \u05d0", "\u05e9", "\u05d0"),
            (
                "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u06a9\u0647",
                "\u0645\u06cc",
                "\u06a9\u0647",
            ),
            ("co\xadop up", "co", "up"),
        ):
            self.write("marks", f"{text}\n")
            for regex in (False, True):
                for ignore_case in (False, True):
                    options = {"regex": regex, "ignore_case": ignore_case}
                    found = [await self.find(each, **options) for each in (part, word)]
                    self.assertEqual(found, [[[], []], [[text], [text]]], ascii(text))

    async def test_lines_are_the_same_as_those_found_by_python(self) -> None:
        """Whether they are found at once or in pieces, with context or without."""
        source = Random(1)
        alphabet = "ab -\u00e9\u0301\u0903\u094d\u0940\u0e31\u200d\U00017005"
        pieces = alphabet.replace("\U00017005", "")
        for _ in range(30):
            lines = ["".join(source.choices(alphabet, k=9)) for _ in range(30)]
            self.write("marks", "".join(f"{line}\r\n" for line in lines))
            term = "".join(source.choices(pieces, k=source.randint(1, 2)))
            search = Search(term=term, dictionary="marks", whole_word=True)
            expected = [line for line in lines if has_whole_word(line, term)]
            found = await find_entries(self.make_finder(), search)
            self.assertEqual(found, expected, ascii(term))
            with_context = replace(search, n_before=1)
            entries = await find_entries(self.make_finder(), with_context)
            self.assertEqual([x.split("\n")[-1] for x in entries], expected)

    async def test_many_lines_are_read_in_pieces(self) -> None:
        line = "\u0915\u0940 " + "\u0938\u0924\u094d " * 10
        self.write("marks", f"{line}\n\u0938\u0924\n" * 20_000)
        lines, _ = await self.find("\u0915\u0940", offset=1)
        self.assertEqual(lines, [line] * 19_999)
        lines, _ = await self.find("\u0938\u0924", nresults=5, n_before=1)
        self.assertEqual(lines, [f"{line}\n\u0938\u0924"] * 5)

    async def test_a_capital_sharp_s_is_found_in_either_case(self) -> None:
        self.write("marks", "Die stra\u00dfe.\n")
        found = await self.find("STRA\u1e9eE", ignore_case=True)
        self.assertEqual(found, [["Die stra\u00dfe."]] * 2)


def has_whole_word(line: str, word: str) -> bool:
    """Return whether a line has a word with nothing else of a word around it."""
    return any(
        line.startswith(word, at)
        and not is_word(line[at - 1 : at] if at else "")
        and not is_word(line[at + len(word) : at + len(word) + 1])
        for at in range(len(line))
    )


def is_word(character: str) -> bool:
    """Return whether a character, or none, is part of a word."""
    is_mark = bool(character) and category(character).startswith("M")
    # Letters of Tangut are exchanged with marks.
    return (
        is_mark
        or (character.isalnum() and character < "\U00017000")
        or character in ("_", "\u200d")
    )
