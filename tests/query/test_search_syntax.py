"""
Tests for L{twisted_quotes.query.search_syntax}.
"""

from __future__ import annotations

import random

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.search_syntax import Condition, parse_search


def all_of(*words: str) -> tuple[tuple[Condition, ...], ...]:
    return tuple((Condition(word),) for word in words)


class ParseSearchTests(SynchronousTestCase):
    """Tests for L{parse_search}."""

    def test_all_words_must_occur(self) -> None:
        self.assertEqual(
            parse_search(" truth \t is\nstranger "),
            all_of(*["truth", "is", "stranger"]),
        )

    def test_a_phrase_is_one_term(self) -> None:
        for text in (
            'say "two words"',
            'say "two words',
            "say\u201ctwo words\u201d",
            '" two words"say',
        ):
            self.assertEqual(
                set(parse_search(text)), set(all_of("say", "two words")), text
            )

    def test_a_minus_excludes_a_word_or_a_phrase(self) -> None:
        self.assertEqual(
            parse_search('a -b -"c d" -author:e -in:"f g"'),
            (
                (Condition("a"),),
                (Condition("b", excluded=True),),
                (Condition("c d", excluded=True),),
                (Condition("e", "author", excluded=True),),
                (Condition("f g", "dictionary", excluded=True),),
            ),
        )

    def test_a_minus_excludes_a_word_of_any_characters(self) -> None:
        for word in ("'tis", "\U0001f600", "$100", "_x", "#tag", "(a"):
            self.assertEqual(
                parse_search(f"-{word}"), ((Condition(word, excluded=True),),)
            )

    def test_a_dash_is_a_word(self) -> None:
        self.assertEqual(
            parse_search("a - b -- c well-known --d"),
            all_of("a", "-", "b", "--", "c", "well-known", "--d"),
        )

    def test_or_joins_the_terms_beside_it(self) -> None:
        self.assertEqual(
            parse_search('a b OR "c d" OR -e f'),
            (
                (Condition("a"),),
                (Condition("b"), Condition("c d"), Condition("e", excluded=True)),
                (Condition("f"),),
            ),
        )
        self.assertEqual(parse_search("a OR OR b"), parse_search("a OR b"))

    def test_an_or_that_joins_nothing_is_a_word(self) -> None:
        self.assertEqual(parse_search("OR a"), all_of("OR", "a"))
        self.assertEqual(parse_search("a OR"), all_of("a", "OR"))
        self.assertEqual(parse_search("OR"), all_of("OR"))
        self.assertEqual(parse_search('a or "OR" b'), all_of("a", "or", "OR", "b"))

    def test_fields_take_a_word_or_a_phrase(self) -> None:
        self.assertEqual(
            parse_search('author:twain Author:"mark twain" in:en/wit IN:b'),
            (
                (Condition("twain", "author"),),
                (Condition("mark twain", "author"),),
                (Condition("en/wit", "dictionary"),),
                (Condition("b", "dictionary"),),
            ),
        )

    def test_a_field_without_a_value_is_a_word(self) -> None:
        self.assertEqual(parse_search("author: twain"), all_of("author:", "twain"))
        self.assertEqual(parse_search('in:""'), all_of("in:"))
        self.assertEqual(parse_search("work:x http://y"), all_of("work:x", "http://y"))

    def test_blanks_and_quotation_marks_are_no_search(self) -> None:
        for text in ("", " \n", '""', '" " "'):
            self.assertEqual(parse_search(text), (), text)

    def test_every_text_is_a_search(self) -> None:
        """Only blanks and quotation marks are none, and no character gets lost."""
        source = random.Random(1)
        pieces = [*'ab-":. \n\u201c', "OR", "author:", "in:", " OR "]
        for _ in range(5000):
            text = "".join(source.choices(pieces, k=source.randint(1, 12)))
            conditions = parse_search(text)
            self.assertEqual(bool(conditions), bool(text.strip(' \n"\u201c')), text)
            for group in conditions:
                for condition in group:
                    self.assertIn(condition.term, text.replace("\u201c", '"'))
                    self.assertEqual(condition.term, condition.term.strip())
