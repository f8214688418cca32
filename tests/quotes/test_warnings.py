"""
Tests for L{twisted_quotes.quotes.warnings}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.quotes.warnings import WarningCollector


class WarningsTests(SynchronousTestCase):
    """Tests of L{WarningCollector}."""

    def warnings_of(self, *quotes: str, invalid_places: int = 0) -> list[str]:
        """Return the warnings about a dictionary with some quotes."""
        collector = WarningCollector()
        for text in quotes:
            collector.add(text)
        return collector.warnings(invalid_places)

    def test_a_text_has_none(self) -> None:
        for quotes in ([], ["one", "tw\u00f6 \ufffd"], ["[one] {two}"]):
            self.assertEqual(self.warnings_of(*quotes), [])

    def test_places_that_are_not_utf_8_are_counted(self) -> None:
        for count, warning in ((1, "1 place is not"), (3, "3 places are not")):
            found = self.warnings_of("caf\ufffd", invalid_places=count)
            self.assertEqual(found, [f"{warning} UTF-8"])

    def test_other_formats_are_recognized_by_their_start(self) -> None:
        for data, name in (
            ('[\n  {"text": "one"}]', "JSON"),
            ('{"quotes": []}', "JSON"),
            ("<!DOCTYPE html><p>one", "HTML"),
            ("<?xml version='1.0'?>", "XML"),
        ):
            warning = f"looks like {name}, but is read as plain text"
            self.assertEqual(self.warnings_of(data, "two"), [warning])
            self.assertEqual(self.warnings_of("one", data), [])
