"""
Tests for L{twisted_quotes.search.sources.quote_source}, with the real grep.
"""

from __future__ import annotations

import random

from twisted_quotes.errors import (
    DictionaryForbidden,
    DictionaryNotFound,
    ServiceNotReady,
)
from twisted_quotes.query.quote_queries import FindQuotes, SampleQuotes
from twisted_quotes.query.search_syntax import Condition, parse_search
from twisted_quotes.query.selection import has_capital

from ...cases import CollectedQuotes, RealGrepTestCase
from ...web.api.cases import index_missing

_WORDS = ["love", "Love", "night", "day", "sea", "star", "the", "of"]
_AUTHORS = ["Ann Author", "Bo Day", "Cy Star"]


def _contains(text: str, term: str, ignore_case: bool) -> bool:
    text = " ".join(text.split())
    return term.lower() in text.lower() if ignore_case else term in text


def _is_met(condition: Condition, text: str, author: str, name: str) -> bool:
    term = condition.term
    match condition.target:
        case "text":
            found = _contains(text, term, not has_capital(term))
        case "author":
            found = _contains(author, term, True)
        case "dictionary":
            found = term == name
    return found is not condition.excluded


class SearchesAsTypedTests(RealGrepTestCase):
    """Tests of the parameter C{q}."""

    async def find(self, *dictionaries: str, **fields: object) -> CollectedQuotes:
        """Find all quotes that a query selects."""
        results = CollectedQuotes(1000, 1000)
        query = FindQuotes(dictionary=dictionaries or ("*",), **fields)  # type: ignore[arg-type]
        await self.make_finder().find_quotes(query, results)
        return results

    async def test_the_matches_of_every_word_are_located(self) -> None:
        self.write("typed", "Night after\nnight, the sea.\n-- Ann\n\nThe night.\n")
        [quote] = (await self.find("typed", q="sea -x night OR y")).quotes
        self.assertEqual(
            [quote.text[a:b] for a, b in quote.match_spans], ["Night", "night", "sea"]
        )

    async def test_words_may_be_whole_words(self) -> None:
        self.write("typed", "an art\n\na heart\n")
        for whole_word, texts in ((True, ["an art"]), (False, ["an art", "a heart"])):
            found = await self.find("typed", q="art", whole_word=whole_word)
            self.assertEqual(found.texts, texts)

    async def test_lengths_are_those_without_the_attribution(self) -> None:
        """They are counted in code points, alone or with other conditions."""
        texts = ["1\u00e93.\n\t-- Ann Author", "12345", "12 - 45. -- Bo"]
        self.write("typed", "\n\n".join(texts))
        for fields, expected in (
            ({"min_length": 5}, texts[1:]),
            ({"max_length": 5}, texts[:2]),
            ({"min_length": 4, "max_length": 4}, texts[:1]),
            ({"min_length": 5, "max_length": 4}, []),
            ({"min_length": 10**30}, []),
            ({"max_length": 10**30, "term": "45"}, texts[1:]),
            ({"max_length": 5, "q": "-ann"}, [texts[1]]),
            ({"max_length": 5, "author": "ann"}, [texts[0]]),
        ):
            found = await self.find("typed", **fields)
            self.assertEqual(found.texts, expected, str(fields))
            self.assertEqual(found.total, len(expected))

    async def test_authors_with_combining_marks_are_found(self) -> None:
        text = "One.\n-- \u0938\u0924\u094d\u092f \u0928\u093e\u092e"
        self.write("typed", f"{text}\n\nTwo.\n-- Ren\u0065\u0301")
        for author, count in (
            *(("\u0938\u0924\u094d\u092f", 1), ("\u0928\u093e\u092e", 1)),
            *(("ren\u00e9", 1), ("REN\u00c9", 1), ("x", 0)),
        ):
            for fields in ({"author": author}, {"q": f'author:"{author}"'}):
                self.assertEqual((await self.find("typed", **fields)).total, count)

    async def test_blanks_around_an_author_do_not_count(self) -> None:
        self.write("typed", "One.\n-- Ann Author")
        for author in (" ann", "ann ", "\tann  author "):
            self.assertEqual((await self.find("typed", author=author)).total, 1)

    async def test_several_dictionaries_are_searched_in_order(self) -> None:
        for name in "abc":
            self.write(name, f"love zebra {name}")
        for names, search, texts in (
            (("c", "a", "c"), "zebra", ["love zebra a", "love zebra c"]),
            (("*",), "love in:c OR in:b -x", ["love zebra b", "love zebra c"]),
            (("c", "a"), "in:b OR in:c", ["love zebra c"]),
            (("c", "*"), "zebra c", ["love zebra c"]),
            (("c",), "in:a", []),
        ):
            self.assertEqual((await self.find(*names, q=search)).texts, texts)

    async def test_a_name_that_a_search_requires_must_exist(self) -> None:
        """One that it excludes, or that is an alternative, need not."""
        self.write("a", "love")
        with self.assertRaises(DictionaryNotFound):
            await self.find(q="love in:none")
        self.assertEqual((await self.find("a", q="love -in:none")).total, 1)
        self.assertEqual((await self.find("a", q="in:none OR love")).total, 1)
        self.assertEqual((await self.find("a", q="in:* love")).total, 1)

    async def test_a_named_dictionary_is_checked_although_it_is_not_searched(
        self,
    ) -> None:
        self.write("a", "love")
        with self.assertRaises(DictionaryNotFound):
            await self.find("none", q="in:a")
        with self.assertRaises(DictionaryForbidden):
            await self.find("../x", "a", q="in:a")

    async def test_a_named_dictionary_without_an_index_is_an_error(self) -> None:
        """Without a name, it is left out."""
        self.write("a", "zebra")
        self.write("b", "zebra")
        with index_missing(self.folder / "b"):
            with self.assertRaises(ServiceNotReady):
                await self.find("a", "b", q="zebra")
            self.assertEqual((await self.find(q="zebra")).total, 1)

    async def test_samples_have_each_text_that_is_selected(self) -> None:
        """Its copies in other dictionaries do not count."""
        for name in "ab":
            self.write(name, "zebra\n\nzebra\n\nlion")
        for search, expected in (
            ("zebra", ["zebra"]),
            ("zebra -in:a", ["zebra"]),
            ("in:b OR crocodile", ["lion", "zebra"]),
            ("lion -in:b", ["lion"]),
        ):
            results = CollectedQuotes(9)
            query = SampleQuotes(q=search, dictionary=("a", "b"), limit=9)
            await self.make_finder().find_quotes(query, results)
            self.assertEqual(sorted(results.texts), expected, search)

    async def test_searches_find_what_plain_python_finds(self) -> None:
        source = random.Random(5)
        library = {}
        for name in ("one", "two"):
            quotes = []
            for number in range(40):
                words = " ".join(source.choices(_WORDS, k=4))
                author = source.choice(_AUTHORS)
                quotes.append((f"{words}\nno {number}.\n-- {author}", author))
            library[name] = quotes
            self.write(name, "\n\n".join(text for text, _ in quotes))
        terms = [
            *_WORDS,
            '"the of"',
            '"star no"',
            "author:day",
            "in:one",
            "in:two",
            "7",
        ]
        for _ in range(60):
            pieces = []
            for _ in range(source.randint(1, 4)):
                term = source.choice(terms)
                minus = source.choice(["", "", "-"])
                pieces.append(minus + term + source.choice(["", "", " OR"]))
            search = " ".join(pieces).removesuffix(" OR")
            for name, quotes in library.items():
                expected = [
                    text
                    for text, author in quotes
                    if all(
                        any(_is_met(each, text, author, name) for each in group)
                        for group in parse_search(search)
                    )
                ]
                found = await self.find(name, q=search)
                self.assertEqual(found.texts, expected, search)
                self.assertEqual(found.total, len(expected), search)
