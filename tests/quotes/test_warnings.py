"""
Tests for L{twisted_quotes.quotes.warnings}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.formats import QuoteFormat
from twisted_quotes.quotes.warnings import WarningCollector


class WarningsTests(SynchronousTestCase):
    """Tests of L{WarningCollector}."""

    def warnings_of(self, *quotes: bytes) -> list[str]:
        """Return the warnings about a dictionary with some quotes."""
        collector = WarningCollector()
        for data in quotes:
            collector.add(data, QuoteFormat("blank-line").decode(data))
        return collector.warnings

    def test_a_text_has_none(self) -> None:
        for quotes in ([], [b"one", "tw\u00f6 \ufffd".encode()], [b"[one] {two}"]):
            self.assertEqual(self.warnings_of(*quotes), [])

    def test_places_that_are_not_utf_8_are_counted(self) -> None:
        self.assertEqual(self.warnings_of(b"caf\xe9"), ["1 place is not UTF-8"])
        self.assertEqual(
            self.warnings_of(b"caf\xe9 \xe8", "\ufffd".encode(), b"\xff"),
            ["3 places are not UTF-8"],
        )

    def test_other_formats_are_recognized_by_their_start(self) -> None:
        for data, name in (
            (b'[\n  {"text": "one"}]', "JSON"),
            (b'{"quotes": []}', "JSON"),
            (b"<!DOCTYPE html><p>one", "HTML"),
            (b"<?xml version='1.0'?>", "XML"),
        ):
            warning = f"looks like {name}, but is read as plain text"
            self.assertEqual(self.warnings_of(data, b"two"), [warning])
            self.assertEqual(self.warnings_of(b"one", data), [])
