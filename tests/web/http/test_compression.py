"""
Tests for L{twisted_quotes.web.http.compression}.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel
from zstandard import ZstdDecompressor

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.web.api.results import ResponseWriter
from twisted_quotes.web.http import compression
from twisted_quotes.web.http.caching import set_cache_headers
from twisted_quotes.web.http.compression import (
    MAX_BLOCKING_SIZE,
    MIN_SIZE,
    PIECE_SIZE,
    Compression,
)
from twisted_quotes.web.http.output_limiter import OutputLimiter, OutputQuota
from twisted_quotes.web.http.responses import render_body, set_content_type

from ...fakes import run_immediately
from ..clients import (
    ClientResponse,
    FakeSocket,
    WebTestCase,
    get_request,
    query_request,
)

CODINGS = ("zstd", "gzip")
SIZE = 300_000
NDJSON = "Accept: application/x-ndjson\r\n"


def start_decoding(coding: str) -> Any:
    """Return an object with a method C{decompress}, and C{eof} at the end."""
    if coding == "gzip":
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    return ZstdDecompressor().decompressobj()


def decode(coding: str | None, data: bytes) -> bytes:
    """Decode a complete body."""
    assert coding is not None
    decoder = start_decoding(coding)
    decoded = decoder.decompress(data)
    assert decoder.eof, "the body is not complete"
    assert not decoder.unused_data
    return bytes(decoded)


class ServiceTests(WebTestCase):
    """Tests with the whole service."""

    def setUp(self) -> None:
        super().setUp()
        random = Random(1)
        letters = "".join(random.choices("abcdefgh ", k=SIZE))
        lines = [letters[start : start + 50] for start in range(0, SIZE, 50)]
        (self.folder / "long").write_text("\n\n".join(lines))

    def fetch(
        self, path: str, accept_encoding: str | None, headers: str = "", **kwargs: Any
    ) -> ClientResponse:
        """Return the response to a GET."""
        if accept_encoding is not None:
            headers += f"Accept-Encoding: {accept_encoding}\r\n"
        method = kwargs.get("method", "GET")
        return self.exchange(get_request(path, method, headers), method)

    def test_a_text_is_compressed_in_the_coding_that_the_client_prefers(self) -> None:
        for path in (
            "/static/style.css",
            "/authors",
            "/metrics",
            "/api/v2/quotes",
        ):
            plain = self.fetch(path, None)
            self.assertIsNone(plain.header("content-encoding"))
            for accept_encoding, coding in (
                ("gzip", "gzip"),
                ("gzip, deflate, br, zstd", "zstd"),
                ("zstd;q=0.5, gzip", "gzip"),
            ):
                response = self.fetch(path, accept_encoding)
                self.assertEqual(response.code, 200)
                self.assertEqual(response.header("content-encoding"), coding)
                self.assertIn("accept-encoding", response.header("vary") or "")
                self.assertEqual(
                    response.header("content-length"), str(len(response.body))
                )
                self.assertLess(len(response.body), len(plain.body))
                # The metrics change with each request.
                if path != "/metrics":
                    self.assertEqual(decode(coding, response.body), plain.body)

    def test_other_responses_are_not_compressed(self) -> None:
        """They are small, or the client does not accept it."""
        for path, accept_encoding, code in (
            ("/livez", "gzip", 200),
            ("/x", "gzip", 404),
            ("/static/style.css", "", 200),
            ("/static/style.css", "br, deflate", 200),
            ("/static/style.css", "gzip;q=0", 200),
            ("/static/style.css", "gzip;q=0.5, identity", 200),
            ("/static/style.css", "identity;q=0, br", 200),
        ):
            response = self.fetch(path, accept_encoding)
            self.assertEqual(response.code, code)
            self.assertIsNone(response.header("content-encoding"), accept_encoding)
            self.assertEqual(response.body, self.fetch(path, None).body)

    def test_a_small_response_is_compressed_if_the_client_requires_it(self) -> None:
        for accept_encoding in ("gzip, identity;q=0", "gzip;q=0.1, *;q=0"):
            response = self.fetch("/livez", accept_encoding)
            self.assertEqual(decode("gzip", response.body), b'{"status":"ok"}\n')

    def test_a_response_that_caches_may_store_varies(self) -> None:
        """Otherwise a cache could send it to a client that does not accept it."""
        for path in ("/static/style.css", "/api/v2/quotes", "/api/v2/dictionaries"):
            for accept_encoding in (None, "gzip", "identity"):
                vary = self.fetch(path, accept_encoding).header("vary")
                self.assertEqual(vary, "accept, accept-encoding")

    def test_head_has_the_headers_of_get(self) -> None:
        for path, headers in (
            ("/static/style.css", ""),
            ("/dictionaries", ""),
            ("/api/v2/quotes", ""),
            ("/api/v2/quotes", NDJSON),
        ):
            for accept_encoding in CODINGS:
                get = self.fetch(path, accept_encoding, headers)
                head = self.fetch(path, accept_encoding, headers, method="HEAD")
                self.assertEqual(head.body, b"")
                for name in ("encoding", "length", "type"):
                    self.assertEqual(
                        head.header(f"content-{name}"), get.header(f"content-{name}")
                    )
                for name in ("etag", "vary", "cache-control"):
                    self.assertEqual(head.header(name), get.header(name), name)

    def test_the_entity_tag_of_a_compressed_response_is_weak(self) -> None:
        """Both forms of it give a 304, in both codings."""
        for headers in ("", NDJSON):
            strong = self.fetch("/api/v2/quotes", None, headers).header("etag")
            weak = self.fetch("/api/v2/quotes", "gzip", headers).header("etag")
            self.assertEqual(weak, f"W/{strong}")
            for accept_encoding, expected in ((None, strong), ("gzip", weak)):
                for tag in (strong, weak):
                    response = self.fetch(
                        "/api/v2/quotes",
                        accept_encoding,
                        f"{headers}If-None-Match: {tag}\r\n",
                    )
                    self.assertEqual((response.code, response.body), (304, b""))
                    self.assertEqual(response.header("etag"), expected)
                    self.assertEqual(response.header("vary"), "accept, accept-encoding")
                    for name in ("encoding", "length", "type"):
                        self.assertIsNone(response.header(f"content-{name}"))

    def test_an_error_before_a_stream_is_a_whole_response(self) -> None:
        for path in ("/api/v2/quotes?dictionary=none", "/api/v2/quotes?x=1"):
            plain = self.fetch(path, "gzip", NDJSON)
            self.assertIn(plain.code, (400, 404))
            self.assert_error(plain, plain.code)
            self.assertIsNone(plain.header("content-encoding"))
            response = self.fetch(path, "gzip, identity;q=0", NDJSON)
            self.assertEqual(response.code, plain.code)
            self.assertEqual(response.header("content-length"), str(len(response.body)))
            self.assertEqual(decode("gzip", response.body), plain.body)

    def test_the_page_of_an_error_is_compressed(self) -> None:
        """Also if no route has the URL, or takes the method."""
        for path, method, code in (
            ("/nothing", "GET", 404),
            ("/quotes/nonsense", "GET", 404),
            ("/authors?offset=x", "GET", 400),
            ("/authors", "POST", 405),
        ):
            accept = "Accept: text/html\r\n"
            plain = self.fetch(path, None, accept, method=method)
            response = self.fetch(path, "gzip", accept, method=method)
            self.assertEqual((response.code, plain.code), (code, code), path)
            self.assertEqual(response.header("content-encoding"), "gzip", path)
            self.assertIn("accept-encoding", response.header("vary") or "")
            self.assertEqual(decode("gzip", response.body), plain.body)

    def test_a_stream_is_compressed(self) -> None:
        for coding in CODINGS:
            plain = self.fetch("/api/v2/quotes?dictionary=long", None, NDJSON)
            response = self.fetch("/api/v2/quotes?dictionary=long", coding, NDJSON)
            self.assertEqual(response.header("content-encoding"), coding)
            self.assertEqual(response.header("transfer-encoding"), "chunked")
            self.assertEqual(decode(coding, response.body), plain.body)
            self.assertLess(len(response.body), len(plain.body) / 2)

    def connect_stalled(self) -> FakeSocket:
        """Connect a client that requests a compressed stream and does not read it."""
        (self.folder / "longer").write_text("love is all\n\n" * 200_000)
        client = self.web.connect()
        client.stalled = True
        headers = f"{NDJSON}Accept-Encoding: gzip\r\n"
        client.send(get_request("/api/v2/quotes?dictionary=longer", headers=headers))
        return client

    def test_the_number_of_compressed_streams_is_limited(self) -> None:
        """Others are sent as they are. A client that leaves makes room."""
        self.patch(compression, "MAX_STREAMS", 1)
        self.web = self.make_web()
        first = self.connect_stalled()
        path = "/api/v2/quotes?dictionary=long"
        plain = self.fetch(path, "gzip", NDJSON)
        self.assertIsNone(plain.header("content-encoding"))
        self.assertIn(b'"text"', plain.body)
        empty = self.fetch(f"{path}&min_length=1000000", "gzip", NDJSON)
        self.assertIn(b'"total":0', decode("gzip", empty.body))
        first.disconnect()
        for _ in range(3):
            response = self.fetch(path, "gzip", NDJSON)
            self.assertEqual(decode("gzip", response.body), plain.body)

    def test_a_search_of_v1_is_compressed(self) -> None:
        """Also if it is streamed."""
        query = {"action": "all", "dictionary": "long", "unit": "quote"}
        for nresults, is_whole in ((100, True), (0, False)):
            sent = {**query, "nresults": nresults}
            plain = self.exchange(query_request(sent))
            for coding in CODINGS:
                headers = f"Accept-Encoding: {coding}\r\n"
                response = self.exchange(query_request(sent, headers=headers))
                self.assertEqual(response.header("content-encoding"), coding)
                body = decode(coding, response.body)
                self.assertEqual(body, plain.body)
                self.assertEqual(
                    json.loads(body)["nr of entries"], nresults or SIZE // 50
                )
                self.assertEqual(
                    response.header("content-length") is not None, is_whole
                )


class CompressionTests(SynchronousTestCase):
    """Tests of one response."""

    def make_request(self, accept_encoding: str = "gzip") -> Any:
        """Make a request with output quota."""
        request: Any = Request(DummyChannel(), False)
        request.gotLength(0)
        request.requestHeaders.setRawHeaders("accept-encoding", [accept_encoding])
        request.limiter = OutputLimiter(10**6, 9)
        request.output_quota = OutputQuota(request.limiter, "a")
        return request

    def respond(
        self,
        request: Any,
        route: Callable[[], bytes | Awaitable[bytes]],
        in_thread: DeferToThread = run_immediately,
    ) -> Deferred[bytes]:
        return Deferred.fromCoroutine(Compression(in_thread).respond(request, route))

    def encode(self, content_type: str, body: bytes) -> tuple[str | None, bytes]:
        """Return the coding and the body of a response."""
        request = self.make_request()

        def route() -> bytes:
            return render_body(request, content_type.encode(), body)

        encoded = self.successResultOf(self.respond(request, route))
        [coding] = request.responseHeaders.getRawHeaders("content-encoding", [None])
        [length] = request.responseHeaders.getRawHeaders("content-length")
        self.assertEqual(length, str(len(encoded)))
        return coding, encoded

    def test_only_text_is_compressed(self) -> None:
        """Fonts and images are compressed already."""
        body = b"a" * MIN_SIZE
        for content_type in (
            "application/json",
            "application/x-ndjson",
            "application/problem+json",
            "application/openmetrics-text; version=1.0.0",
            "application/opensearchdescription+xml",
            "image/svg+xml",
            "text/css; charset=utf-8",
            "text/html",
            "text/javascript",
            "text/plain",
        ):
            coding, encoded = self.encode(content_type, body)
            self.assertEqual(coding, "gzip", content_type)
            self.assertEqual(decode("gzip", encoded), body)
        for content_type in (
            "image/png",
            "font/woff2",
            "application/octet-stream",
            "application/jsonx",
            "",
        ):
            self.assertEqual(self.encode(content_type, body), (None, body))

    def test_a_body_of_a_kilobyte_or_more_is_compressed(self) -> None:
        body = b"a" * MIN_SIZE
        self.assertEqual(self.encode("text/css", body)[0], "gzip")
        self.assertEqual(self.encode("text/css", body[1:]), (None, body[1:]))

    def test_a_large_body_is_compressed_in_a_thread_piece_by_piece(self) -> None:
        sizes: list[int] = []

        def in_thread(function: Callable[[bytes], bytes], data: bytes) -> Deferred[Any]:
            sizes.append(len(data))
            return run_immediately(function, data)

        for size, expected in (
            (MAX_BLOCKING_SIZE, []),
            (MAX_BLOCKING_SIZE + 1, [MAX_BLOCKING_SIZE + 1]),
            (2 * PIECE_SIZE + 1, [PIECE_SIZE, PIECE_SIZE, 1]),
        ):
            for coding in CODINGS:
                sizes.clear()
                request = self.make_request(coding)
                body = Random(1).randbytes(size)
                route = _render(request, body)
                response = self.successResultOf(self.respond(request, route, in_thread))
                self.assertEqual(decode(coding, response), body)
                self.assertEqual(sizes, expected)

    def test_a_client_that_leaves_ends_the_compression(self) -> None:
        """Until then, its response counts as unread."""
        calls: list[Deferred[Any]] = []

        def in_thread(*_: object) -> Deferred[Any]:
            calls.append(Deferred())
            return calls[-1]

        request = self.make_request()
        body = b"a" * 3 * PIECE_SIZE
        response = self.respond(request, _render(request, body), in_thread)
        self.assertEqual(request.limiter.unsent_bytes.total, len(body))
        response.cancel()
        self.failureResultOf(response, CancelledError)
        self.assertEqual(request.limiter.unsent_bytes.total, 0)
        self.assertIsNone(request.encoder)
        self.assertEqual(len(calls), 1)

    def test_each_part_of_a_stream_can_be_read_at_once(self) -> None:
        """Nothing waits for the next part."""
        for coding in CODINGS:
            request = self.make_request(coding)
            decoder = start_decoding(coding)
            written: list[bytes] = []
            request.write = written.append

            async def route(
                request: Any = request, decoder: Any = decoder, written: Any = written
            ) -> bytes:
                set_cache_headers(request, "no-cache", "tag")
                set_content_type(request, b"application/x-ndjson")
                writer = ResponseWriter(request)
                self.assertFalse(request.responseHeaders.hasHeader("content-encoding"))
                for part in (b"a", b"b" * 100, b"", b"c" * 2 * PIECE_SIZE):
                    await writer.write(part)
                    self.assertEqual(decoder.decompress(written.pop()), part)
                writer.close()
                return b"last"

            last = self.successResultOf(self.respond(request, route))
            self.assertEqual(decoder.decompress(last), b"last")
            self.assertTrue(decoder.eof)
            headers = request.responseHeaders
            self.assertEqual(headers.getRawHeaders("content-encoding"), [coding])
            self.assertEqual(headers.getRawHeaders("etag"), ['W/"tag"'])

    def test_a_stream_of_another_type_is_sent_as_it_is(self) -> None:
        request = self.make_request()
        written: list[bytes] = []
        request.write = written.append

        async def route() -> bytes:
            set_content_type(request, b"image/png")
            writer = ResponseWriter(request)
            await writer.write(b"first")
            request.startedWriting = 1
            writer.close()
            return b"last"

        self.assertEqual(self.successResultOf(self.respond(request, route)), b"last")
        self.assertEqual(written, [b"first"])


def _render(request: Any, body: bytes) -> Callable[[], bytes]:
    """Return a route that responds with a text."""
    return lambda: render_body(request, b"text/plain", body)
