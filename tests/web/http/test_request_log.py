"""
Tests for L{twisted_quotes.web.http.request_log}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from twisted_quotes.web.http.request_log import annotate, header, log_entry


def make_request() -> Request:
    channel: Any = DummyChannel()
    return Request(channel)


class RequestLogTests(SynchronousTestCase):
    def test_a_request_has_one_log_entry(self) -> None:
        one = make_request()
        self.assertIs(log_entry(one), log_entry(one))

    def test_each_request_has_an_id_of_its_own(self) -> None:
        ids = {log_entry(make_request()).id for _ in range(100)}
        self.assertEqual(len(ids), 100)
        self.assertRegex(ids.pop(), r"\A[0-9a-f]{16}\Z")

    def test_of_several_supplied_ids_none_is_used(self) -> None:
        one = make_request()
        one.requestHeaders.setRawHeaders("x-request-id", ["a", "b"])
        self.assertRegex(log_entry(one).id, r"\A[0-9a-f]{16}\Z")
        one = make_request()
        one.requestHeaders.setRawHeaders("x-request-id", ["a"])
        self.assertEqual(log_entry(one).id, "a")

    def test_the_lines_of_a_header_are_one_list(self) -> None:
        """RFC 9110, section 5.3."""
        one = make_request()
        self.assertEqual(header(one, b"accept"), "")
        one.requestHeaders.setRawHeaders(b"accept", [b"a/b", b"c/d;q=0.1, e/\xff"])
        self.assertEqual(header(one, b"accept"), "a/b, c/d;q=0.1, e/\xff")

    def test_annotations_are_those_of_one_request(self) -> None:
        """Later annotations replace earlier ones."""
        one = make_request()
        annotate(one, action="search", entries=1)
        annotate(one, entries=2)
        self.assertEqual(log_entry(one).fields, {"action": "search", "entries": 2})
        self.assertEqual(log_entry(make_request()).fields, {})
