"""
Tests of the time that it takes to read text that nobody would write.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.attribution import parse_attribution
from twisted_quotes.quotes.formats import QuoteFormat, detect_format
from twisted_quotes.quotes.inline_attribution import ends_quote
from twisted_quotes.quotes.terminal import remove_terminal_marks

from ..text.test_normalization import measure_cpu_time

SMALL, LARGE = 4_000, 64_000
PARTS = (
    *("-- A\n", "- A - A", " - ", "\n\t\t-- Ann,", "\u2014", "- ", "~", "\t", "a\t"),
    *("(", "(A) ", "[", '"', "\u201c", ".", ". ", '."', "?", "\n", " ", "\n\n", " \n"),
    *("-- (\n", '-- "A\n', "\n-- A,\n   b", "%%\n", "\n%", "{ ", '[ "', "A. "),
)


class CostTests(SynchronousTestCase):
    """Tests that compare the time for a text with that for one 16 times as long."""

    def check(self, read: Callable[[str], object], *texts: str) -> None:
        """Check that the time for repetitions of each text is linear."""
        for text in texts:
            short = text * (SMALL // len(text))
            long = text * (LARGE // len(text))
            once = measure_cpu_time(partial(read, short))
            more = measure_cpu_time(partial(read, long))
            # A quadratic time would be 256 times as long.
            self.assertLess(more, 64 * once + 0.005, repr(text))

    def test_attributions(self) -> None:
        self.check(parse_attribution, *PARTS)
        self.check(lambda text: parse_attribution(f"One.\n-- A{text}"), *PARTS)
        self.check(lambda text: parse_attribution(f"{text}\n-- Ann"), *PARTS)

    def test_ends_of_lines(self) -> None:
        self.check(ends_quote, *PARTS)

    def test_terminal_marks(self) -> None:
        texts = ("\b", "a\b", "_\b\u0301", "a", "a\n", "\x1b[1m", "\x1b[", "\x1b]a")
        self.check(lambda text: remove_terminal_marks(f"{text}\n\b\x1b"), *texts)
        self.check(lambda text: remove_terminal_marks(f"a\b{text}"), "\u0301", "a\b")

    def test_formats(self) -> None:
        def read(text: str) -> None:
            for quote_format in (
                detect_format(BytesIO(text.encode())),
                QuoteFormat("percent", rot13=True),
            ):
                for _, data in quote_format.split(BytesIO(text.encode()), 0):
                    quote_format.decode(data)

        self.check(read, *PARTS)
