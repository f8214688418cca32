"""
Tests of the HTML pages.
"""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from typing import Any
from unittest.mock import patch

import msgspec
from twisted.internet.address import UNIXAddress
from twisted.web.template import flattenString

from twisted_quotes.query.parsing import parse_query
from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.web.pages import pages
from twisted_quotes.web.pages.reference import FIELDS, PARAMETERS

from ..clients import HOST, FakeSocket, WebTestCase

PATHS = "/", "/api/v1/web"
_VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """
    A parsed page.

    @ivar texts: the texts of all elements, by their names.
    @ivar links: the targets of all links.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open_elements: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.is_balanced = True
        self.feed(html)
        self.close()
        self.is_balanced = self.is_balanced and not self.open_elements

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self.open_elements.append(tag)
        self.texts.setdefault(tag, []).append("")
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self.is_balanced = self.is_balanced and self.open_elements[-1:] == [tag]
            self.open_elements = self.open_elements[:-1]

    def handle_data(self, data: str) -> None:
        """Add the text to all open elements."""
        for tag in dict.fromkeys(self.open_elements):
            self.texts[tag][-1] += data


class PagesTestCase(WebTestCase):
    """Parses pages."""

    def get_page(self, path: str, **headers: str) -> Page:
        """Get and parse a page."""
        response = self.get(path, headers=headers)
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("content-type"), "text/html; charset=utf-8")
        self.assertEqual(response.header("content-length"), str(len(response.body)))
        self.assertTrue(response.body.startswith(b"<!DOCTYPE html>\n"))
        self.html = response.body.decode()
        return Page(self.html)


class EveryPageTests(PagesTestCase):
    """Tests of both pages."""

    def test_a_page_is_balanced_html_with_a_title(self) -> None:
        for path in PATHS:
            page = self.get_page(path)
            self.assertTrue(page.is_balanced, path)
            self.assertEqual(len(page.texts["title"]), 1)
            self.assertIn("twisted_quotes", page.texts["title"][0])
            self.assertEqual(len(page.texts["h1"]), 1)

    def test_all_links_of_a_page_work(self) -> None:
        for path in PATHS:
            for link in self.get_page(path).links:
                response = self.get(link)
                self.assertEqual(response.code, 200, link)

    def test_a_page_names_the_dictionaries(self) -> None:
        for path in PATHS:
            names = self.get_page(path).texts["li"]
            self.assertEqual(names, ["alpha (default)", "sub/beta"])

    def test_a_page_has_the_warnings_about_dictionaries(self) -> None:
        """They are known when a search has built the index."""
        (self.folder / "alpha").write_bytes(b"1\xff\n\n2\xff\n")
        for path in PATHS:
            self.assertNotIn("small", self.get_page(path).texts)
        self.get("/api/v2/quotes?dictionary=alpha")
        for path in PATHS:
            self.assertEqual(
                self.get_page(path).texts["small"], ["2 places are not UTF-8"]
            )
        (self.folder / "alpha").write_text("1\n")
        self.get("/api/v2/quotes?dictionary=alpha")
        for path in PATHS:
            self.assertNotIn("small", self.get_page(path).texts)

    def test_control_characters_in_a_name_are_replaced(self) -> None:
        """A terminal must not interpret them."""
        (self.folder / "a\x1b[31m\x7f\x9bz").write_text("x\n")
        for path in PATHS:
            self.assertIn("a\u241b[31m\u2421\ufffdz", self.get_page(path).texts["li"])
            self.assertNotRegex(self.html, r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        response = self.successResultOf(
            self.web.post_query(action="all", dictionary="n\x1b")
        )
        self.assert_error(response, 404, '"n\u241b"', '"a\u241b[31m')
        self.assertNotRegex(response.message, r"[\x00-\x1f\x7f-\x9f]")

    def test_a_page_names_a_limited_number_of_dictionaries(self) -> None:
        with patch.object(pages, "MAX_NAMES", 2):
            for name in ("a", "b", "c"):
                (self.folder / name).write_text("x\n")
            items = self.get_page("/").texts["li"]
        self.assertEqual(items[-1], f"and {len(self.web.library.names()) - 2} more")
        self.assertEqual(len(items), 3)

    def test_a_page_is_rendered_once_for_each_state_of_the_library(self) -> None:
        """Whatever the host of the request."""
        rendered = []

        def watched(request: Any, page: Any) -> Any:
            rendered.append(page)
            return flattenString(request, page)

        self.patch(pages, "flattenString", watched)
        for path in PATHS:
            for host in ("a.test", "b.test:8000", "192.0.2.1"):
                self.get_page(path, Host=host)
                self.assertIn(f" 'http://{host}/api/v1/json'", self.html)
                self.assertNotIn("service.invalid", self.html)
        self.assertEqual(len(rendered), 2)
        (self.folder / "new").write_text("x\n")
        for _ in range(2):
            self.assertIn("new", self.get_page("/").texts["li"])
        self.assertEqual(len(rendered), 3)

    def test_urls_in_commands_are_quoted(self) -> None:
        """A shell and curl must not expand an IPv6 address as a pattern."""
        for host in ("[2001:db8::1]:8000", "a.test"):
            commands = self.get_page("/api/v1/web", Host=host).texts["pre"]
            for command in commands:
                self.assertRegex(command, rf"'http://{re.escape(host)}/api/[^']+'\Z")

    def test_html_in_the_name_of_a_dictionary_is_escaped(self) -> None:
        name = '<script>"&amp;'
        (self.folder / name).write_text("x\n")
        for path in PATHS:
            page = self.get_page(path)
            self.assertIn(name, page.texts["li"])
            self.assertNotIn("script", page.texts)

    def test_a_page_does_not_show_an_invalid_host(self) -> None:
        for path in PATHS:
            page = self.get_page(path, Host="evil.test/<script>alert(1)</script>")
            self.assertNotIn("evil", self.html)
            self.assertNotIn("script", page.texts)
            self.assertIn("http://127.0.0.1:", self.html)

    def test_a_page_without_a_host_names_localhost(self) -> None:

        class Nameless(FakeSocket):
            def getHost(self) -> Any:
                return UNIXAddress("/run/quotes")

        client = Nameless(self.web.reactor, self.web.build_protocol())
        client.send(b"GET / HTTP/1.0\r\n\r\n")
        [response] = client.responses()
        self.assertIn(b" 'http://localhost/api/v1/json'", response.body)

    def test_the_style_sheet_is_css_without_external_assets(self) -> None:
        response = self.get("/style.css")
        self.assertEqual(response.code, 200)
        self.assertEqual(response.header("content-type"), "text/css; charset=utf-8")
        self.assertIn(b"body {", response.body)
        self.assertNotIn(b"url(", response.body)
        self.assertNotIn(b"@import", response.body)


class StartTests(PagesTestCase):
    """Tests of the start page."""

    def test_the_start_page_links_to_the_instructions(self) -> None:
        self.assertIn("/api/v1/web", self.get_page("/").links)

    def test_the_start_page_has_one_example(self) -> None:
        [command] = self.get_page("/").texts["pre"]
        self.assertEqual(shlex.split(command)[-1], f"http://{HOST}/api/v1/json")


class InstructionsTests(PagesTestCase):
    """Tests of the instructions."""

    def test_the_instructions_have_every_action_and_url(self) -> None:
        page = self.get_page("/api/v1/web")
        urls = [
            f"/api/v2/{path}"
            for path in (
                *("quotes", "quotes/random", "quotes/today", "quotes/{id}"),
                *("authors", "dictionaries", "suggestions"),
            )
        ]
        self.assertEqual(page.texts["dt"], [*ACTIONS, *urls])
        self.assertEqual(len([each for each in page.texts["dd"] if each]), 11)

    def test_the_instructions_have_every_field(self) -> None:
        rows = self.get_page("/api/v1/web").texts["tr"]
        for field in (*FIELDS, *PARAMETERS):
            texts = [each for each in rows if each.split()[0] == field["name"]]
            self.assertTrue(
                any(all(value in row for value in field.values()) for row in texts),
                field,
            )

    def test_different_defaults_of_a_field_are_listed(self) -> None:
        defaults = {field["name"]: field["default"] for field in FIELDS}
        self.assertEqual(defaults["nresults"], "0; 1 for random")
        self.assertEqual(defaults["term"], "required by search")
        self.assertEqual(defaults["unit"], '"line"; "quote" for random')
        parameters = {field["name"]: field["default"] for field in PARAMETERS}
        self.assertEqual(parameters["limit"], "20; 1 for quotes/random")

    def test_fields_without_a_default_are_required(self) -> None:
        rows = self.get_page("/api/v1/web").texts["tr"]
        required = [each.split()[0] for each in rows if "required" in each]
        self.assertEqual(required, ["action", "term", "q"])

    def test_the_instructions_have_every_error(self) -> None:
        rows = self.get_page("/api/v1/web").texts["tr"]
        codes = {each.split()[0] for each in rows if each.split()[0].isdigit()}
        expected = "400 401 403 404 405 408 413 414 415 429 431 500 501 503 504"
        self.assertEqual(sorted(codes), expected.split())

    def test_the_instructions_have_the_maximum_size_of_a_body(self) -> None:
        self.assertIn("65536 bytes", " ".join(self.get_page("/api/v1/web").texts["p"]))

    def test_each_example_works(self) -> None:
        commands = self.get_page("/api/v1/web").texts["pre"]
        self.assertGreaterEqual(len(commands), 2)
        requested_urls = set()
        for command in commands:
            curl, *options, url = shlex.split(command)
            self.assertEqual(curl, "curl")
            if url == f"http://{HOST}/api/v1/json":
                option, body = options
                self.assertEqual(option, "-d")
                parse_query(body.encode())
                requested_urls.add(msgspec.json.decode(body)["action"])
            else:
                requested_urls.add(self.fetch(options, url))
        expected = {*ACTIONS, "quotes", "random", "today", "authors", "dictionaries"}
        self.assertEqual(requested_urls, expected)

    def fetch(self, options: list[str], url: str) -> str:
        """Fetch a URL, and return the last segment of its path."""
        headers = dict([options[1].split(": ")]) if options else {}
        path = url.removeprefix(f"http://{HOST}")
        pending = self.web.request("GET", path, headers=headers)
        while running := self.web.running_processes():
            running[0].end(1)
            self.web.flush_responses()
        self.assertEqual(self.successResultOf(pending).code, 200, url)
        return path.partition("?")[0].split("/")[-1]

    def test_the_examples_have_the_scheme_of_the_request(self) -> None:
        response = self.successResultOf(
            self.web.request("GET", "/api/v1/web", scheme="https")
        )
        self.assertIn(f" 'https://{HOST}/api/v1/json'".encode(), response.body)

    def test_the_instructions_omit_wait(self) -> None:
        self.get_page("/api/v1/web")
        self.assertNotIn("/wait", self.html)
