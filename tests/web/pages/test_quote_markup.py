"""
Tests of the HTML of quotes.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.template import flattenString
from twisted.web.test.requesthelper import DummyRequest

from twisted_quotes.quotes.quote import Quote
from twisted_quotes.web.pages import quote_markup
from twisted_quotes.web.pages.quote_markup import dictionary_url, quote_article

from .cases import Page


class MarkupTests(SynchronousTestCase):
    """Tests of the markup of a quote."""

    def setUp(self) -> None:
        self.request: Any = DummyRequest([b""])

    def render(self, text: str, *spans: tuple[int, int]) -> Page:
        """Render a quote, and parse its HTML."""
        quote = Quote("alpha", 1, 2, text, spans)
        article = quote_article(self.request, quote)
        html = self.successResultOf(flattenString(self.request, article))
        self.html = html.decode()
        return Page(self.html)

    def test_the_quotation_and_the_attribution_are_apart(self) -> None:
        page = self.render("All is well.\n-- Jane Austen, Emma")
        self.assertEqual(page.texts["blockquote"], ["All is well."])
        self.assertIn("Jane Austen, Emma", page.texts["p"])
        self.assertEqual(page.texts["cite"], ["Emma"])

    def test_of_a_very_long_quote_the_beginning_is_shown_with_a_link_to_all(
        self,
    ) -> None:
        """It ends with a line, if it has any."""
        link = "/api/v2/quotes/"
        long = "line\n" * 10
        for limit, text, shown in (
            (49, long + "-- Eve, Letters", "line\n" * 9 + "line"),
            (48, long + "-- Eve, Letters", "line\n" * 8 + "line"),
            (45, long + "-- Eve, Letters", "line\n" * 8 + "line"),
            (10, "x" * 11, "x" * 10),
        ):
            with patch.object(quote_markup, "MAX_SHOWN", limit):
                page = self.render(text, (0, 2), (44, 53))
            is_cut = len(shown) < len(text.partition("\n--")[0])
            self.assertEqual("".join(page.texts["blockquote"]), shown)
            self.assertEqual(any(link in each for each in page.links), is_cut)
            self.assertEqual("only the beginning" in self.html, is_cut)
            self.assertEqual("Letters" in self.html, "Eve" in text)
            self.assertEqual(page.texts["mark"][0], text[:2])

    def test_a_quote_without_an_author_has_no_attribution(self) -> None:
        self.render("All is well.")
        self.assertNotIn("attribution", self.html)

    def test_matches_are_marked_in_the_order_of_the_text(self) -> None:
        page = self.render("One two three.", (0, 3), (8, 13))
        self.assertEqual(page.texts["mark"], ["One", "three"])
        self.assertEqual(page.texts["blockquote"], ["One two three."])

    def test_matches_are_counted_in_code_points(self) -> None:
        page = self.render(
            "\U0001d4b3\U0001f600 love \U0001f600 love", (3, 7), (10, 14)
        )
        self.assertEqual(page.texts["mark"], ["love", "love"])

    def test_a_match_across_lines_of_verse_is_marked_in_both(self) -> None:
        page = self.render("Roses are red,\nViolets are blue.", (10, 22))
        self.assertEqual(page.texts["mark"], ["red,", "Violets"])
        self.assertEqual(page.texts["span"], ["Roses are red,", "Violets are blue."])

    def test_overlapping_matches_are_marked_once(self) -> None:
        page = self.render("banana", (0, 4), (2, 6))
        self.assertEqual(page.texts["mark"], ["bana", "na"])
        self.assertEqual(page.texts["blockquote"], ["banana"])

    def test_matches_in_the_attribution_are_marked(self) -> None:
        text = "Well.\n-- Jane Austen, Emma"
        page = self.render(text, (9, 13), (22, 26))
        self.assertEqual(page.texts["mark"], ["Jane", "Emma"])

    def test_an_attribution_of_several_lines_is_shown_without_marks(self) -> None:
        text = "Well, well.\n\t\t-- Jane Austen,\n\t\t   a letter to her sister"
        page = self.render(text, (13, 25))
        self.assertEqual(page.texts["cite"], ["a letter to her sister"])

    def test_html_is_escaped(self) -> None:
        text = "<script>alert(1)</script>\n-- <b onclick='x'>\"A\", <i>B</i>"
        page = self.render(text, (1, 7))
        self.assertEqual({*page.texts} & {"script", "b", "i"}, set())
        self.assertEqual(page.texts["blockquote"], ["<script>alert(1)</script>"])

    def test_control_characters_are_replaced(self) -> None:
        page = self.render("a\x00b\x1bc\x9fd\n-- A\x07B")
        self.assertEqual(page.texts["blockquote"], ["a\ufffdb\ufffdc\ufffdd"])
        self.assertIn("A\ufffdB", page.texts["a"])

    def test_quotation_marks_hang(self) -> None:
        for text, hangs in (('"A"', True), (" \u201cA\u201d", True), ("A", False)):
            self.render(text)
            self.assertIs('class="hanging"' in self.html, hangs)

    def test_a_table_can_be_scrolled_with_the_keyboard(self) -> None:
        page = self.render("One:      two\nThree:    four")
        self.assertEqual(page.attributes["pre"], [{"tabindex": "0"}])

    def test_the_author_links_to_all_quotes_of_the_author(self) -> None:
        for name, url in (
            ("Jane Austen", "/?q=author%3A%22Jane+Austen%22"),
            ('Samuel "Mark" Clemens', "/?author=Samuel+%22Mark%22+Clemens"),
            ("A&B", "/?q=author%3A%22A%26B%22"),
        ):
            self.assertIn(url, self.render(f"Well.\n-- {name}").links)

    def test_a_dictionary_has_a_url(self) -> None:
        for name, url in (
            ("love", "/?q=in%3Alove"),
            ("men-women", "/?q=in%3A%22men-women%22"),
            ('a"b', "/?dictionary=a%22b"),
        ):
            self.assertEqual(dictionary_url(self.request, name), url)
