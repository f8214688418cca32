"""
Tests for L{twisted_quotes.web.api.quotable.queries}.
"""

from __future__ import annotations

from time import process_time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.query.selection import Criterion, Pattern, Selection
from twisted_quotes.web.api.quotable.parameters import SearchQuotes
from twisted_quotes.web.api.quotable.queries import (
    FindByCriteria,
    SampleByCriteria,
    index_tags,
    resolve_tags,
    search_criteria,
)

TAGS = index_tags(["Civil Rights", "civil-rights", "history", "pets/cats", "science"])


def text(word: str) -> Criterion:
    return Criterion("text", Pattern(word, ignore_case=True, whole_word=True))


def dictionary(name: str) -> Criterion:
    return Criterion("dictionary", Pattern(name))


class ResolveTagsTests(SynchronousTestCase):
    def test_tags_stand_for_dictionaries(self) -> None:
        """Whatever their case, with blanks or hyphens."""
        for tags, names in (
            ("", EVERY_DICTIONARY),
            ("history", ("history",)),
            ("History|science", ("history", "science")),
            ("history|civil-rights", ("Civil Rights", "civil-rights", "history")),
            ("CIVIL RIGHTS", ("Civil Rights", "civil-rights")),
            ("Pets/Cats", ("pets/cats",)),
            ("history,History", ("history",)),
            ("history|nothing", ("history",)),
            # A quote has only one tag.
            ("history,science", ()),
            ("history,nothing", ()),
            ("nothing", ()),
        ):
            self.assertEqual(resolve_tags(tags, TAGS), names)

    def test_both_separators_are_an_error(self) -> None:
        with self.assertRaises(BadRequest) as raised:
            resolve_tags("a,b|c", TAGS)
        self.assertIn('"tags" has both', raised.exception.message)

    def test_too_many_dictionaries_are_an_error(self) -> None:
        tags = index_tags(f"a{'-' * number}b" for number in range(1, 200))
        with self.assertRaises(BadRequest) as raised:
            resolve_tags("a-b", tags)
        self.assertIn("199 dictionaries", raised.exception.message)


class SearchCriteriaTests(SynchronousTestCase):
    def criteria(self, query: str, fields: str = "content,author,tags") -> list[Any]:
        return list(search_criteria(SearchQuotes(query=query, fields=fields), TAGS))

    def test_all_words_come_before_any_word(self) -> None:
        self.assertEqual(
            self.criteria("life happiness"),
            [
                ((text("life"),), (text("happiness"),)),
                ((text("life"), text("happiness")),),
            ],
        )

    def test_one_word_is_searched_for_once(self) -> None:
        for query in ("life", " life. ", "life life"):
            self.assertEqual(self.criteria(query)[0][0], (text("life"),))
        self.assertEqual(len(self.criteria("life")), 1)

    def test_a_query_in_quotation_marks_is_a_phrase(self) -> None:
        for query in (
            '"divided house"',
            "\u201cdivided house\u201d",
            ' " divided house " ',
        ):
            self.assertEqual(self.criteria(query), [((text("divided house"),),)])

    def test_a_long_query_is_read_in_linear_time(self) -> None:
        def measure(size: int) -> float:
            query = '"' + " " * size + "a" * size + " " * size + "!"
            start = process_time()
            self.criteria(query)
            return process_time() - start

        short = max(min(measure(30) for _ in range(5)), 1e-5)
        self.assertLess(min(measure(330) for _ in range(3)) / short, 100)

    def test_words_keep_their_apostrophes_and_hyphens(self) -> None:
        [all_words, _] = self.criteria("don't well-known!")
        self.assertEqual(all_words, ((text("don't"),), (text("well-known"),)))

    def test_a_word_of_a_tag_is_the_whole_dictionary(self) -> None:
        cats = dictionary("pets/cats")
        self.assertEqual(self.criteria("cats"), [((text("cats"), cats),)])
        self.assertEqual(self.criteria("cats", "tags"), [((cats,),)])
        self.assertEqual(self.criteria("cat", "tags"), [])

    def test_a_word_without_a_tag_is_left_out(self) -> None:
        """Of the search for any word. No quote has all of them."""
        found = self.criteria("cats dogs", "tags")
        self.assertEqual(found, [((dictionary("pets/cats"),),)])

    def test_authors_are_searched_alone(self) -> None:
        """A text includes its attribution."""
        author = Criterion("author", Pattern("kennedy", True, True))
        self.assertEqual(self.criteria("kennedy", "author"), [((author,),)])
        both = self.criteria("kennedy", "author,content")
        self.assertEqual(both, [((text("kennedy"),),)])

    def test_no_words_or_too_many_are_an_error(self) -> None:
        for query in ("?!", '"', "x " * 33):
            with self.assertRaises(BadRequest) as raised:
                self.criteria(query)
            self.assertIn('"query" has', raised.exception.message)
        self.assertEqual(len(self.criteria("x " * 32)), 2)


class FurtherCriteriaTests(SynchronousTestCase):
    def test_they_are_added_to_those_of_the_query(self) -> None:
        groups = ((text("a"),), (text("b"),))
        for query_type in (FindByCriteria, SampleByCriteria):
            query = query_type(criteria=groups, max_length=3)
            self.assertEqual(query.selection, Selection(None, groups, range(4)))
            self.assertEqual(query_type().selection, Selection())
