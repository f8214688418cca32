"""
Tests for L{twisted_quotes.web.http.caching}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.quotes.strfile import StrfileHeader
from twisted_quotes.web.http.caching import (
    add_vary,
    check_if_none_match_any,
    check_not_modified,
    entity_tag,
    set_cache_headers,
    weaken_entity_tag,
)

FILE_STATE = FileState(1, 2, 3, 4, 5)
OTHER_VALUES: list[dict[str, Any]] = [
    *({field: 9} for field in FileState._fields[:-1]),
    {"strfile_header": StrfileHeader("%", rot13=True)},
]


class EntityTagTests(SynchronousTestCase):
    def test_the_order_of_the_files_makes_no_difference(self) -> None:
        self.assertEqual(
            entity_tag("x", {"a": FILE_STATE, "b": FILE_STATE}),
            entity_tag("x", {"b": FILE_STATE, "a": FILE_STATE}),
        )

    def test_everything_that_affects_the_response_changes_the_tag(self) -> None:
        tags = {
            entity_tag("x", {"a": FILE_STATE}),
            entity_tag("y", {"a": FILE_STATE}),
            entity_tag("x", {"b": FILE_STATE}),
            entity_tag("x", {}),
            *(
                entity_tag("x", {"a": FILE_STATE._replace(**changes)})
                for changes in OTHER_VALUES
            ),
        }
        self.assertEqual(len(tags), 4 + len(FileState._fields))


class HeaderTests(SynchronousTestCase):
    def make_request(self, *if_none_match: str) -> Any:
        """Make a request with the given lines of If-None-Match."""
        request = Request(DummyChannel(), False)
        if if_none_match:
            request.requestHeaders.setRawHeaders("if-none-match", if_none_match)
        return request

    def test_a_matching_tag_is_a_304(self) -> None:
        """The header may have several tags, weak or strong."""
        for header in ('"abc"', 'W/"abc"', '"x", "abc"', '"x",W/"abc"'):
            request = self.make_request(header)
            self.assertTrue(check_not_modified(request, "abc"), header)
            self.assertEqual(request.code, 304)

    def test_all_lines_of_the_header_count(self) -> None:
        """RFC 9110, section 5.3."""
        for lines in (('"abc"', '"x"'), ('"x"', 'W/"abc"'), ("", '"abc"', "")):
            self.assertTrue(check_not_modified(self.make_request(*lines), "abc"), lines)

    def test_a_star_matches_any_response(self) -> None:
        """RFC 9110, section 13.1.2."""
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

    def test_another_tag_or_a_malformed_header_does_not_match(self) -> None:
        for header in ("", "*", '"x"', '"abcd"', '"', "W/", "abc", "x"):
            request = self.make_request(header)
            self.assertFalse(check_not_modified(request, "abc"), header)
            self.assertEqual(request.code, 200)

    def test_vary_has_each_name_once(self) -> None:
        request = self.make_request()
        for names in (b"origin", b"accept, origin", b"accept"):
            add_vary(request, names)
        vary = request.responseHeaders.getRawHeaders("vary")
        self.assertEqual(vary, ["origin, accept"])

    def test_an_entity_tag_is_made_weak_once(self) -> None:
        request = self.make_request()
        weaken_entity_tag(request)
        self.assertFalse(request.responseHeaders.hasHeader("etag"))
        set_cache_headers(request, "no-cache", "abc")
        for _ in range(2):
            weaken_entity_tag(request)
            etag = request.responseHeaders.getRawHeaders("etag")
            self.assertEqual(etag, ['W/"abc"'])

    def test_cache_headers(self) -> None:
        for cache_control, tag in (("no-cache", "abc"), ("no-store", "")):
            request = self.make_request()
            set_cache_headers(request, "no-cache", "replaced")
            set_cache_headers(request, cache_control, tag)
            headers = request.responseHeaders
            self.assertEqual(headers.getRawHeaders("cache-control"), [cache_control])
            self.assertEqual(headers.getRawHeaders("vary"), ["accept, accept-encoding"])
            expected = [f'"{tag}"'] if tag else None
            self.assertEqual(headers.getRawHeaders("etag"), expected)
