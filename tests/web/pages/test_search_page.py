"""
Tests of the search page as it is without its script.
"""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from twisted_quotes.errors import TooBusy
from twisted_quotes.quotes.quote import quote_id
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.lookups.words import Suggestion
from twisted_quotes.web.pages import search_page, search_view
from twisted_quotes.web.pages.rendering import flatten_page

from ..api.cases import SearchTestCase
from ..clients import captured_events, get_request
from .cases import Page, PagesTestCase

QUOTES = ["One, my love.\n-- A. Author", "Two loves.", "Three loves.\n-- B, Work"]


class SearchPageTestCase(PagesTestCase, SearchTestCase):
    """Has a dictionary with three quotes besides the others."""

    def setUp(self) -> None:
        """Write the dictionary."""
        super().setUp()
        (self.folder / "quotes").write_text("\n\n".join(QUOTES))

    def search(self, query: str, output: bytes) -> Page:
        """Get a page for which grep runs, which prints something."""
        pending = self.web.request("GET", f"/?{query}")
        return self.parse(self.finish(pending, output))

    def find_nothing(self, query: str) -> Page:
        """Get a page for which greps run, which find nothing."""
        pending = self.web.request("GET", f"/?{query}")
        while self.web.running_processes():
            self.end_grep(status=1)
        return self.parse(self.successResultOf(pending))

    def fail_with(self, name: str, error: Exception) -> None:
        """Let a method of the finder fail."""

        async def fail(*_: Any) -> None:
            raise error

        self.enterContext(patch.object(Finder, name, fail))


class StartTests(SearchPageTestCase):
    """Tests of the page without a search."""

    def test_the_quote_of_the_day_is_on_the_page(self) -> None:
        page = self.get_page("/")
        today = self.get("/api/v2/quotes/today").json
        [quotation] = page.texts["blockquote"]
        self.assertEqual(quotation, today["quotation"])
        self.assertIn(f"/quotes/{today['id']}", page.links)

    def test_the_search_has_the_focus(self) -> None:
        self.assertIn("autofocus", self.get_page("/").attributes["input"][0])

    def test_all_links_of_the_page_work(self) -> None:
        """Those with a search need grep."""
        for link in self.get_page("/").links:
            if "?q=" not in link and link != "/random-quote":
                self.assertEqual(self.get(link.partition("#")[0] or "/").code, 200)

    def test_the_page_is_rendered_once_a_day(self) -> None:
        """And again when the library has changed."""
        rendered = []

        def watched(request: Any, page: Any) -> Any:
            rendered.append(page)
            return flatten_page(request, page)

        self.patch(search_page, "flatten_page", watched)
        for path in ("/", "/?", "/?q=", "/?q=+&author=", "/?utm_source=x", "/?%ff"):
            self.get_page(path)
        self.assertEqual(len(rendered), 1)
        (self.folder / "new").write_text("x\n")
        self.get_page("/")
        self.web.reactor.advance(24 * 3600)
        self.get_page("/")
        self.assertGreater(len(rendered), 1)

    def test_an_empty_library_is_told(self) -> None:
        for name in ("alpha", "quotes", "sub/beta"):
            (self.folder / name).write_text("")
        self.assertIn("The library has no quotes yet.", self.get_page("/").texts["p"])

    def test_an_error_is_told_on_the_page(self) -> None:
        self.fail_with("find_today", TooBusy())
        page = self.get_page("/", 503)
        self.assertIn(TooBusy().message, page.texts["p"])
        self.assertEqual(page.attributes["input"][0]["name"], "q")

    def test_a_few_dictionaries_can_be_chosen_from(self) -> None:
        with patch.object(search_view, "MAX_NAMES", 2):
            page = self.get_page("/?dictionary=sub/beta")
            self.assertEqual(
                page.texts["label"][1:], [" alpha", " quotes", " sub/beta"]
            )
            checked = [
                x.get("value") for x in page.attributes["input"] if "checked" in x
            ]
            self.assertEqual(checked, ["sub/beta"])
            self.assertIn(" 1 more", page.texts["p"])


class ResultsTests(SearchPageTestCase):
    """Tests of the results of a search."""

    def test_quotes_are_shown_with_marks(self) -> None:
        page = self.search(
            "dictionary=quotes&term=love",
            b"1:One, my love. -- A. Author\n2:Two loves.\n3:Three loves. -- B, Work\n",
        )
        self.assertEqual(
            page.texts["blockquote"], ["One, my love.", "Two loves.", "Three loves."]
        )
        self.assertEqual(page.texts["mark"], ["love"] * 3)
        self.assertIn("3 quotes", page.texts["p"])

    def test_the_search_is_in_its_field(self) -> None:
        text = '"><script>alert(1)</script>'
        page = self.find_nothing(
            "dictionary=quotes&q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
        )
        self.assertEqual(page.attributes["input"][0]["value"], text)
        self.assertEqual(page.texts["title"], [f"{text} \u2013 Twisted Quotes"])
        self.assertEqual(page.texts["script"], [""])

    def test_pages_are_linked_to_each_other(self) -> None:
        url = "/?dictionary=quotes&limit=1"
        links = [
            ("", ["/?dictionary=quotes&limit=1&offset=1"]),
            (
                "&offset=1",
                [
                    "/?dictionary=quotes&limit=1&offset=0",
                    "/?dictionary=quotes&limit=1&offset=2",
                ],
            ),
            ("&offset=2", ["/?dictionary=quotes&limit=1&offset=1"]),
            ("&offset=9", ["/?dictionary=quotes&limit=1&offset=2"]),
        ]
        for offset, expected in links:
            page = self.get_page(url + offset)
            found = [each for each in page.links if "offset" in each]
            self.assertEqual(found, expected, offset)

    def test_the_numbers_of_the_quotes_are_told(self) -> None:
        for parameters, text in (
            ("limit=2", "1\u20132 of 3 quotes"),
            ("limit=2&offset=2", "3\u20133 of 3 quotes"),
            ("offset=9", "There are only 3 quotes."),
            ("author=work", "Nothing found."),
        ):
            page = self.find_nothing(f"dictionary=quotes&{parameters}")
            self.assertIn(text, page.texts["p"])

    def test_a_page_has_a_maximum_size(self) -> None:
        with patch.object(search_page, "_MAX_PAGE_BYTES", 5):
            page = self.get_page("/?dictionary=quotes")
        self.assertEqual(page.texts["blockquote"], ["One, my love."])
        self.assertIn("/?dictionary=quotes&offset=1", page.links)

    def test_words_that_occur_are_suggested(self) -> None:
        async def suggest(*_: Any) -> Any:
            return [Suggestion("loev", ["love", "lover"]), Suggestion("xyz", [])], True

        with patch.object(Finder, "suggest_words", suggest):
            page = self.find_nothing("dictionary=quotes&q=my+loev")
        self.assertIn("Nothing found. Did you mean love, lover?", page.texts["p"])
        self.assertIn("/?q=my+love", page.links)

    def test_no_suggestions_are_no_error(self) -> None:
        self.fail_with("suggest_words", TooBusy())
        page = self.find_nothing("dictionary=quotes&q=loev")
        self.assertIn("Nothing found.", page.texts["p"])

    def test_an_error_is_told_on_the_page(self) -> None:
        words = "+".join(map(str, range(33)))
        for query, code, text in (
            (f"q={words}", 400, "33 words"),
            ("dictionary=none", 404, 'no dictionary "none"'),
            ("q=a&term=b", 400, "does not go with"),
            ("offset=x", 400, "offset"),
        ):
            page = self.get_page(f"/?{query}", code)
            self.assertIn(text, " ".join(page.texts["p"]))
            self.assertNotIn("blockquote", page.texts)

    def test_a_client_that_does_not_prefer_html_gets_an_error_in_json(self) -> None:
        for accept, content_type in (
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("application/problem+json, text/html;q=0.5", "application/problem+json"),
            ("text/html, application/problem+json;q=0.5", "text/html; charset=utf-8"),
        ):
            for path in ("/?limit=0&q=love", "/quotes/nonsense"):
                response = self.get(path, headers={"accept": accept})
                self.assertIn(response.code, (400, 404))
                self.assertEqual(response.header("content-type"), content_type, path)

    def test_the_text_of_a_failed_search_stays(self) -> None:
        words = "+".join(map(str, range(33)))
        page = self.get_page(f"/?q={words}", 400)
        self.assertEqual(page.attributes["input"][0]["value"], words.replace("+", " "))


class DisconnectTests(SearchPageTestCase):
    """Tests of clients that disconnect before the page."""

    def assert_no_error(self, path: str) -> None:
        """Disconnect during a search, and check what is logged."""
        client = self.web.connect()
        client.send(get_request(path))
        with captured_events() as events:
            client.disconnect()
        [event] = events
        self.assertEqual((event["code"], event["route"]), (499, "/"))
        self.assertIsNone(event["error"])

    def test_a_disconnect_during_a_search_is_no_error(self) -> None:
        rendered = self.enterContext(patch.object(search_page, "render_page"))
        self.assert_no_error("/?dictionary=quotes&term=love")
        self.assertEqual(self.web.running_processes()[0].signals, ["KILL"])
        rendered.assert_not_called()

    def test_a_disconnect_during_a_search_for_the_quote_of_the_day_is_no_error(
        self,
    ) -> None:
        with patch.object(Finder, "find_today", lambda *_: Deferred()):
            self.assert_no_error("/")

    def test_a_search_that_the_shutdown_cancels_is_a_503(self) -> None:
        client = self.web.connect()
        client.send(get_request("/?term=love", headers="Accept: text/html\r\n"))
        self.web.outstanding.cancel()
        client.deliver()
        [response] = client.responses()
        page = self.parse(response, 503)
        self.assertIn("The service is shutting down.", " ".join(page.texts["p"]))


class RandomTests(SearchPageTestCase):
    """Tests of the link to a random quote."""

    def test_a_random_quote_is_redirected_to(self) -> None:
        response = self.exchange(get_request("/random-quote"))
        self.assertEqual((response.code, response.body), (303, b""))
        self.assertEqual(response.header("cache-control"), "no-store")
        texts = (*QUOTES, "All is love.\nLove is all.", "Beta.")
        urls = {f"/quotes/{quote_id(text)}" for text in texts}
        self.assertIn(response.header("location"), urls)

    def test_an_empty_library_has_none(self) -> None:
        for name in ("alpha", "quotes", "sub/beta"):
            (self.folder / name).write_text("")
        self.assert_error(self.get("/random-quote"), 404, "has no quotes yet")
