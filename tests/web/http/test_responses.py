"""
Tests for L{twisted_quotes.web.http.responses}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from errno import EAGAIN, EMFILE, ENFILE, ENOMEM
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.logger import LogLevel, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel
from werkzeug.exceptions import Gone, MethodNotAllowed, NotFound

from twisted_quotes.errors import (
    BadRequest,
    BodyTooLarge,
    DictionaryForbidden,
    DictionaryNotFound,
    HeadersTooLarge,
    SearchTimedOut,
    ShuttingDown,
    TooBusy,
    TooManyRequests,
    UnknownAction,
)
from twisted_quotes.web.http.request_log import log_entry
from twisted_quotes.web.http.responses import (
    render_body,
    render_error,
    render_json,
)

from ..clients import HOST, INSTRUCTIONS_URL, captured_events

SECRET = "/srv/secret/library"


def make_request() -> Request:
    channel: Any = DummyChannel()
    made = Request(channel)
    made.path = b"/api/v1/json"
    made.requestHeaders.setRawHeaders(b"host", [HOST.encode()])
    return made


def response_headers(request: Request) -> Mapping[bytes, list[bytes]]:
    """Return the headers of the response, by lower-case name."""
    return {
        name.lower(): list(values)
        for name, values in request.responseHeaders.getAllRawHeaders()
    }


class BodyTests(SynchronousTestCase):
    def test_json_is_utf_8_and_ends_with_a_line_feed(self) -> None:
        request = make_request()
        body = render_json(request, {"text": "École"})
        headers = response_headers(request)
        self.assertEqual(json.loads(body), {"text": "École"})
        self.assertEqual(body[-1:], b"\n")
        self.assertEqual(headers[b"content-length"], [b"%d" % len(body)])
        self.assertEqual(headers[b"content-type"], [b"application/json"])
        self.assertEqual(headers[b"x-content-type-options"], [b"nosniff"])

    def test_bytes_are_sent_as_they_are(self) -> None:
        request = make_request()
        self.assertEqual(render_body(request, b"text/css", b"a{}"), b"a{}")
        headers = response_headers(request)
        self.assertEqual(headers[b"content-type"], [b"text/css"])
        self.assertEqual(headers[b"content-length"], [b"3"])


class ErrorTests(SynchronousTestCase):
    """Tests of the mapping of errors to responses."""

    def assert_error_response(
        self, error: Exception, code: int, words: str
    ) -> Mapping[bytes, list[bytes]]:
        """Assert the response to an error, and return its headers."""
        request = make_request()
        body = json.loads(render_error(request, Failure(error)))
        self.assertEqual(request.code, code)
        self.assertEqual(list(body), ["Code", "message"])
        self.assertEqual(body["Code"], code)
        self.assertIn(words, body["message"])
        self.assertTrue(body["message"].endswith(f" {INSTRUCTIONS_URL}"))
        self.assertEqual(
            response_headers(request)[b"content-type"], [b"application/json"]
        )
        return response_headers(request)

    def test_each_quotes_error_has_its_code_and_message(self) -> None:
        for error in (
            BadRequest("Not so."),
            DictionaryForbidden(),
            DictionaryNotFound("x", ["y"]),
            BodyTooLarge(5),
            UnknownAction("No such."),
            SearchTimedOut(3),
        ):
            headers = self.assert_error_response(error, error.code, error.message)
            self.assertFalse(
                {b"retry-after", b"www-authenticate", b"allow"} & set(headers)
            )

    def test_a_503_has_retry_after(self) -> None:
        """The message has the same time."""
        for error in (TooBusy(), ShuttingDown()):
            words = f"Try again in {error.retry_after} second"
            headers = self.assert_error_response(error, 503, words)
            self.assertEqual(headers[b"retry-after"], [b"%d" % error.retry_after])

    def test_resource_exhaustion_is_a_503(self) -> None:
        """The log has the reason, which the client is not told."""
        for number in (EAGAIN, EMFILE, ENFILE, ENOMEM):
            with captured_events() as events:
                headers = self.assert_error_response(
                    OSError(number, SECRET), 503, "not ready"
                )
            self.assertEqual(headers[b"retry-after"], [b"1"])
            [error] = [each for each in events if each["log_level"] == LogLevel.error]
            self.assertIn(f"[Errno {number}] {SECRET}", formatEvent(error))

    def test_a_cancelled_request_is_answered_as_shutting_down(self) -> None:
        headers = self.assert_error_response(CancelledError(), 503, "shutting down")
        self.assertEqual(headers[b"retry-after"], [b"%d" % ShuttingDown.retry_after])

    def test_a_405_names_the_allowed_methods(self) -> None:
        error = MethodNotAllowed(valid_methods=["HEAD", "GET"])
        headers = self.assert_error_response(error, 405, "GET, HEAD")
        self.assertEqual(headers[b"allow"], [b"GET, HEAD, OPTIONS"])

    def test_no_such_url_is_a_404(self) -> None:
        headers = self.assert_error_response(NotFound(), 404, "nothing at that URL")
        self.assertEqual(headers[b"vary"], [b"accept"])

    def test_an_error_of_the_client_annotates_the_log_entry(self) -> None:
        """It is not logged as an event of its own."""
        request = make_request()
        with captured_events() as events:
            render_error(request, Failure(DictionaryNotFound("a", [])))
        self.assertEqual(events, [])
        log_fields = log_entry(request).fields
        self.assertEqual(log_fields["error"], "DictionaryNotFound")
        self.assertIn("There is no dictionary", log_fields["reason"])


class ProblemTests(SynchronousTestCase):
    """Tests of errors as RFC 9457 describes them."""

    def render(self, accept: str, error: Exception) -> tuple[str, Any, Request]:
        """Return the type and the body of an error response, and its request."""
        request = make_request()
        request.requestHeaders.setRawHeaders(b"accept", [accept.encode()])
        body = render_error(request, Failure(error))
        headers = response_headers(request)
        self.assertEqual(headers[b"vary"], [b"accept"])
        self.assertEqual(headers[b"content-length"], [b"%d" % len(body)])
        [content_type] = headers[b"content-type"]
        return content_type.decode(), json.loads(body), request

    def test_a_client_that_names_the_type_gets_problem_details(self) -> None:
        """Only members that the RFC defines, and the headers of any error."""
        for accept in ("application/problem+json", "application/problem+json, */*"):
            content_type, body, request = self.render(accept, TooBusy())
            self.assertEqual(content_type, "application/problem+json")
            message = f"{TooBusy().message} Instructions: {INSTRUCTIONS_URL}"
            self.assertEqual(
                body,
                {
                    "type": "about:blank",
                    "title": "Service Unavailable",
                    "status": 503,
                    "detail": message,
                    "instance": f"urn:request-id:{log_entry(request).id}",
                },
            )
            self.assertEqual(request.code, 503)
            headers = response_headers(request)
            self.assertEqual(headers[b"retry-after"], [b"1"])
            self.assertEqual(headers[b"x-content-type-options"], [b"nosniff"])

    def test_each_status_has_a_title(self) -> None:
        for error, title in (
            (HeadersTooLarge("x"), "Request Header Fields Too Large"),
            (BadRequest("x"), "Bad Request"),
            (TooManyRequests(), "Too Many Requests"),
            (MethodNotAllowed(["GET"]), "Method Not Allowed"),
        ):
            _, body, request = self.render("application/problem+json", error)
            self.assertEqual((body["title"], body["status"]), (title, request.code))

    def test_other_clients_get_the_body_of_the_contract(self) -> None:
        for accept in ("*/*", "application/*", "application/json", "text/html", ""):
            content_type, body, _ = self.render(accept, TooBusy())
            self.assertEqual(content_type, "application/json")
            self.assertEqual(list(body), ["Code", "message"])


class ExcerptTests(SynchronousTestCase):
    def test_a_client_is_shown_where_its_json_ends_and_the_log_is_not(self) -> None:
        request = make_request()
        error = BadRequest("It is not JSON.")
        error.excerpt = " There: secret."
        body = json.loads(render_error(request, Failure(error)))
        self.assertEqual(
            body["message"],
            f"It is not JSON. There: secret. Instructions: {INSTRUCTIONS_URL}",
        )
        self.assertEqual(log_entry(request).fields["reason"], error.message)
        self.assertNotIn("secret", error.message)


class UnexpectedErrorTests(SynchronousTestCase):
    def test_the_response_has_the_request_id_and_no_details(self) -> None:
        request = make_request()
        body = json.loads(render_error(request, Failure(OSError(2, "gone", SECRET))))
        self.flushLoggedErrors(OSError)
        self.assertEqual(request.code, 500)
        self.assertEqual(body["Code"], 500)
        self.assertIn(log_entry(request).id, body["message"])
        self.assertTrue(body["message"].endswith(f" {INSTRUCTIONS_URL}"))
        for inside in (SECRET, "OSError", "gone", "Traceback", ".py"):
            self.assertNotIn(inside, body["message"])

    def test_the_log_has_the_traceback_and_the_same_id(self) -> None:
        request = make_request()
        failure = Failure(ZeroDivisionError("no way"))
        with captured_events() as events:
            render_error(request, failure)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        [event] = [each for each in events if "log_failure" in each]
        self.assertIs(event["log_failure"], failure)
        self.assertEqual(event["id"], log_entry(request).id)

    def test_other_http_errors_are_unexpected(self) -> None:
        request = make_request()
        render_error(request, Failure(Gone()))
        self.assertEqual(request.code, 500)
        self.assertEqual(len(self.flushLoggedErrors(Gone)), 1)
