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
    NotReadyNow,
    QuoteNotFound,
)
from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.index import Index
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.query.queries import All, FindQuotes, Search
from twisted_quotes.search import cursor
from twisted_quotes.search import indexed_dictionary as volume
from twisted_quotes.search import indexed_library as volumes
from twisted_quotes.search import quote_search as quote_finder
from twisted_quotes.search.finder import Finder
from twisted_quotes.text.quotes import id_of

from ..cases import LOVE, Collected, RealGrepTestCase
from ..fakes import entries

HELENA, LYSANDER, POLONIUS = LOVE.removesuffix("\n").split("\n\n")


class EntriesTests(RealGrepTestCase):
    """Tests of entries that are whole quotes."""

    async def search(self, term: str, **fields: object) -> list[str]:
        """Search for whole quotes."""
        query = Search(term=term, unit="quote", **fields)  # type: ignore[arg-type]
        return await entries(self.make_finder(), query)

    async def test_words_are_found_across_a_line_break(self) -> None:
        """What comes back is the original, line breaks and blanks and all."""
        self.assertEqual(await self.search("true love never"), [LYSANDER])
        self.assertEqual(await self.search("is the soul of"), [POLONIUS])

    async def test_a_quote_comes_once_however_often_it_matches(self) -> None:
        """Quotes are counted, not lines."""
        self.assertEqual(await self.search("o"), [HELENA, LYSANDER, POLONIUS])

    async def test_case_words_and_patterns_go_as_for_lines(self) -> None:
        """And a pattern's ends are those of the quote."""
        self.assertEqual(
            await self.search("LOVE", ignore_case=True), [HELENA, LYSANDER]
        )
        self.assertEqual(await self.search("ove", whole_word=True), [])
        self.assertEqual(await self.search("^Brev.*nius$", regex=True), [POLONIUS])

    async def test_a_part_may_be_asked_for(self) -> None:
        """Offset and nresults count quotes."""
        self.assertEqual(await self.search("o", nresults=1), [HELENA])
        self.assertEqual(await self.search("o", nresults=1, offset=1), [LYSANDER])
        self.assertEqual(await self.search("o", offset=2), [POLONIUS])
        self.assertEqual(await self.search("o", offset=10**30), [])

    async def test_context_is_of_quotes(self) -> None:
        """Each entry is a piece of the file, as it stands there."""
        self.assertEqual(
            await self.search("Love", n_before=5, n_after=1),
            [f"{HELENA}\n\n{LYSANDER}"],
        )
        self.assertEqual(
            await self.search("o", n_before=1),
            [HELENA, f"{HELENA}\n\n{LYSANDER}", f"{LYSANDER}\n\n{POLONIUS}"],
        )

    async def test_context_in_a_fortune_file_keeps_its_separators(self) -> None:
        """The text is the original."""
        found = await self.search("No", dictionary="fortunes", n_after=1)
        self.assertEqual(found, ["No love\n\nlost.\n%\n%\nLove\nis blind."])

    async def test_all_quotes_come_in_order(self) -> None:
        """Of one dictionary, or of every one in the order of their names."""
        finder = self.make_finder()
        quotes = await entries(finder, All(unit="quote"))
        self.assertEqual(quotes, [HELENA, LYSANDER, POLONIUS])
        every = All(unit="quote", dictionary="*", offset=2, nresults=2)
        self.assertEqual(await entries(finder, every), [POLONIUS, "No love\n\nlost."])
        self.assertEqual(
            await entries(finder, All(unit="quote", dictionary="empty")), []
        )

    async def test_a_bad_pattern_is_the_callers_fault(self) -> None:
        """As it is for lines."""
        with self.assertRaises(BadRequest):
            await self.search("(", regex=True)

    async def test_a_dictionary_that_is_not_there_is_named(self) -> None:
        """Every dictionary may be none; one that is named must be there."""
        with self.assertRaises(DictionaryNotFound):
            await self.search("o", dictionary="none")
        with self.assertRaises(DictionaryForbidden):
            await self.search("o", dictionary="../x")


class FindTests(RealGrepTestCase):
    """Tests of quotes as data."""

    finder: Finder

    async def find(
        self, limit: int | None = 20, room: int = 1000, **fields: object
    ) -> Collected:
        """Find quotes."""
        results = Collected(limit, room)
        query = FindQuotes(**fields)  # type: ignore[arg-type]
        await self.make_finder().find(query, results)
        return results

    async def test_everything_is_known_of_a_quote(self) -> None:
        """Where it stands, who said it, and where the term stands in it."""
        [quote] = (await self.find(term="love never")).quotes
        self.assertEqual(quote.text, LYSANDER)
        self.assertEqual(quote.author, "Lysander")
        self.assertEqual(quote.dictionary, "dreams")
        self.assertEqual((quote.line, quote.last_line), (5, 7))
        self.assertEqual(quote.id, id_of(LYSANDER))
        [(start, end)] = quote.places
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
        self.assertEqual(found.quotes[0].places, ())
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
            [each.dictionary for each in found.quotes], ["dreams", "dreams", "fortunes"]
        )

    async def test_an_entry_has_its_limit(self) -> None:
        """Many quotes around one may be more than is sent."""
        self.write("many", "\n\n".join(["love"] + ["x" * 90] * 30))
        finder = self.make_finder()
        around = {"dictionary": "many", "term": "love", "unit": "quote"}
        with patch.object(volume, "MOST_BYTES", 1000):
            with self.assertRaises(EntryTooLong):
                await entries(finder, Search(**around, n_after=30))  # type: ignore[arg-type]
            [entry] = await entries(finder, Search(**around, n_after=3))  # type: ignore[arg-type]
        self.assertEqual(entry.count("x"), 270)

    async def test_long_quotes_among_short_ones_are_found(self) -> None:
        """However much longer they are than grep was expected to print."""
        quotes = ["no"] * 300 + [f"love {n} {'x' * 900}" for n in range(30)]
        self.write("many", "\n\n".join(quotes))
        with patch.object(cursor, "_MOST_OUTPUT", 1000):
            found = await self.find(None, dictionary="many", term="love")
        self.assertEqual(found.texts, quotes[300:])

    async def test_small_steps_find_the_same(self) -> None:
        """However much grep may print at a time, and is read at a time."""
        self.write("many", "\n\n".join(f"o {n} \u00e9\n-- a{n % 3}" for n in range(50)))
        whole = await self.find(None, dictionary="many", term="o", author="a1")
        with (
            patch.object(cursor, "_MOST_OUTPUT", 60),
            patch.object(cursor, "MOST_NUMBERS", 7),
            patch.object(quote_finder, "_BATCH", 3),
            patch.object(volume, "READ_AT_ONCE", 20),
        ):
            steps = await self.find(None, dictionary="many", term="o", author="a1")
            part = await self.find(4, dictionary="many", term="o", offset=3)
        self.assertEqual(steps.quotes, whole.quotes)
        self.assertEqual((steps.total, len(steps.quotes)), (17, 17))
        self.assertEqual(part.total, 50)
        self.assertEqual(
            [each.text[:3] for each in part.quotes], ["o 3", "o 4", "o 5", "o 6"]
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
            places = [q.text[a:b] for q in found for a, b in q.places]
            self.assertEqual(places, [there] if there else ["\u2019"], term)
        found = (
            await self.find(
                dictionary="spelt", term="CAF\u00c9|SU", regex=True, ignore_case=True
            )
        ).quotes
        self.assertEqual([text[a:b] for a, b in found[0].places], ["cafe\u0301", "su"])


class OneQuoteTests(RealGrepTestCase):
    """Tests of permalinks, and of what is known of dictionaries."""

    async def test_a_quote_is_found_by_its_id(self) -> None:
        """In whichever dictionary it is, whatever is written around it."""
        finder = self.make_finder()
        self.assertEqual((await finder.quote(id_of(POLONIUS))).text, POLONIUS)
        self.write("dreams", f"Something new.\n\n{POLONIUS}\n\nAnd more.\n")
        quote = await finder.quote(id_of(POLONIUS))
        self.assertEqual((quote.text, quote.line), (POLONIUS, 3))
        self.assertEqual(
            (await finder.quote(id_of("Love\nis blind."))).dictionary, "fortunes"
        )

    async def test_a_quote_that_was_changed_is_no_longer_there(self) -> None:
        """Its id was that of the old text."""
        finder = self.make_finder()
        self.write("dreams", LOVE.replace("soul", "heart"))
        with self.assertRaises(QuoteNotFound):
            await finder.quote(id_of(POLONIUS))

    async def test_the_first_of_two_dictionaries_has_it(self) -> None:
        """The same text has the same id wherever it stands."""
        self.write("a copy", POLONIUS)
        quote = await self.make_finder().quote(id_of(POLONIUS))
        self.assertEqual(quote.dictionary, "a copy")

    async def test_dictionaries_tell_how_many_quotes_they_have(self) -> None:
        """In the order of their names."""
        facts = await self.make_finder().dictionaries()
        self.assertEqual(
            [(each.name, each.count, each.state.size) for each in facts],
            [("dreams", 3, len(LOVE)), ("empty", 0, 0), ("fortunes", 2, 36)],
        )


class ChangeTests(RealGrepTestCase):
    """Tests of dictionaries that change while they are searched."""

    async def test_a_search_begins_anew_when_the_file_changes(self) -> None:
        """The answer is wholly from the new state."""
        read = volume.Volume.read
        written: list[bool] = []

        async def read_after_a_change(
            self_: volume.Volume, *how: Any, **more: Any
        ) -> object:
            if not written:
                written.append(True)
                self.write("dreams", "One love.\n\nTwo loves.\n")
            return await read(self_, *how, **more)

        self.patch(volume.Volume, "read", read_after_a_change)
        found = Collected()
        await self.make_finder().find(FindQuotes(term="love"), found)
        self.assertEqual(found.texts, ["One love.", "Two loves."])
        self.assertEqual(found.total, 2)

    async def test_a_dictionary_that_is_removed_meanwhile_is_passed_over(self) -> None:
        """Every dictionary is every one that is there."""
        finder = self.make_finder()
        search = Search(term="lo", unit="quote", dictionary="*")
        before = await entries(finder, search)
        open_ = volumes.Volumes.open

        def open_without_one(all_: volumes.Volumes, *what: Any) -> object:
            (self.folder / "fortunes").unlink(missing_ok=True)
            return open_(all_, *what)

        self.patch(volumes.Volumes, "open", open_without_one)
        self.assertEqual(await entries(finder, search), before[:3])

    async def test_one_that_is_busy_holds_up_none_of_the_others(self) -> None:
        """Of every dictionary it is left out; asked for by name, it is an error."""
        finder = self.make_finder_without("fortunes", DictionaryChanging())
        every = await entries(finder, All(unit="quote", dictionary="*"))
        self.assertEqual(every, [HELENA, LYSANDER, POLONIUS])
        with self.assertRaises(DictionaryChanging):
            await entries(finder, All(unit="quote", dictionary="fortunes"))

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
        finder = self.make_finder_without("fortunes", NotReadyNow("an index"))
        every = await entries(finder, All(unit="quote", dictionary="*"))
        self.assertEqual(every, [HELENA, LYSANDER, POLONIUS])
        self.assertEqual(finder.left_out, 1)
        self.assertEqual((await finder.quote(id_of(HELENA))).text, HELENA)
        with self.assertRaises(NotReadyNow):
            await entries(finder, All(unit="quote", dictionary="fortunes"))
        with self.assertRaises(NotReadyNow):
            await finder.quote(id_of("nowhere"))

    async def test_where_none_is_ready_nothing_is_said_to_be_found(self) -> None:
        """Not even in every dictionary."""
        finder = self.make_finder_without("", NotReadyNow("an index"))
        with self.assertRaises(NotReadyNow):
            await entries(finder, All(unit="quote", dictionary="*"))


class DamageTests(RealGrepTestCase):
    """Tests of indexes that are damaged while the service runs."""

    async def test_a_damaged_index_is_made_anew(self) -> None:
        """Whichever part of it is cut short or missing."""
        finder = self.make_finder()
        search = FindQuotes(term="love", author="ly")
        for name in ("texts", "authors", "ids", "spans", "summary.json"):
            for damage in (lambda path: path.write_bytes(b""), Path.unlink):
                whole = Collected()
                await finder.find(search, whole)
                self.assertEqual(whole.texts, [LYSANDER])
                for folder in self.cache.iterdir():
                    damage(folder / name)
        shutil.rmtree(self.cache)
        whole = Collected()
        await finder.find(search, whole)
        self.assertEqual(whole.texts, [LYSANDER])

    async def test_an_index_that_lies_is_no_endless_search(self) -> None:
        """What it says of its quotes may be wrong; the search ends all the same."""
        finder = self.make_finder()
        await entries(finder, All(unit="quote"))
        self.patch(volume.Volume, "_spans", lambda *how: iter(()))
        with self.assertRaises(DictionaryChanging):
            await entries(finder, All(unit="quote"))
