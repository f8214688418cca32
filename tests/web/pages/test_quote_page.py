"""
Tests of the page of a quote.
"""

from __future__ import annotations

from twisted_quotes.quotes.quote import quote_id

from ..clients import HOST
from .cases import Page, PagesTestCase

TRUTH = (
    "It is a truth universally acknowledged, that a single man in\npossession of a "
    "good fortune, must be in want of a wife.\n-- Jane Austen, Pride and Prejudice"
)
QUOTES = ["First.", TRUTH, 'Last <b>"&amp;']


class QuotePageTests(PagesTestCase):
    """Tests of the page of a quote."""

    def setUp(self) -> None:
        """Write a dictionary."""
        super().setUp()
        (self.folder / "quotes").write_text("\n\n".join(QUOTES))

    def get_quote(self, number: int) -> Page:
        return self.get_page(f"/quotes/{quote_id(QUOTES[number])}")

    def metadata(self, page: Page) -> dict[str, str]:
        """Return the metadata by name or property."""
        return {
            each.get("name", each.get("property", "")): each["content"]
            for each in page.attributes["meta"]
            if "content" in each
        }

    def test_the_quote_has_its_work_and_its_source(self) -> None:
        page = self.get_quote(1)
        self.assertEqual(page.texts["cite"], ["Pride and Prejudice"])
        self.assertIn("From quotes, lines 3\u20135", page.texts["p"])
        self.assertIn("/?q=in%3Aquotes", page.links)
        self.assertIn("From quotes, line 1", self.get_quote(0).texts["p"])

    def test_a_shared_link_is_described(self) -> None:
        page = self.get_quote(1)
        title = (
            "\u201cIt is a truth universally acknowledged, that a single man\u2026"
            "\u201d \u2014 Jane Austen"
        )
        description = (
            "It is a truth universally acknowledged, that a single man in possession "
            "of a good fortune, must be in want of a wife. "
            "\u2014 Jane Austen, Pride and Prejudice"
        )
        url = f"http://{HOST}/quotes/{quote_id(QUOTES[1])}"
        self.assertEqual(page.texts["title"], [f"{title} \u2013 Twisted Quotes"])
        metadata = self.metadata(page)
        self.assertEqual(metadata["description"], description)
        self.assertEqual(metadata["og:title"], title)
        self.assertEqual(metadata["og:description"], description)
        self.assertEqual(metadata["og:url"], url)
        self.assertEqual(metadata["og:type"], "article")
        links = {each["rel"]: each["href"] for each in page.attributes["link"]}
        self.assertEqual(links["canonical"], url)

    def test_metadata_are_escaped(self) -> None:
        page = self.get_quote(2)
        self.assertEqual(self.metadata(page)["description"], QUOTES[2])
        self.assertNotIn("b", page.texts)

    def test_a_long_word_is_cut(self) -> None:
        text = "x" * 1000
        (self.folder / "long").write_text(text)
        page = self.get_page(f"/quotes/{quote_id(text)}")
        title = f"\u201c{'x' * 60}\u2026\u201d"
        self.assertEqual(page.texts["title"], [f"{title} \u2013 Twisted Quotes"])

    def test_the_neighbors_in_the_dictionary_are_linked(self) -> None:
        urls = [f"/quotes/{quote_id(text)}" for text in QUOTES]
        for number, neighbors in ((0, urls[1:2]), (1, urls[::2]), (2, urls[1:2])):
            links = self.get_quote(number).links
            found = [each for each in links if each.startswith("/quotes/")]
            self.assertEqual(found, neighbors)

    def test_an_unknown_id_is_an_error(self) -> None:
        for identity in ("0" * 24, "x", "0" * 25, "%00"):
            self.assert_error(self.get(f"/quotes/{identity}"), 404, "No quote has that")
