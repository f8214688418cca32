"""
Tests of the instructions.
"""

from __future__ import annotations

import re
import shlex
from typing import Any
from unittest.mock import patch

import msgspec
from twisted.internet.address import UNIXAddress

from twisted_quotes.query.parsing import parse_query
from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.web.pages import instructions_page
from twisted_quotes.web.pages.reference import FIELDS, PARAMETERS, URLS
from twisted_quotes.web.pages.rendering import flatten_page

from ..clients import HOST, FakeSocket
from .cases import PagesTestCase

PATH = "/api/v1/web"


class DictionaryTests(PagesTestCase):
    """Tests of the list of dictionaries, and of the host in the examples."""

    def test_the_instructions_name_the_dictionaries(self) -> None:
        names = self.get_page(PATH).texts["li"]
        self.assertEqual(names, ["alpha (default)", "sub/beta"])

    def test_the_instructions_have_the_warnings_about_dictionaries(self) -> None:
        """They are known when a search has built the index."""
        (self.folder / "alpha").write_bytes(b"1\xff\n\n2\xff\n")
        self.assertNotIn("small", self.get_page(PATH).texts)
        self.get("/api/v2/quotes?dictionary=alpha")
        self.assertEqual(self.get_page(PATH).texts["small"], ["2 places are not UTF-8"])
        (self.folder / "alpha").write_text("1\n")
        self.get("/api/v2/quotes?dictionary=alpha")
        self.assertNotIn("small", self.get_page(PATH).texts)

    def test_control_characters_in_a_name_are_replaced(self) -> None:
        """A terminal must not interpret them."""
        (self.folder / "a\x1b[31m\x7f\x9bz").write_text("x\n")
        self.assertIn("a\u241b[31m\u2421\ufffdz", self.get_page(PATH).texts["li"])
        self.assertNotRegex(self.html, r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        response = self.successResultOf(
            self.web.post_query(action="all", dictionary="n\x1b")
        )
        self.assert_error(response, 404, '"n\u241b"', '"a\u241b[31m')
        self.assertNotRegex(response.message, r"[\x00-\x1f\x7f-\x9f]")

    def test_the_instructions_name_a_limited_number_of_dictionaries(self) -> None:
        with patch.object(instructions_page, "MAX_NAMES", 2):
            for name in ("a", "b", "c"):
                (self.folder / name).write_text("x\n")
            items = self.get_page(PATH).texts["li"]
        self.assertEqual(items[-1], f"and {len(self.web.library.names()) - 2} more")
        self.assertEqual(len(items), 3)

    def test_the_instructions_are_rendered_once_for_each_state(self) -> None:
        """Whatever the host of the request."""
        rendered = []

        def watched(request: Any, page: Any) -> Any:
            rendered.append(page)
            return flatten_page(request, page)

        self.patch(instructions_page, "flatten_page", watched)
        for host in ("a.test", "b.test:8000", "192.0.2.1"):
            self.get_page(PATH, Host=host)
            self.assertIn(f" 'http://{host}/api/v1/json'", self.html)
            self.assertNotIn("service.invalid", self.html)
        self.assertEqual(len(rendered), 1)
        (self.folder / "new").write_text("x\n")
        for _ in range(2):
            self.assertIn("new", self.get_page(PATH).texts["li"])
        self.assertEqual(len(rendered), 2)

    def test_urls_in_commands_are_quoted(self) -> None:
        """A shell and curl must not expand an IPv6 address as a pattern."""
        for host in ("[2001:db8::1]:8000", "a.test"):
            for command in self.get_page(PATH, Host=host).texts["pre"]:
                self.assertRegex(command, rf"'http://{re.escape(host)}/api/[^']+'\Z")

    def test_html_in_the_name_of_a_dictionary_is_escaped(self) -> None:
        name = '<b>"&amp;'
        (self.folder / name).write_text("x\n")
        page = self.get_page(PATH)
        self.assertIn(name, page.texts["li"])
        self.assertNotIn("b", page.texts)

    def test_the_instructions_do_not_show_an_invalid_host(self) -> None:
        self.get_page(PATH, Host="evil.test/<script>alert(1)</script>")
        self.assertNotIn("evil", self.html)
        self.assertNotIn("alert", self.html)
        self.assertIn("http://127.0.0.1:", self.html)

    def test_the_instructions_without_a_host_name_localhost(self) -> None:

        class Nameless(FakeSocket):
            def getHost(self) -> Any:
                return UNIXAddress("/run/quotes")

        client = Nameless(self.web.reactor, self.web.build_protocol())
        client.send(b"GET /api/v1/web HTTP/1.0\r\n\r\n")
        [response] = client.responses()
        self.assertIn(b" 'http://localhost/api/v1/json'", response.body)


class InstructionsTests(PagesTestCase):
    """Tests of the instructions."""

    def test_the_instructions_have_every_action_and_url(self) -> None:
        page = self.get_page(PATH)
        urls = [url for url, _ in URLS]
        self.assertEqual(page.texts["dt"], [*ACTIONS, *urls])
        meanings = [each for each in page.texts["dd"] if each]
        self.assertEqual(len(meanings), len(ACTIONS) + len(urls))

    def test_the_instructions_have_every_field(self) -> None:
        rows = self.get_page(PATH).texts["tr"]
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
        rows = self.get_page(PATH).texts["tr"]
        required = [each.split()[0] for each in rows if "required" in each]
        self.assertEqual(required, ["action", "term", "q"])

    def test_the_instructions_have_every_error(self) -> None:
        rows = self.get_page(PATH).texts["tr"]
        codes = {each.split()[0] for each in rows if each.split()[0].isdigit()}
        expected = "400 401 403 404 405 408 413 414 415 429 431 500 501 503 504"
        self.assertEqual(sorted(codes), expected.split())

    def test_the_instructions_have_the_maximum_size_of_a_body(self) -> None:
        self.assertIn("65536 bytes", " ".join(self.get_page(PATH).texts["p"]))

    def test_each_example_works(self) -> None:
        commands = self.get_page(PATH).texts["pre"]
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
        expected = "quotes random today authors dictionaries"
        self.assertEqual(requested_urls, {*ACTIONS, *expected.split()})

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
        response = self.successResultOf(self.web.request("GET", PATH, scheme="https"))
        self.assertIn(f" 'https://{HOST}/api/v1/json'".encode(), response.body)

    def test_the_instructions_omit_wait(self) -> None:
        self.get_page(PATH)
        self.assertNotIn("/wait", self.html)
