"""
Tests of the pages with all authors and all dictionaries.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request
from twisted.web.test.requesthelper import DummyChannel

from twisted_quotes.search.lookups.authors import Author
from twisted_quotes.web.pages import browse_pages
from twisted_quotes.web.pages.browse_pages import BrowsePages, find_initials

from .cases import PagesTestCase


class AuthorsTests(PagesTestCase):
    """Tests of the page with authors."""

    def setUp(self) -> None:
        """Write a dictionary."""
        super().setUp()
        names = ("Bea", "\u00c4nne", "Ann", "Ann", "<b>", "Cid")
        text = "\n\n".join(f"Quote {n}.\n-- {name}" for n, name in enumerate(names))
        (self.folder / "quotes").write_text(text)

    def test_authors_are_in_the_order_of_their_names(self) -> None:
        page = self.get_page("/authors")
        self.assertEqual(
            page.texts["li"], ["Ann 2", "\u00c4nne 1", "<b> 1", "Bea 1", "Cid 1"]
        )
        self.assertIn("/?q=author%3A%22Ann%22", page.links)
        self.assertIn("5 in alphabetical order.", page.texts["p"])

    def test_the_letters_lead_to_their_first_author(self) -> None:
        page = self.get_page("/authors")
        for letter, offset in (("A", 0), ("B", 2), ("C", 4)):
            self.assertIn(letter, page.texts["a"])
            self.assertIn(f"/authors?offset={offset}", page.links)

    def test_authors_are_paged(self) -> None:
        with patch.object(browse_pages, "PAGE_SIZE", 2):
            page = self.get_page("/authors?offset=2&x=1")
        self.assertEqual(page.texts["li"], ["<b> 1", "Bea 1"])
        self.assertIn("Earlier names", page.texts["a"])
        self.assertIn("More names", page.texts["a"])

    def test_the_letters_are_found_in_a_thread_once_for_a_list(self) -> None:
        authors, calls = [Author("Ann", 1)], []
        result: Deferred[dict[str, int]] = Deferred()

        def in_thread(*call: object) -> Deferred[dict[str, int]]:
            calls.append(call)
            return result

        finder: Any = SimpleNamespace(
            find_authors=lambda *_: succeed((authors, True)),
            searchable_library=SimpleNamespace(in_thread=in_thread),
        )
        pages = BrowsePages(finder)

        def get() -> Deferred[bytes]:
            channel: Any = DummyChannel()
            request: Any = Request(channel)
            request.uri = b"/authors"
            return Deferred.fromCoroutine(pages.authors(request))

        page = get()
        self.assertNoResult(page)
        self.assertEqual(calls, [(find_initials, authors)])
        result.callback({"A": 0})
        for each in (page, get()):
            self.assertIn(b"/authors?offset=0", self.successResultOf(each))
        self.assertEqual(len(calls), 1)

    def test_a_page_after_the_last_one_leads_back(self) -> None:
        page = self.get_page("/authors?offset=1000")
        self.assertNotIn("li", page.texts)
        self.assertIn("Earlier names", page.texts["a"])
        self.assertNotIn("More names", page.texts["a"])

    def test_a_wrong_offset_is_an_error(self) -> None:
        self.assert_error(self.get("/authors?offset=x"), 400, "offset")
        self.assert_error(self.get("/dictionaries?offset=-1"), 400, "offset")


class InitialTests(SynchronousTestCase):
    """Tests of the letters."""

    def test_accents_and_punctuation_do_not_count(self) -> None:
        names = ["...", "3 Mustaphas", "Abe", "\u00c9mile", "\u201cEve\u201d", "\u0414"]
        authors = [Author(name, 1) for name in names]
        self.assertEqual(find_initials(authors), {"#": 0, "A": 2, "E": 3, "\u2026": 5})


class DictionariesTests(PagesTestCase):
    """Tests of the page with dictionaries."""

    def test_dictionaries_have_the_number_of_their_quotes(self) -> None:
        page = self.get_page("/dictionaries")
        self.assertEqual(page.texts["li"], ["alpha 1", "sub/beta 1"])
        self.assertIn("/?q=in%3Aalpha", page.links)
        self.assertIn("/?q=in%3A%22sub%2Fbeta%22", page.links)

    def test_dictionaries_have_their_warnings(self) -> None:
        (self.folder / "alpha").write_bytes(b"1\xff\n\n2\xff\n")
        page = self.get_page("/dictionaries")
        self.assertEqual(page.texts["small"], ["2 places are not UTF-8"])

    def test_names_are_escaped(self) -> None:
        (self.folder / '<i>"&amp;\x1b').write_text("x\n")
        page = self.get_page("/dictionaries")
        self.assertIn('<i>"&amp;\u241b 1', page.texts["li"])
        self.assertNotIn("i", page.texts)

    def test_dictionaries_are_paged(self) -> None:
        with patch.object(browse_pages, "PAGE_SIZE", 1):
            page = self.get_page("/dictionaries?offset=1")
        self.assertEqual(page.texts["li"], ["sub/beta 1"])
        self.assertIn("/dictionaries?offset=0", page.links)
