"""
Tests for L{twisted_quotes.web.api.quotable.authors}.
"""

from __future__ import annotations

import subprocess

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import BadRequest
from twisted_quotes.search.lookups.authors import Author
from twisted_quotes.web.api.quotable.authors import AuthorIndex

AUTHORS = [
    Author("Abigail Adams", 1),
    Author("Albert Einstein", 4),
    Author("John Adams", 5),
    Author("John F. Kennedy", 8),
    Author("JOHN LENNON", 1),
    Author("John Lennon", 2),
    Author("John Quincy Adams", 9),
    Author("Martin Luther King", 2),
    Author("Martin Luther King, Jr.", 6),
    Author("Saint Augustine of Hippo", 3),
]


class AuthorIndexTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.index = AuthorIndex(AUTHORS)

    def test_spellings_with_the_same_slug_are_one_author(self) -> None:
        """Named as in most quotes."""
        author = self.index.by_slug["john-lennon"]
        self.assertEqual((author.name, author.quote_count), ("John Lennon", 3))
        self.assertEqual(author.spellings, ["JOHN LENNON", "John Lennon"])
        self.assertEqual(len(self.index.by_slug), len(AUTHORS) - 1)

    def test_authors_are_found_by_name_or_slug(self) -> None:
        for names, slugs in (
            ("albert-einstein", ["albert-einstein"]),
            ("Albert Einstein", ["albert-einstein"]),
            ("john-adams|albert-einstein", ["john-adams", "albert-einstein"]),
            ("John Adams | nobody|john-adams", ["john-adams"]),
            ("einstein", []),
            ("|", []),
        ):
            found = [author.slug for author in self.index.find(names)]
            self.assertEqual(found, slugs)

    def test_authors_are_sorted(self) -> None:
        """Those with equal numbers of quotes by name."""
        names = sorted(self.index.by_slug)
        for descending in (False, True):
            found = self.index.sorted_by("name", descending)
            expected = names[::-1] if descending else names
            self.assertEqual([each.slug for each in found], expected)
        found = self.index.sorted_by("quoteCount", True)
        counts = [each.quote_count for each in found]
        self.assertEqual(counts, sorted(counts, reverse=True))
        threes = [each.slug for each in found if each.quote_count == 3]
        self.assertEqual(threes, ["john-lennon", "saint-augustine-of-hippo"])
        found = self.index.sorted_by("quoteCount", False, "john-adams|abigail-adams")
        slugs = [each.slug for each in found]
        self.assertEqual(slugs, ["abigail-adams", "john-adams"])

    def search(
        self, query: str, autocomplete: bool = True, threshold: int = 2
    ) -> list[str]:
        found = self.index.search(query, autocomplete, threshold)
        return [author.name for author in found]

    def test_the_examples_of_the_documentation(self) -> None:
        for query, names in (
            ("Einstein", ["Albert Einstein"]),
            ("Einst", ["Albert Einstein"]),
            ("john adams", ["John Adams", "John Quincy Adams"]),
            ("john quincy adams", ["John Quincy Adams", "John Adams"]),
            ("John F. Kennedy", ["John F. Kennedy"]),
            ("Saint Augustine of Hippo", ["Saint Augustine of Hippo"]),
            ("Augustine Hippo", ["Saint Augustine of Hippo"]),
        ):
            self.assertEqual(self.search(query), names, query)

    def test_the_threshold_is_the_number_of_words_that_must_match(self) -> None:
        names = self.search("John F. Kennedy", threshold=1)
        self.assertEqual(names[0], "John F. Kennedy")
        self.assertEqual(len(names), 4)
        self.assertEqual(
            self.search("john quincy adams", threshold=3), ["John Quincy Adams"]
        )

    def test_without_autocomplete_whole_words_must_match(self) -> None:
        self.assertEqual(self.search("Einst", autocomplete=False), [])
        self.assertEqual(
            self.search("einstein", autocomplete=False), ["Albert Einstein"]
        )

    def test_initials_and_titles_count_if_there_is_nothing_else(self) -> None:
        self.assertEqual(self.search("saint"), ["Saint Augustine of Hippo"])
        self.assertEqual(self.search("F."), ["John F. Kennedy"])
        self.assertEqual(self.search("?"), [])

    def test_too_many_words_are_an_error(self) -> None:
        self.assertEqual(self.search("x " * 32), [])
        with self.assertRaises(BadRequest) as raised:
            self.search("x " * 33)
        self.assertIn('"query" has 33 words', raised.exception.message)

    def attributions_of(self, names: str, *attributions: str) -> list[str]:
        """Return the attributions that the criteria for some authors select."""
        selected = list(attributions)
        for [criterion] in self.index.criteria(self.index.find(names)):
            self.assertEqual(criterion.target, "author")
            self.assertTrue(criterion.pattern.regex)
            found = subprocess.run(
                ["grep", "-E", "-e", criterion.pattern.term],
                input="\n".join(attributions),
                env={"LC_ALL": "C.UTF-8"},
                capture_output=True,
                text=True,
            ).stdout.splitlines()
            selected = [
                each for each in selected if (each in found) != criterion.excluded
            ]
        return selected

    def test_the_criteria_select_whole_names(self) -> None:
        self.assertEqual(
            self.attributions_of(
                "john-lennon",
                *("John Lennon", "JOHN LENNON, Imagine", "Sean John Lennon"),
                *("John Lennons", "John Lennon , A Spaniard", "About John Lennon, 1"),
            ),
            ["John Lennon", "JOHN LENNON, Imagine", "John Lennon , A Spaniard"],
        )

    def test_a_name_is_not_that_of_a_junior(self) -> None:
        attributions = (
            *("Martin Luther King", "Martin Luther King, Jr.", "King"),
            *("Martin Luther King, Jr., Letter", "Martin Luther King, 1930"),
        )
        self.assertEqual(
            self.attributions_of("martin-luther-king", *attributions),
            ["Martin Luther King", "Martin Luther King, 1930"],
        )
        self.assertEqual(
            self.attributions_of("martin-luther-king-jr", *attributions),
            ["Martin Luther King, Jr.", "Martin Luther King, Jr., Letter"],
        )
        self.assertEqual(
            len(
                self.attributions_of(
                    "martin-luther-king|martin-luther-king-jr", *attributions
                )
            ),
            4,
        )

    def test_names_are_no_regular_expressions(self) -> None:
        name = r"a.b*c[d]e(f)g{h}i|j^k$l\m+n?o"
        self.index = AuthorIndex([Author(name, 1), Author("x.y", 1)])
        self.assertEqual(self.attributions_of(name.replace("|", " "), name), [name])
        self.assertEqual(self.attributions_of("x.y", "xzy", "x.y"), ["x.y"])

    def test_names_are_normalized_as_attributions_are(self) -> None:
        """Before they are searched for."""
        self.index = AuthorIndex([Author("O\u2019Brien  \u201cBob\u201d", 1)])
        attribution = 'O\'Brien "Bob"'
        found = self.attributions_of("obrien-bob", attribution)
        self.assertEqual(found, [attribution])

    def test_names_that_are_too_long_are_an_error(self) -> None:
        self.index = AuthorIndex([Author("x" * 20000, 1)])
        with self.assertRaises(BadRequest):
            self.index.criteria(self.index.find("x" * 20000))
