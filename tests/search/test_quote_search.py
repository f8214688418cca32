"""
Tests of finding whole quotes, with the real grep.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail

from twisted_quotes.errors import (
    BadRequest,
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    EntryTooLong,
    QuoteNotFound,
    ServiceNotReady,
)
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.index import Index
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.query.queries import All, FindQuotes, Search
from twisted_quotes.search import (
    cursor,
    indexed_dictionary,
    indexed_library,
    quote_search,
)
from twisted_quotes.search.finder import Finder
from twisted_quotes.text.quotes import quote_id

from ..cases import LOVE_TEXT, CollectedQuotes, RealGrepTestCase
from ..fakes import CollectedEntries, find_entries

HELENA, LYSANDER, POLONIUS = LOVE_TEXT.removesuffix("\n").split("\n\n")


class EntriesTests(RealGrepTestCase):
    """Tests of entries that are whole quotes."""

    async def search_quotes(self, term: str, **fields: object) -> list[str]:
        """Search for whole quotes."""
        query = Search(term=term, unit="quote", **fields)  # type: ignore[arg-type]
        return await find_entries(self.make_finder(), query)

    async def test_words_are_found_across_a_line_break(self) -> None:
        """What comes back is the original, line breaks and blanks and all."""
        self.assertEqual(await self.search_quotes("true love never"), [LYSANDER])
        self.assertEqual(await self.search_quotes("is the soul of"), [POLONIUS])

    async def test_a_quote_comes_once_however_often_it_matches(self) -> None:
        """Quotes are counted, not lines."""
        self.assertEqual(await self.search_quotes("o"), [HELENA, LYSANDER, POLONIUS])

    async def test_case_words_and_patterns_go_as_for_lines(self) -> None:
        """And a pattern's ends are those of the quote."""
        self.assertEqual(
            await self.search_quotes("LOVE", ignore_case=True), [HELENA, LYSANDER]
        )
        self.assertEqual(await self.search_quotes("ove", whole_word=True), [])
        self.assertEqual(
            await self.search_quotes("^Brev.*nius$", regex=True), [POLONIUS]
        )

    async def test_a_part_may_be_asked_for(self) -> None:
        """Offset and nresults count quotes."""
        self.assertEqual(await self.search_quotes("o", nresults=1), [HELENA])
        self.assertEqual(
            await self.search_quotes("o", nresults=1, offset=1), [LYSANDER]
        )
        self.assertEqual(await self.search_quotes("o", offset=2), [POLONIUS])
        self.assertEqual(await self.search_quotes("o", offset=10**30), [])

    async def test_context_is_of_quotes(self) -> None:
        """Each entry is a piece of the file, as it stands there."""
        self.assertEqual(
            await self.search_quotes("Love", n_before=5, n_after=1),
            [f"{HELENA}\n\n{LYSANDER}"],
        )
        self.assertEqual(
            await self.search_quotes("o", n_before=1),
            [HELENA, f"{HELENA}\n\n{LYSANDER}", f"{LYSANDER}\n\n{POLONIUS}"],
        )

    async def test_context_in_a_fortune_file_keeps_its_separators(self) -> None:
        """The text is the original."""
        found = await self.search_quotes("No", dictionary="fortunes", n_after=1)
        self.assertEqual(found, ["No love\n\nlost.\n%\n%\nLove\nis blind."])

    async def test_all_quotes_come_in_order(self) -> None:
        """Of one dictionary, or of every one in the order of their names."""
        finder = self.make_finder()
        quotes = await find_entries(finder, All(unit="quote"))
        self.assertEqual(quotes, [HELENA, LYSANDER, POLONIUS])
        every = All(unit="quote", dictionary="*", offset=2, nresults=2)
        self.assertEqual(
            await find_entries(finder, every), [POLONIUS, "No love\n\nlost."]
        )
        self.assertEqual(
            await find_entries(finder, All(unit="quote", dictionary="empty")), []
        )

    async def test_a_bad_pattern_is_the_callers_fault(self) -> None:
        """As it is for lines."""
        with self.assertRaises(BadRequest):
            await self.search_quotes("(", regex=True)

    async def test_a_dictionary_that_is_not_there_is_named(self) -> None:
        """Every dictionary may be none; one that is named must be there."""
        with self.assertRaises(DictionaryNotFound):
            await self.search_quotes("o", dictionary="none")
        with self.assertRaises(DictionaryForbidden):
            await self.search_quotes("o", dictionary="../x")


class FindTests(RealGrepTestCase):
    """Tests of quotes as data."""

    finder: Finder

    async def find(
        self, limit: int | None = 20, max_quotes: int = 1000, **fields: object
    ) -> CollectedQuotes:
        """Find quotes."""
        results = CollectedQuotes(limit, max_quotes)
        query = FindQuotes(**fields)  # type: ignore[arg-type]
        await self.make_finder().find_quotes(query, results)
        return results

    async def test_everything_is_known_of_a_quote(self) -> None:
        """Where it stands, who said it, and where the term stands in it."""
        [quote] = (await self.find(term="love never")).quotes
        self.assertEqual(quote.text, LYSANDER)
        self.assertEqual(quote.author, "Lysander")
        self.assertEqual(quote.dictionary_name, "dreams")
        self.assertEqual((quote.line, quote.last_line), (5, 7))
        self.assertEqual(quote.id, quote_id(LYSANDER))
        [(start, end)] = quote.match_spans
        self.assertEqual(quote.text[start:end], "love\nnever")

    async def test_all_are_counted_whatever_is_returned(self) -> None:
        """The total is of those passed over and those beyond the limit, too."""
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

    async def test_who_takes_no_more_gets_no_more(self) -> None:
        """But all are counted."""
        found = await self.find(20, 2, dictionary="*")
        self.assertEqual((found.total, found.returned), (5, 2))
        self.assertEqual(found.texts, [HELENA, LYSANDER])

    async def test_authors_are_found_whatever_their_case(self) -> None:
        """With a term, or without one; the text is not meant."""
        found = await self.find(author="LYS")
        self.assertEqual((found.total, found.texts), (1, [LYSANDER]))
        self.assertEqual(found.quotes[0].match_spans, ())
        self.assertEqual((await self.find(author="love")).texts, [])
        found = await self.find(author="l", term="o", limit=1)
        self.assertEqual((found.total, found.texts), (3, [HELENA]))
        found = await self.find(author="p", term="e")
        self.assertEqual((found.total, found.texts), (1, [POLONIUS]))

    async def test_every_dictionary_is_searched_in_order(self) -> None:
        """The totals add up, and each quote names its dictionary."""
        found = await self.find(dictionary="*", term="love", ignore_case=True, limit=3)
        self.assertEqual(found.total, 4)
        self.assertEqual(
            [each.dictionary_name for each in found.quotes],
            ["dreams", "dreams", "fortunes"],
        )

    async def test_an_entry_has_its_limit(self) -> None:
        """Many quotes around one may be more than is sent."""
        self.write("many", "\n\n".join(["love"] + ["x" * 90] * 30))
        finder = self.make_finder()
        around = {"dictionary": "many", "term": "love", "unit": "quote"}
        with patch.object(indexed_dictionary, "MAX_ENTRY_BYTES", 1000):
            with self.assertRaises(EntryTooLong):
                await find_entries(finder, Search(**around, n_after=30))  # type: ignore[arg-type]
            [entry] = await find_entries(finder, Search(**around, n_after=3))  # type: ignore[arg-type]
        self.assertEqual(entry.count("x"), 270)

    async def test_long_quotes_among_short_ones_are_found(self) -> None:
        """However much longer they are than grep was expected to print."""
        quotes = ["no"] * 300 + [f"love {n} {'x' * 900}" for n in range(30)]
        self.write("many", "\n\n".join(quotes))
        with patch.object(cursor, "_MAX_OUTPUT", 1000):
            found = await self.find(None, dictionary="many", term="love")
        self.assertEqual(found.texts, quotes[300:])

    async def test_small_steps_find_the_same(self) -> None:
        """However much grep may print at a time, and is read at a time."""
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

    async def test_spellings_are_one(self) -> None:
        """Composed or not, straight or curly, and the places are the text's own."""
        text = "He said \u201ccafe\u0301\u201d \u2013 it\u2019s  a\nre\u0301sume\u0301."
        self.write("spelt", text)
        for term, there in (
            ('"caf\u00e9"', "\u201ccafe\u0301\u201d"),
            ("\u2018", None),
            ("it's a r\u00e9s", "it\u2019s  a\nre\u0301s"),
            ("r\u00e9sum\u00e9", "re\u0301sume\u0301"),
            ("sume\u0301", "sume\u0301"),
        ):
            found = (await self.find(dictionary="spelt", term=term)).quotes
            matched_texts = [q.text[a:b] for q in found for a, b in q.match_spans]
            self.assertEqual(matched_texts, [there] if there else ["\u2019"], term)
        found = (
            await self.find(
                dictionary="spelt", term="CAF\u00c9|SU", regex=True, ignore_case=True
            )
        ).quotes
        self.assertEqual(
            [text[a:b] for a, b in found[0].match_spans], ["cafe\u0301", "su"]
        )


class OneQuoteTests(RealGrepTestCase):
    """Tests of permalinks, and of what is known of dictionaries."""

    async def test_a_quote_is_found_by_its_id(self) -> None:
        """In whichever dictionary it is, whatever is written around it."""
        finder = self.make_finder()
        self.assertEqual(
            (await finder.find_quote(quote_id(POLONIUS)))[0].text, POLONIUS
        )
        self.write("dreams", f"Something new.\n\n{POLONIUS}\n\nAnd more.\n")
        quote, _ = await finder.find_quote(quote_id(POLONIUS))
        self.assertEqual((quote.text, quote.line), (POLONIUS, 3))
        self.assertEqual(
            (await finder.find_quote(quote_id("Love\nis blind.")))[0].dictionary_name,
            "fortunes",
        )

    async def test_a_quote_that_was_changed_is_no_longer_there(self) -> None:
        """Its id was that of the old text."""
        finder = self.make_finder()
        self.write("dreams", LOVE_TEXT.replace("soul", "heart"))
        with self.assertRaises(QuoteNotFound):
            await finder.find_quote(quote_id(POLONIUS))

    async def test_the_first_of_two_dictionaries_has_it(self) -> None:
        """The same text has the same id wherever it stands."""
        self.write("a copy", POLONIUS)
        quote, _ = await self.make_finder().find_quote(quote_id(POLONIUS))
        self.assertEqual(quote.dictionary_name, "a copy")

    async def test_dictionaries_tell_how_many_quotes_they_have(self) -> None:
        """In the order of their names."""
        facts, is_complete = await self.make_finder().list_dictionaries()
        self.assertTrue(is_complete)
        self.assertEqual(
            [(each.name, each.quote_count, each.state.size) for each in facts],
            [("dreams", 3, len(LOVE_TEXT)), ("empty", 0, 0), ("fortunes", 2, 36)],
        )


class ChangeTests(RealGrepTestCase):
    """Tests of dictionaries that change while they are searched."""

    async def test_a_search_begins_anew_when_the_file_changes(self) -> None:
        """The answer is wholly from the new state."""
        read = indexed_dictionary.IndexedDictionary.read
        written: list[bool] = []

        async def read_after_a_change(
            self_: indexed_dictionary.IndexedDictionary, *how: Any, **more: Any
        ) -> object:
            if not written:
                written.append(True)
                self.write("dreams", "One love.\n\nTwo loves.\n")
            return await read(self_, *how, **more)

        self.patch(indexed_dictionary.IndexedDictionary, "read", read_after_a_change)
        found = CollectedQuotes()
        await self.make_finder().find_quotes(FindQuotes(term="love"), found)
        self.assertEqual(found.texts, ["One love.", "Two loves."])
        self.assertEqual(found.total, 2)

    async def test_a_dictionary_that_is_removed_meanwhile_is_passed_over(self) -> None:
        """Every dictionary is every one that is there."""
        finder = self.make_finder()
        search = Search(term="lo", unit="quote", dictionary="*")
        before = await find_entries(finder, search)
        open_ = indexed_library.IndexedLibrary.open

        def open_without_one(
            all_: indexed_library.IndexedLibrary, *what: Any
        ) -> object:
            (self.folder / "fortunes").unlink(missing_ok=True)
            return open_(all_, *what)

        self.patch(indexed_library.IndexedLibrary, "open", open_without_one)
        self.assertEqual(await find_entries(finder, search), before[:3])

    async def test_one_that_is_busy_holds_up_none_of_the_others(self) -> None:
        """Of every dictionary it is left out; asked for by name, it is an error."""
        finder = self.make_finder_without("fortunes", DictionaryChanging())
        every = await find_entries(finder, All(unit="quote", dictionary="*"))
        self.assertEqual(every, [HELENA, LYSANDER, POLONIUS])
        with self.assertRaises(DictionaryChanging):
            await find_entries(finder, All(unit="quote", dictionary="fortunes"))

    def make_finder_without(self, name: str, error: Exception) -> Finder:
        """A finder that has no index of a dictionary."""
        get = Indexes.get

        def get_unless(
            indexes: Indexes, dictionary: Dictionary, patient: bool = True
        ) -> Deferred[Index]:
            if dictionary.path.endswith(name):
                return fail(error)
            return get(indexes, dictionary, patient)

        self.patch(Indexes, "get", get_unless)
        return self.make_finder()

    async def test_one_whose_index_takes_too_long_holds_up_none_of_them(self) -> None:
        """It alone is not ready, and what may be in it is not said to be nowhere."""
        finder = self.make_finder_without("fortunes", ServiceNotReady("an index"))
        collected = CollectedEntries()
        await finder.find_entries(All(unit="quote", dictionary="*"), collected)
        self.assertEqual(collected.entries, [HELENA, LYSANDER, POLONIUS])
        self.assertFalse(collected.is_complete)
        quote, is_complete = await finder.find_quote(quote_id(HELENA))
        self.assertEqual((quote.text, is_complete), (HELENA, False))
        with self.assertRaises(ServiceNotReady):
            await find_entries(finder, All(unit="quote", dictionary="fortunes"))
        with self.assertRaises(ServiceNotReady):
            await finder.find_quote(quote_id("nowhere"))

    async def test_where_none_is_ready_nothing_is_said_to_be_found(self) -> None:
        """Not even in every dictionary."""
        finder = self.make_finder_without("", ServiceNotReady("an index"))
        with self.assertRaises(ServiceNotReady):
            await find_entries(finder, All(unit="quote", dictionary="*"))


class DamageTests(RealGrepTestCase):
    """Tests of indexes that are damaged while the service runs."""

    async def test_a_damaged_index_is_made_anew(self) -> None:
        """Whichever part of it is cut short or missing."""
        finder = self.make_finder()
        search = FindQuotes(term="love", author="ly")
        for name in ("texts", "authors", "ids", "spans", "summary.json"):
            for damage in (lambda path: path.write_bytes(b""), Path.unlink):
                all_quotes = CollectedQuotes()
                await finder.find_quotes(search, all_quotes)
                self.assertEqual(all_quotes.texts, [LYSANDER])
                for folder in self.cache.iterdir():
                    damage(folder / name)
        shutil.rmtree(self.cache)
        all_quotes = CollectedQuotes()
        await finder.find_quotes(search, all_quotes)
        self.assertEqual(all_quotes.texts, [LYSANDER])

    async def test_an_index_that_lies_is_no_endless_search(self) -> None:
        """What it says of its quotes may be wrong; the search ends all the same."""
        finder = self.make_finder()
        await find_entries(finder, All(unit="quote"))
        self.patch(
            indexed_dictionary.IndexedDictionary, "_spans", lambda *how: iter(())
        )
        with self.assertRaises(DictionaryChanging):
            await find_entries(finder, All(unit="quote"))
