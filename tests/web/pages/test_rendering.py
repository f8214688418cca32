"""
Tests of what all pages share, and of their errors.
"""

from __future__ import annotations

from unittest.mock import patch

from twisted_quotes.web.pages import quote_markup, rendering

from .cases import PagesTestCase

PATHS = "/", "/authors", "/dictionaries", "/api/v1/web"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


class EveryPageTests(PagesTestCase):
    """Tests of all pages."""

    def test_a_page_is_balanced_html_with_a_title(self) -> None:
        for path in PATHS:
            page = self.get_page(path)
            self.assertTrue(page.is_balanced, path)
            self.assertRegex(
                page.texts["title"][0], r"\A(\w+ \u2013 )?Twisted Quotes\Z"
            )
            self.assertEqual(len(page.texts["h1"]), 1)

    def test_a_page_allows_only_what_the_service_sends(self) -> None:
        for path in PATHS:
            policy = self.get(path).header("content-security-policy") or ""
            sources = dict(each.split(" ", 1) for each in policy.split("; "))
            self.assertEqual(sources.pop("default-src"), "'none'")
            self.assertEqual(sources.pop("base-uri"), "'none'")
            self.assertEqual(sources.pop("frame-ancestors"), "'none'")
            self.assertEqual({*sources.values()}, {"'self'"})
            self.assertIn("script-src", sources)

    def test_a_page_has_no_inline_script_or_style(self) -> None:
        for path in PATHS:
            page = self.get_page(path)
            self.assertEqual({*page.texts["script"]}, {""})
            self.assertNotIn("style", page.texts)
            for elements in page.attributes.values():
                for attributes in elements:
                    names = [x for x in attributes if x == "style" or x[:2] == "on"]
                    self.assertEqual(names, [])

    def test_all_urls_of_a_page_are_below_the_base_path(self) -> None:
        modules = rendering, quote_markup
        for module in modules:
            patched = patch.object(module, "base_path", lambda _: "/below")
            self.enterContext(patched)
        for path in ("/", "/api/v1/web"):
            page = self.get_page(path)
            urls = [
                *page.links,
                *(x["action"] for x in page.attributes.get("form", ())),
            ]
            for url in urls:
                self.assertTrue(url.startswith(("/below/", "#")), url)


class ErrorPageTests(PagesTestCase):
    """Tests of errors, as browsers show them."""

    def test_a_browser_gets_an_error_as_a_page(self) -> None:
        for path, text in (
            ("/x", "There is nothing at that URL."),
            (f"/quotes/{'0' * 24}", "No quote has that id."),
            ("/quotes/x", "No quote has that id."),
            ("/static/x", "There is nothing at that URL."),
        ):
            page = self.get_page(path, 404, Accept=BROWSER)
            self.assertIn(text, " ".join(page.texts["p"]))
            self.assertEqual(page.texts["h1"], ["Not found"])
            self.assertTrue(page.is_balanced)

    def test_other_errors_have_another_title(self) -> None:
        page = self.get_page("/authors?offset=x", 400, Accept=BROWSER)
        self.assertEqual(page.texts["h1"], ["Something is wrong"])

    def test_a_wrong_method_names_the_right_ones(self) -> None:
        response = self.get("/", "POST", headers={"Accept": BROWSER})
        self.parse(response, 405)
        self.assertEqual(response.header("allow"), "GET, HEAD, OPTIONS")
        self.assertEqual(response.header("cache-control"), "no-store")

    def test_others_get_an_error_in_json(self) -> None:
        for accept in ("", "*/*", "application/json", "application/json, text/html"):
            response = self.get("/x", headers={"Accept": accept})
            self.assert_error(response, 404)

    def test_urls_of_the_api_have_errors_in_json(self) -> None:
        for path in ("/api/v2/quotes/x", "/api/x", "/wait?x"):
            response = self.get(path, headers={"Accept": BROWSER})
            self.assertEqual(response.header("content-type"), "application/json")
