"""
Tests for L{twisted_quotes.quotes.author}.
"""

from __future__ import annotations

from time import process_time

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.author import split_attribution
from twisted_quotes.quotes.quote import Quote


class SplitTests(SynchronousTestCase):
    """Tests of authors and works."""

    def test_an_author_ends_at_the_first_comma(self) -> None:
        for attribution, author, work in (
            ("Mark Twain", "Mark Twain", None),
            ("Mark Twain,", "Mark Twain", None),
            ("Mark Twain, Tom Sawyer", "Mark Twain", "Tom Sawyer"),
            ("Oscar Wilde, Salome, Scene 1", "Oscar Wilde", "Salome, Scene 1"),
            ("Isaac Asimov, I, Robot", "Isaac Asimov", "I, Robot"),
            ("Joseph Conrad, Lord Jim", "Joseph Conrad", "Lord Jim"),
            ("A. Student, MA thesis", "A. Student", "MA thesis"),
            ("\u5b54\u5b50\uff0c\u8bba\u8bed", "\u5b54\u5b50", "\u8bba\u8bed"),
            (", a work", ", a work", None),
            ("", "", None),
        ):
            self.assertEqual(split_attribution(attribution), (author, work))

    def test_a_comma_before_a_suffix_belongs_to_the_name(self) -> None:
        for author in (
            *("Martin Luther King, Jr.", "Sammy Davis, Jr", "Henry Ford, III"),
            *(
                "Ann Lee, PhD",
                "Ann Lee, Ph.D.",
                "Ann Lee, M.D., Ph.D.",
                "T. More, Esq.",
            ),
            *(
                "John Dalberg, 1st Baron Acton",
                "Fran\u00e7ois, duc de La Rochefoucauld",
            ),
        ):
            self.assertEqual(split_attribution(author), (author, None))
            self.assertEqual(split_attribution(f"{author}, Book"), (author, "Book"))

    def test_the_time_grows_linearly(self) -> None:
        def measure(count: int) -> float:
            text = "A, 1st Jr, duc de M.D (" * count
            start = process_time()
            split_attribution(text)
            return process_time() - start

        measure(10)
        short = max(min(measure(500) for _ in range(5)), 1e-5)
        self.assertLess(min(measure(5000) for _ in range(3)) / short, 40)


class QuoteTests(SynchronousTestCase):
    """Tests of the parts of a quote."""

    def test_a_quote_has_its_parts(self) -> None:
        quote = Quote("x", 1, 3, "To be,\nor not.\n   -- Shakespeare, Hamlet")
        self.assertEqual((quote.author, quote.work), ("Shakespeare", "Hamlet"))
        self.assertEqual(quote.attribution, "Shakespeare, Hamlet")
        self.assertEqual((quote.quotation, quote.length), ("To be,\nor not.", 14))

    def test_a_quote_without_an_attribution_has_no_author(self) -> None:
        quote = Quote("x", 1, 1, "To be")
        self.assertEqual((quote.author, quote.work, quote.attribution), (None,) * 3)
        self.assertEqual((quote.quotation, quote.length), ("To be", 5))
