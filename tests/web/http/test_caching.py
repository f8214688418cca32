"""
Tests for L{twisted_quotes.web.http.caching}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.web.http.caching import (
    check_if_none_match_any,
    check_not_modified,
    entity_tag,
    forbid_caching,
    require_revalidation,
)

FILE_STATE = FileState(1, 2, 3, 4, 5)


class ETagTests(SynchronousTestCase):
    """Tests of the names of answers."""

    def test_the_same_question_to_the_same_files_has_the_same_tag(self) -> None:
        """In whichever order the files are looked at."""
        self.assertEqual(
            entity_tag("x", {"a": FILE_STATE, "b": FILE_STATE}),
            entity_tag("x", {"b": FILE_STATE, "a": FILE_STATE}),
        )

    def test_everything_that_may_change_the_answer_changes_the_tag(self) -> None:
        """The question, which files there are, and what is known of each."""
        tags = {
            entity_tag("x", {"a": FILE_STATE}),
            entity_tag("y", {"a": FILE_STATE}),
            entity_tag("x", {"b": FILE_STATE}),
            entity_tag("x", {}),
            *(
                entity_tag("x", {"a": FILE_STATE._replace(**{field: 9})})
                for field in FileState._fields
            ),
        }
        self.assertEqual(len(tags), 4 + len(FileState._fields))


class HeaderTests(SynchronousTestCase):
    """Tests of what a client is told."""

    def make_request(self, *if_none_match: str) -> Any:
        """A request that may know an answer, with the lines of one header."""
        request = Request(DummyChannel(), False)
        if if_none_match:
            request.requestHeaders.setRawHeaders("if-none-match", if_none_match)
        return request

    def test_a_client_that_has_the_answer_is_told_so(self) -> None:
        """It may name several, weak or strong."""
        for header in ('"abc"', 'W/"abc"', '"x", "abc"', '"x",W/"abc"'):
            request = self.make_request(header)
            self.assertTrue(check_not_modified(request, "abc"), header)
            self.assertEqual(request.code, 304)

    def test_every_line_counts(self) -> None:
        """The header may be sent several times (RFC 9110, section 5.3)."""
        for lines in (('"abc"', '"x"'), ('"x"', 'W/"abc"'), ("", '"abc"', "")):
            self.assertTrue(check_not_modified(self.make_request(*lines), "abc"), lines)

    def test_any_answer_will_do(self) -> None:
        """Whoever has any has what exists (RFC 9110, section 13.1.2)."""
        for header, known in (
            ("*", True),
            (" * ", True),
            ('"x"', False),
            ("**", False),
        ):
            request = self.make_request(header)
            self.assertEqual(check_if_none_match_any(request), known, header)
            self.assertEqual(request.code, 304 if known else 200)
        self.assertFalse(check_if_none_match_any(self.make_request()))

    def test_a_client_that_has_another_gets_the_answer(self) -> None:
        """Or one that has none, or talks nonsense."""
        for header in ("", "*", '"x"', '"abcd"', '"', "W/", "abc", "x"):
            request = self.make_request(header)
            self.assertFalse(check_not_modified(request, "abc"), header)
            self.assertEqual(request.code, 200)

    def test_what_may_be_kept_is_to_be_asked_for_again(self) -> None:
        """A dictionary may change at any time."""
        request = self.make_request()
        require_revalidation(request, "abc")
        headers = request.responseHeaders
        self.assertEqual(headers.getRawHeaders("cache-control"), ["no-cache"])
        self.assertEqual(headers.getRawHeaders("vary"), ["accept"])

    def test_what_is_by_chance_is_not_kept(self) -> None:
        """The next one is another."""
        request = self.make_request()
        forbid_caching(request)
        headers = request.responseHeaders
        self.assertEqual(headers.getRawHeaders("cache-control"), ["no-store"])
        self.assertFalse(headers.hasHeader("etag"))

    def test_what_is_not_kept_may_have_a_name(self) -> None:
        """A client may have kept it by means of its own."""
        request = self.make_request()
        forbid_caching(request, "abc")
        headers = request.responseHeaders
        self.assertEqual(headers.getRawHeaders("cache-control"), ["no-store"])
        self.assertEqual(headers.getRawHeaders("etag"), ['"abc"'])
