"""
Tests for L{twisted_quotes.search.quote_search}, with the real grep.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from twisted_quotes.errors import (
    BadRequest,
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    EntryTooLong,
    ServiceNotReady,
)
from twisted_quotes.library.packs import plan as plan_module
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.query.queries import All, Random, Search
from twisted_quotes.query.quote_queries import FindQuotes
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.search import quote_search
from twisted_quotes.search.sources import cursor, quote_reader
from twisted_quotes.search.sources.cursor import Cursor, MatchCursor
from twisted_quotes.search.sources.quote_source import QuoteSource

from ..cases import LOVE_TEXT, CollectedQuotes, RealGrepTestCase
from ..fakes import CollectedEntries, find_entries
from ..library.packs.cases import flip_byte
from ..web.api.cases import index_missing

HELENA, LYSANDER, POLONIUS = LOVE_TEXT.removesuffix("\n").split("\n\n")


class EntriesTests(RealGrepTestCase):
    """Tests of entries that are whole quotes."""

    async def search_quotes(self, term: str, **fields: object) -> list[str]:
        """Search for whole quotes."""
        query = Search(term=term, unit="quote", **fields)  # type: ignore[arg-type]
        return await find_entries(self.make_finder(), query)

    async def test_lines_and_quotes_ignore_case_by_the_same_rule(self) -> None:
        """Unicode's simple case folding, in which a dotless i is no i."""
        self.write("cases", "s\u0131k\n\nS\u0130K\n\nSIK\n\n\u017fi\u212a\n")
        for unit in ("line", "quote"):
            for term, regex, whole_word in (
                *(("sik", False, False), ("sik", False, True)),
                *(("^s[i]k$", True, False), ("s(i)k", True, True)),
            ):
                found = await find_entries(
                    self.make_finder(),
                    Search(
                        dictionary="cases",
                        unit=unit,
                        term=term,
                        regex=regex,
                        whole_word=whole_word,
                        ignore_case=True,
                    ),
                )
                self.assertEqual(found, ["SIK", "\u017fi\u212a"], (unit, term))

    async def test_entries_are_the_original_quotes(self) -> None:
        """They have their own line breaks, and context is counted in quotes."""
        for term, fields, expected in (
            ("true love never", {}, [LYSANDER]),
            ("is the soul of", {}, [POLONIUS]),
            ("o", {}, [HELENA, LYSANDER, POLONIUS]),
            ("LOVE", {"ignore_case": True}, [HELENA, LYSANDER]),
            ("ove", {"whole_word": True}, []),
            ("^Brev.*nius$", {"regex": True}, [POLONIUS]),
            ("o", {"nresults": 1}, [HELENA]),
            ("o", {"nresults": 1, "offset": 1}, [LYSANDER]),
            ("o", {"offset": 2}, [POLONIUS]),
            ("o", {"offset": 10**30}, []),
            ("Love", {"n_before": 5, "n_after": 1}, [f"{HELENA}\n\n{LYSANDER}"]),
            (
                "o",
                {"n_before": 1},
                [HELENA, f"{HELENA}\n\n{LYSANDER}", f"{LYSANDER}\n\n{POLONIUS}"],
            ),
            (
                "No",
                {"dictionary": "fortunes", "n_after": 1},
                ["No love\n\nlost.\n\nLove\nis blind."],
            ),
        ):
            with self.subTest(term=term, **fields):
                self.assertEqual(await self.search_quotes(term, **fields), expected)

    async def test_all_quotes_come_in_order(self) -> None:
        finder = self.make_finder()
        quotes = await find_entries(finder, All(unit="quote"))
        self.assertEqual(quotes, [HELENA, LYSANDER, POLONIUS])
        query = All(unit="quote", dictionary="*", offset=2, nresults=2)
        self.assertEqual(
            await find_entries(finder, query), [POLONIUS, "No love\n\nlost."]
        )
        self.assertEqual(
            await find_entries(finder, All(unit="quote", dictionary="empty")), []
        )

    async def test_an_invalid_query_is_an_error(self) -> None:
        for term, fields, error in (
            ("(", {"regex": True}, BadRequest),
            ("o", {"dictionary": "none"}, DictionaryNotFound),
            ("o", {"dictionary": "../x"}, DictionaryForbidden),
        ):
            with self.assertRaises(error):
                await self.search_quotes(term, **fields)


class QuotesTests(RealGrepTestCase):
    """Tests of quotes as results of API v2."""

    async def find(
        self,
        limit: int | None = 20,
        max_quotes: int = 1000,
        dictionary: str = "dreams",
        **fields: object,
    ) -> CollectedQuotes:
        """Find quotes in a dictionary, or in the library."""
        results = CollectedQuotes(limit, max_quotes)
        query = FindQuotes(dictionary=(dictionary,), **fields)  # type: ignore[arg-type]
        await self.make_finder().find_quotes(query, results)
        return results

    async def test_a_quote_has_its_position_author_and_spans(self) -> None:
        [quote] = (await self.find(term="love never")).quotes
        self.assertEqual(quote.text, LYSANDER)
        self.assertEqual(quote.author, "Lysander")
        self.assertEqual(quote.dictionary_name, "dreams")
        self.assertEqual((quote.line, quote.last_line), (5, 7))
        self.assertEqual(quote.id, quote_id(LYSANDER))
        [(start, end)] = quote.match_spans
        self.assertEqual(quote.text[start:end], "love\nnever")

    async def test_the_total_counts_all_matches(self) -> None:
        """Also those before the offset and beyond the limit."""
        for limit, offset, texts in (
            (1, 0, [HELENA]),
            (1, 2, [POLONIUS]),
            (2, 2, [POLONIUS]),
            (1, 9, []),
        ):
            found = await self.find(limit, offset=offset, term="o")
            self.assertEqual((found.total, found.texts), (3, texts))
            found = await self.find(limit, offset=offset)
            self.assertEqual((found.total, found.texts), (3, texts))

    async def test_results_that_reach_their_limit_get_the_total(self) -> None:
        found = await self.find(20, 2, dictionary="*")
        self.assertEqual((found.total, found.returned), (5, 2))
        self.assertEqual(found.texts, [HELENA, LYSANDER])

    async def test_authors_match_in_either_case(self) -> None:
        """With a term, or without one. The text does not match."""
        found = await self.find(author="LYS")
        self.assertEqual((found.total, found.texts), (1, [LYSANDER]))
        self.assertEqual(found.quotes[0].match_spans, ())
        self.assertEqual((await self.find(author="love")).texts, [])
        found = await self.find(author="l", term="o", limit=1)
        self.assertEqual((found.total, found.texts), (3, [HELENA]))
        found = await self.find(author="p", term="e")
        self.assertEqual((found.total, found.texts), (1, [POLONIUS]))

    async def test_a_dictionary_in_utf_16_is_searched(self) -> None:
        text = "\ufeffLove is\nblind.\n-- Jessica\n\n\u65e5 love\n"
        self.write("wide", text.encode("utf-16-be"))
        found = await find_entries(
            self.make_finder(), Search(term="ove", dictionary="wide")
        )
        self.assertEqual(found, ["Love is", "\u65e5 love"])
        found = await find_entries(
            self.make_finder(), Search(term="is blind", dictionary="wide", unit="quote")
        )
        self.assertEqual(found, ["Love is\nblind.\n-- Jessica"])

    async def test_all_dictionaries_are_searched_in_order(self) -> None:
        found = await self.find(dictionary="*", term="love", ignore_case=True, limit=3)
        self.assertEqual(found.total, 4)
        self.assertEqual(
            [each.dictionary_name for each in found.quotes],
            ["dreams", "dreams", "fortunes"],
        )

    async def test_an_entry_with_its_context_has_a_maximum_size(self) -> None:
        self.write("many", "\n\n".join(["love"] + ["x" * 90] * 30))
        finder = self.make_finder()
        query = {"dictionary": "many", "term": "love", "unit": "quote"}
        with patch.object(quote_reader, "MAX_ENTRY_BYTES", 1000):
            with self.assertRaises(EntryTooLong):
                await find_entries(finder, Search(**query, n_after=30))  # type: ignore[arg-type]
            [entry] = await find_entries(finder, Search(**query, n_after=3))  # type: ignore[arg-type]
        self.assertEqual(entry.count("x"), 270)

    async def test_quotes_much_longer_than_the_mean_are_found(self) -> None:
        quotes = ["no"] * 300 + [f"love {n} {'x' * 900}" for n in range(30)]
        self.write("many", "\n\n".join(quotes))
        with patch.object(cursor, "_MAX_OUTPUT", 1000):
            found = await self.find(None, dictionary="many", term="love")
        self.assertEqual(found.texts, quotes[300:])

    async def test_results_do_not_depend_on_the_batches(self) -> None:
        self.write("many", "\n\n".join(f"o {n} \u00e9\n-- a{n % 3}" for n in range(50)))
        all_quotes = await self.find(None, dictionary="many", term="o", author="a1")
        with (
            patch.object(cursor, "_MAX_OUTPUT", 60),
            patch.object(cursor, "MAX_POSITIONS", 7),
            patch.object(quote_search, "_BATCH_SIZE", 3),
            patch.object(CollectedQuotes, "batch_bytes", 20),
        ):
            steps = await self.find(None, dictionary="many", term="o", author="a1")
            page = await self.find(4, dictionary="many", term="o", offset=3)
        self.assertEqual(steps.quotes, all_quotes.quotes)
        self.assertEqual((steps.total, len(steps.quotes)), (17, 17))
        self.assertEqual(page.total, 50)
        self.assertEqual(
            [each.text[:3] for each in page.quotes], ["o 3", "o 4", "o 5", "o 6"]
        )

    async def test_spellings_match_each_other(self) -> None:
        """Spans are those of the original."""
        text = "He said \u201ccafe\u0301\u201d \u2013 it\u2019s  a\nre\u0301sume\u0301."
        self.write("spelt", text)
        for term, expected in (
            ('"caf\u00e9"', "\u201ccafe\u0301\u201d"),
            ("\u2018", None),
            ("it's a r\u00e9s", "it\u2019s  a\nre\u0301s"),
            ("r\u00e9sum\u00e9", "re\u0301sume\u0301"),
            ("sume\u0301", "sume\u0301"),
        ):
            found = (await self.find(dictionary="spelt", term=term)).quotes
            matched_texts = [q.text[a:b] for q in found for a, b in q.match_spans]
            self.assertEqual(
                matched_texts, [expected] if expected else ["\u2019"], term
            )
        found = (
            await self.find(
                dictionary="spelt", term="CAF\u00c9|SU", regex=True, ignore_case=True
            )
        ).quotes
        self.assertEqual(
            [text[a:b] for a, b in found[0].match_spans], ["cafe\u0301", "su"]
        )


class IncompleteTests(RealGrepTestCase):
    """Tests of libraries in which not every dictionary has an index."""

    async def test_a_dictionary_without_an_index_is_left_out(self) -> None:
        """A quote that may be in it is not reported as missing."""
        finder = self.make_finder()
        with index_missing(self.folder / "fortunes"):
            for query in (
                All(unit="quote", dictionary="*"),
                Random(dictionary="*", nresults=0),
            ):
                collected = CollectedEntries()
                await finder.find_entries(query, collected)
                self.assertEqual({*collected.entries}, {HELENA, LYSANDER, POLONIUS})
                self.assertFalse(collected.is_complete)
            found = await finder.find_quote(quote_id(HELENA))
            self.assertEqual((found.quote.text, found.is_complete), (HELENA, False))
            with self.assertRaises(ServiceNotReady):
                await find_entries(finder, All(unit="quote", dictionary="fortunes"))
            with self.assertRaises(ServiceNotReady):
                await finder.find_quote(quote_id("nowhere"))

    async def test_all_dictionaries_without_an_index_are_an_error(self) -> None:
        for name in ("empty", "fortunes"):
            (self.folder / name).unlink()
        with index_missing(self.folder / "dreams"), self.assertRaises(ServiceNotReady):
            await find_entries(self.make_finder(), All(unit="quote", dictionary="*"))

    async def test_lines_are_found_in_all_dictionaries(self) -> None:
        search = Search(term="love", dictionary="*")
        expected = await find_entries(self.make_finder(), search)
        with index_missing(self.folder / "fortunes"):
            finder = self.make_finder()
            self.write("dreams", LOVE_TEXT)
            self.assertEqual(await find_entries(finder, search), expected)


class PageTests(RealGrepTestCase):
    """Tests of quotes in several packs, which are searched at the same time."""

    async def test_the_first_quotes_are_found_although_later_ones_are_found_first(
        self,
    ) -> None:
        self.patch(plan_module, "LARGE_SIZE", 0)
        (self.folder / "empty").unlink()
        for limit in (2, 4):
            await self.check_late_part(limit)

    async def check_late_part(self, limit: int) -> None:
        """Check a page of which the first pack is searched last."""
        search = FindQuotes(term="e", limit=limit)
        expected = CollectedQuotes(limit)
        await self.make_finder().find_quotes(search, expected)
        open_cursor = QuoteSource.open_cursor
        fetch = MatchCursor.fetch
        later: Deferred[None] = Deferred()

        async def open_late(source: QuoteSource, *arguments: Any) -> Cursor:
            opened = await open_cursor(source, *arguments)
            if source.part.pack.dictionaries[0].name == "dreams":
                await later
            return opened

        async def fetch_and_go_on(fetched: MatchCursor, limit: int) -> Sequence[int]:
            positions = await fetch(fetched, limit)
            if not later.called:
                later.callback(None)
            return positions

        found = CollectedQuotes(limit)
        with (
            patch.object(QuoteSource, "open_cursor", open_late),
            patch.object(MatchCursor, "fetch", fetch_and_go_on),
        ):
            await self.make_finder(slots=8).find_quotes(search, found)
        self.assertEqual(found.texts, expected.texts)
        self.assertEqual(found.total, expected.total)


class DamageTests(RealGrepTestCase):
    """Tests of packs that are damaged while the service runs."""

    async def test_a_damaged_pack_is_built_again(self) -> None:
        finder = self.make_finder()
        search = FindQuotes(term="love", author="ly")
        for name in (
            "texts-0",
            "authors",
            "ids",
            "spans",
            "lines",
            "sorted-ids",
            "sorted-numbers",
        ):
            for damage in (lambda path: path.write_bytes(b""), Path.unlink):
                found = CollectedQuotes()
                await finder.find_quotes(search, found)
                self.assertEqual(found.texts, [LYSANDER])
                for folder in self.cache.iterdir():
                    damage(folder / name)
        shutil.rmtree(self.cache)
        found = CollectedQuotes()
        await finder.find_quotes(search, found)
        self.assertEqual(found.texts, [LYSANDER])

    async def test_lines_of_a_damaged_pack_are_found(self) -> None:
        finder = self.make_finder()
        search = Search(term="love", dictionary="*")
        expected = await find_entries(finder, search)
        for folder in self.cache.iterdir():
            (folder / "lines").unlink()
        self.assertEqual(await find_entries(finder, search), expected)

    async def test_a_quote_is_never_another_than_the_one_that_was_written(self) -> None:
        """Its id is checked. So a pack with other bytes is built again."""
        finder = self.make_finder()
        query = All(unit="quote", dictionary="*")
        expected = await find_entries(finder, query)
        for name in ("lines", "spans", "ids"):
            [folder] = self.cache.iterdir()
            path = folder / name
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
            self.assertEqual(await find_entries(finder, query), expected, name)

    async def test_a_wrong_byte_never_hides_a_quote(self) -> None:
        """Whatever file it is in, and whatever finds the quote."""
        finder = self.make_finder()
        search = FindQuotes(term="love", author="ly")
        for name in (
            *("texts-0", "authors", "ids", "spans", "lines"),
            *("sorted-ids", "sorted-numbers"),
        ):
            found = CollectedQuotes()
            await finder.find_quotes(search, found)
            self.assertEqual(found.texts, [LYSANDER], name)
            quote = (await finder.find_quote(quote_id(LYSANDER))).quote
            self.assertEqual(quote.text, LYSANDER)
            [folder] = self.cache.iterdir()
            path = folder / name
            for place in range(path.stat().st_size):
                flip_byte(path, place)

    async def test_a_search_of_packs_that_are_always_damaged_ends(self) -> None:
        finder = self.make_finder()
        await find_entries(finder, All(unit="quote"))

        def open_nothing(*_: object) -> None:
            raise PackDamaged("always")

        self.patch(Pack, "open", open_nothing)
        with self.assertRaises(DictionaryChanging):
            await find_entries(finder, All(unit="quote"))
