"""
Tests of what is known of a request.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from twisted_quotes.web.http.request_log import IRecord, header, note


def request() -> Request:
    """A request."""
    channel: Any = DummyChannel()
    return Request(channel)


class RecordTests(SynchronousTestCase):
    """Tests of the record that is kept with a request."""

    def test_a_request_keeps_its_record(self) -> None:
        """Each look at a request finds the same record."""
        one = request()
        self.assertIs(IRecord(one), IRecord(one))

    def test_each_request_has_an_id_of_its_own(self) -> None:
        """An id names one request."""
        ids = {IRecord(request()).id for _ in range(100)}
        self.assertEqual(len(ids), 100)

    def test_an_id_is_a_plain_token(self) -> None:
        """An id stands in a message, a log line and a shell as it is."""
        self.assertRegex(IRecord(request()).id, r"\A[0-9a-f]{16}\Z")

    def test_two_ids_are_none(self) -> None:
        """Of several that a client sends, none is taken."""
        one = request()
        one.requestHeaders.setRawHeaders("x-request-id", ["a", "b"])
        self.assertRegex(IRecord(one).id, r"\A[0-9a-f]{16}\Z")
        one = request()
        one.requestHeaders.setRawHeaders("x-request-id", ["a"])
        self.assertEqual(IRecord(one).id, "a")

    def test_the_lines_of_a_header_are_one_list(self) -> None:
        """In the order in which they came (RFC 9110, section 5.3)."""
        one = request()
        self.assertEqual(header(one, b"accept"), "")
        one.requestHeaders.setRawHeaders(b"accept", [b"a/b", b"c/d;q=0.1, e/\xff"])
        self.assertEqual(header(one, b"accept"), "a/b, c/d;q=0.1, e/\xff")

    def test_what_is_noted_is_kept(self) -> None:
        """Facts are added up, and the last word counts."""
        one = request()
        note(one, action="search", entries=1)
        note(one, entries=2)
        self.assertEqual(IRecord(one).facts, {"action": "search", "entries": 2})

    def test_what_is_noted_of_one_is_not_known_of_another(self) -> None:
        """Facts are those of one request."""
        note(request(), action="search")
        self.assertEqual(IRecord(request()).facts, {})
