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
from twisted_quotes.web.api.operations import listings, quotes, v1
from twisted_quotes.web.api.routes import OPERATIONS
from twisted_quotes.web.pages.documentation import documentation, instructions
from twisted_quotes.web.pages.documentation.fields import (
    FieldRow,
    body_fields,
    query_parameters,
)
from twisted_quotes.web.pages.rendering import flatten_page

from ...clients import HOST, FakeSocket, get_request
from ..cases import Page, PagesTestCase

PATH = "/api/v1/web"
FIELDS = body_fields(v1.FIND_ENTRIES.query)
V2_OPERATIONS = *quotes.OPERATIONS, *listings.OPERATIONS
PARAMETERS = query_parameters(V2_OPERATIONS, "/api/v2/")
EXAMPLES = [example for each in OPERATIONS for example in each.examples]


class InstructionsTestCase(PagesTestCase):
    """Parses the instructions."""

    def commands(self, page: Page) -> list[str]:
        """Return the commands on the page; the other texts are responses."""
        classes = [each["class"] for each in page.attributes["pre"]]
        return [
            text
            for text, name in zip(page.texts["pre"], classes, strict=True)
            if name == "command"
        ]

    def dictionaries(self, page: Page) -> list[str]:
        """Return the items of the list of dictionaries, after the contents."""
        return page.texts["li"][7:]


class DictionaryTests(InstructionsTestCase):
    """Tests of the list of dictionaries, and of the host in the examples."""

    def test_the_instructions_name_the_dictionaries(self) -> None:
        names = self.dictionaries(self.get_page(PATH))
        self.assertEqual(names, ["alpha (default)", "sub/beta"])

    def test_the_instructions_have_the_warnings_about_dictionaries(self) -> None:
        (self.folder / "alpha").write_bytes(b"1\xff\n\n2\xff\n")
        self.assertEqual(self.get_page(PATH).texts["small"], ["2 places are not UTF-8"])
        (self.folder / "alpha").write_text("1\n")
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
        with patch.object(instructions, "MAX_NAMES", 2):
            for name in ("a", "b", "c"):
                (self.folder / name).write_text("x\n")
            items = self.dictionaries(self.get_page(PATH))
        self.assertEqual(items[-1], f"and {len(self.web.library.names()) - 2} more")
        self.assertEqual(len(items), 3)

    def test_the_instructions_are_rendered_once_for_each_state(self) -> None:
        """Whatever the host of the request."""
        rendered = []

        def watched(request: Any, page: Any) -> Any:
            rendered.append(page)
            return flatten_page(request, page)

        self.render_instructions()
        self.patch(documentation, "flatten_page", watched)
        for host in ("a.test", "b.test:8000", "192.0.2.1"):
            self.get_page(PATH, Host=host)
            self.assertIn(f" 'http://{host}/api/v1/json'", self.html)
            self.assertNotIn(".invalid", self.html)
        self.assertEqual(rendered, [])
        (self.folder / "new").write_text("x\n")
        for _ in range(3):
            self.assertIn("new", self.dictionaries(self.get_page(PATH)))
        self.assertEqual(len(rendered), 1)
        # Their index was built meanwhile. Then they are kept for good.
        for _ in range(3):
            self.web.reactor.advance(60)
            self.assertIn("new", self.dictionaries(self.get_page(PATH)))
        self.assertEqual(len(rendered), 2)

    def test_urls_in_commands_are_quoted(self) -> None:
        """A shell and curl must not expand an IPv6 address as a pattern."""
        for host in ("[2001:db8::1]:8000", "a.test"):
            for command in self.commands(self.get_page(PATH, Host=host)):
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

        self.render_instructions()
        client = Nameless(self.web.reactor, self.web.build_protocol())
        client.send(b"GET /api/v1/web HTTP/1.0\r\n\r\n")
        [response] = client.responses()
        self.assertIn(b" 'http://localhost/api/v1/json'", response.body)


class InstructionsTests(InstructionsTestCase):
    """Tests of the instructions."""

    def test_the_contents_link_to_all_sections(self) -> None:
        page = self.get_page(PATH)
        anchors = [each["id"] for each in page.attributes["section"]]
        self.assertEqual(anchors[0], "v2")
        self.assertEqual(
            [each for each in page.links if each.startswith("#")],
            ["#main", *(f"#{each}" for each in anchors)],
        )
        self.assertEqual(len(page.texts["h2"]), len(anchors))

    def test_the_instructions_have_every_url_and_action(self) -> None:
        page = self.get_page(PATH)
        urls = [each.path for each in V2_OPERATIONS]
        self.assertEqual(page.texts["dt"], [*urls, *ACTIONS])
        self.assertTrue(all(page.texts["dd"]))

    def test_the_instructions_have_every_field(self) -> None:
        rows = self.get_page(PATH).texts["tr"]
        for field in (*FIELDS, *PARAMETERS):
            self.assertTrue(
                any(all(value in row for value in field) for row in rows), field
            )

    def test_different_defaults_of_a_field_are_listed(self) -> None:
        def defaults(rows: list[FieldRow]) -> dict[str, str]:
            return {each.name: each.default for each in rows}

        fields, parameters = defaults(FIELDS), defaults(PARAMETERS)
        self.assertEqual(fields["nresults"], "0; 1 for random")
        self.assertEqual(fields["term"], "required by search")
        self.assertEqual(fields["unit"], '"line"; "quote" for random')
        self.assertEqual(parameters["limit"], "20; 1 for quotes/random")
        self.assertEqual(parameters["q"], "-; required by suggestions")

    def test_the_instructions_have_every_error(self) -> None:
        rows = self.get_page(PATH).texts["tr"]
        codes = {each.split()[0][:3] for each in rows if each[:3].isdigit()}
        expected = "400 401 403 404 405 408 413 414 415 429 431 500 501 503 504"
        self.assertEqual(sorted(codes), expected.split())

    def test_the_instructions_have_the_maximum_size_of_a_body(self) -> None:
        self.assertIn("65536 bytes", " ".join(self.get_page(PATH).texts["p"]))

    def test_the_instructions_omit_what_is_not_in_the_apis(self) -> None:
        self.get_page(PATH)
        for path in ("/wait", "/metrics"):
            self.assertNotIn(path, self.html)


class ExampleTests(InstructionsTestCase):
    """Tests of the examples and their responses."""

    def test_each_example_works(self) -> None:
        commands = self.commands(self.get_page(PATH))
        self.assertEqual(len(commands), len(EXAMPLES))
        requested = set()
        for command in commands:
            curl, *options, url = shlex.split(command)
            self.assertEqual(curl, "curl")
            if url == f"http://{HOST}/api/v1/json":
                option, body = options
                self.assertEqual(option, "-d")
                parse_query(body.encode())
                requested.add(msgspec.json.decode(body)["action"])
            else:
                headers = dict([options[1].split(": ")]) if options else {}
                path = url.removeprefix(f"http://{HOST}")
                self.assertEqual(self.get(path, headers=headers).code, 200, url)
                requested.add(path.partition("?")[0].split("/")[-1])
        names = "quotes random today authors dictionaries suggestions"
        self.assertEqual(requested, {*ACTIONS, *names.split()})

    def test_the_examples_have_the_scheme_of_the_request(self) -> None:
        self.render_instructions()
        response = self.successResultOf(self.web.request("GET", PATH, scheme="https"))
        self.assertIn(f" 'https://{HOST}/api/v1/json'".encode(), response.body)

    def test_each_example_has_the_response_to_it(self) -> None:
        page = self.get_page(PATH)
        self.assertEqual(len(page.texts["samp"]), len(EXAMPLES))
        self.assertIn(
            '{"nr of entries":2,"results":["alpha","sub/beta"]}', page.texts["samp"]
        )
        self.assertIn(f'"url":"http://{HOST}/quotes/', self.html.replace("&quot;", '"'))

    def test_a_response_that_is_an_error_is_marked(self) -> None:
        """A library without quotes has no quote of the day."""
        for path in ("alpha", "sub/beta"):
            (self.folder / path).write_text("")
        page = self.get_page(PATH)
        self.assertIn("Here the response is an error, 404:", page.texts["p"])
        self.assertIn("No quote", self.html)

    def test_a_long_response_is_cut(self) -> None:
        (self.folder / "alpha").write_text(f"{'long ' * 1000}\n" * 5)
        page = self.get_page(PATH)
        for text in page.texts["samp"]:
            self.assertLessEqual(len(text), instructions.MAX_ANSWER_LENGTH)
        self.assertIn("The rest of the response is left out.", page.texts["p"])

    def test_a_busy_service_shows_the_responses_after_a_minute(self) -> None:
        """It requests no further examples, and keeps the page for so long."""
        busy = self.make_web(running=1, waiting=0)
        self.web, first = busy, busy.post_query(action="search", term="x")
        page = self.get_page(PATH)
        text = "The service is too busy to show the response."
        self.assertIn(text, page.texts["p"])
        busy.end_processes()
        busy.flush_responses()
        self.successResultOf(first)
        self.assertIn(text, self.get_page(PATH).texts["p"])
        busy.reactor.advance(60)
        self.assertNotIn(text, self.get_page(PATH).texts["p"])

    def test_examples_are_cancelled_when_nobody_waits_for_the_page(self) -> None:
        """Then nothing is outstanding, and a shutdown has nothing to wait for."""
        clients = [self.web.connect() for _ in range(2)]
        for client in clients:
            client.send(get_request(PATH))
        first, *_ = self.web.running_processes()
        clients[0].disconnect()
        clients[1].disconnect()
        self.assertIn("KILL", first.signals)
        self.web.end_processes()
        self.web.reactor.advance(0)
        self.assertEqual(len(self.web.outstanding), 0)
        self.assertEqual(self.web.running_processes(), [])
