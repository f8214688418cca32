"""
Tests for L{twisted_quotes.web.pages.documentation.prose}.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.template import flattenString

from twisted_quotes.web.pages.documentation.prose import (
    inline,
    join_with,
    paragraphs,
)


class ProseTests(SynchronousTestCase):
    """Tests of texts as HTML."""

    def html(self, content: Iterable[Any]) -> str:
        """Return content as HTML."""
        flattened = flattenString(None, list(content))
        return self.successResultOf(flattened).decode()

    def test_blank_lines_divide_paragraphs(self) -> None:
        self.assertEqual(
            self.html(paragraphs("\na\nb\n \n\nc\n")), "<p>a b</p><p>c</p>"
        )
        self.assertEqual(self.html(paragraphs("")), "")

    def test_code_is_in_backquotes(self) -> None:
        self.assertEqual(
            self.html(inline("send `GET\n/x` & wait")),
            "send <code>GET /x</code> &amp; wait",
        )

    def test_items_have_a_separator_between_them(self) -> None:
        self.assertEqual(join_with(", ", ["a"]), ["a"])
        self.assertEqual(join_with(", ", ["a", "b"]), ["a", ", ", "b"])
