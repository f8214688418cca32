"""
Tests of all kinds of responses with httplint, over a real socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from http.client import HTTPConnection
from time import time

from httplint import HttpRequestLinter, HttpResponseLinter, levels
from httplint.status import STATUS_BAD_REQUEST

from .cases import LibraryTestCase
from .http_connection import TIMEOUT
from .server import Server

NDJSON, PROBLEM = "application/x-ndjson", "application/problem+json"
QUOTES = "/api/v2/quotes?term=once"
SEARCH = json.dumps({"action": "search", "term": "once"})


def lint(
    server: Server, method: str, path: str, body: str | None, headers: dict[str, str]
) -> tuple[int, str | None, Sequence[str]]:
    """Return the status, the coding and the faults of a response."""
    with closing(HTTPConnection(*server.address, timeout=TIMEOUT)) as connection:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
    request_linter = HttpRequestLinter()
    request_linter.process_request_topline(
        method.encode(), f"{server.url}{path}".encode(), b"HTTP/1.1"
    )
    request_linter.process_headers(_encode(headers.items()))
    linter = HttpResponseLinter(start_time=time())
    linter.request = request_linter
    linter.process_response_topline(
        b"HTTP/1.1", b"%d" % response.status, response.reason.encode()
    )
    linter.is_head_response = method == "HEAD"
    linter.process_headers(_encode(response.getheaders()))
    linter.feed_content(content)
    linter.finish_content(True)
    notes = [each for note in linter.notes for each in (note, *note.subnotes)]
    faults = [
        str(note)
        for note in notes
        # It warns of each 400.
        if note.level in (levels.BAD, levels.WARN)
        and not isinstance(note, STATUS_BAD_REQUEST)
    ]
    return response.status, response.getheader("content-encoding"), faults


def _encode(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]


class MessageTests(LibraryTestCase):
    dictionaries = {"story": "once upon a time\n\n" * 100}

    def test_no_response_has_a_fault(self) -> None:
        """Pages, JSON, streams, errors and bodies that are left out; compressed too."""
        server = self.serve()
        # The response has URLs with the port, which this client sends.
        etag = server.get(f"{server.url}{QUOTES}").headers["etag"]
        for coding in (None, "gzip", "zstd"):
            for status, is_large, method, path, headers in (
                (200, True, "GET", "/api/v1/web", {}),
                (200, True, "HEAD", "/api/v1/web", {}),
                (200, True, "GET", "/static/style.css", {}),
                (200, True, "GET", "/metrics", {}),
                (200, False, "GET", "/livez", {}),
                (200, True, "POST", "/api/v1/json", {}),
                (200, True, "GET", QUOTES, {}),
                (200, True, "HEAD", QUOTES, {}),
                (200, True, "GET", QUOTES, {"Accept": NDJSON}),
                (200, True, "HEAD", QUOTES, {"Accept": NDJSON}),
                (200, False, "GET", "/api/v2/dictionaries/", {}),
                (304, False, "GET", QUOTES, {"If-None-Match": etag}),
                (304, False, "HEAD", QUOTES, {"If-None-Match": f"W/{etag}"}),
                (204, False, "OPTIONS", "/api/v1/json", {}),
                (400, False, "GET", "/api/v2/quotes?x=1", {}),
                (400, False, "GET", "/api/v2/quotes?x=1", {"Accept": PROBLEM}),
                (404, False, "GET", "/nothing", {}),
                (404, False, "HEAD", "/nothing", {"Accept": PROBLEM}),
                (405, False, "DELETE", "/api/v1/json", {}),
                (413, False, "POST", "/api/v1/json", {"Content-Length": "70000"}),
                (501, False, "BREW", "/", {}),
            ):
                sent = headers | ({"Accept-Encoding": coding} if coding else {})
                body = SEARCH if status == 200 and method == "POST" else None
                self.assertEqual(
                    lint(server, method, path, body, sent),
                    (status, coding if is_large else None, []),
                    f"{method} {path} {sent}",
                )

    def test_a_request_for_credentials_has_no_fault(self) -> None:
        passwords = self.folder / "passwords"
        passwords.write_text("alice:secret\n")
        server = self.serve(f"--auth=file:{passwords}")
        for headers in ({}, {"Accept": PROBLEM}, {"Authorization": "Bearer a.b"}):
            self.assertEqual(lint(server, "GET", "/", None, headers), (401, None, []))
