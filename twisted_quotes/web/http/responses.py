"""
Answers: JSON bodies, and the one place where errors become them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from errno import EAGAIN, EMFILE, ENFILE, ENOMEM
from typing import Any, NamedTuple

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from twisted_quotes.errors import (
    NotAuthenticated,
    QuotesError,
    ServiceNotReady,
    ShuttingDown,
    Unavailable,
    UnsupportedContentEncoding,
)
from twisted_quotes.web.limits.output import SMALL_RESPONSE, IOutputQuota

from .request_log import IRequestLogEntry, annotate
from .urls import instructions_url

_log = Logger()


# Nothing comes from elsewhere, nothing runs, and nobody frames it.
_SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; style-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
}


# RFC 7617, section 2.1, and RFC 6750, section 3.
_BASIC_CHALLENGE = b'Basic realm="twisted_quotes", charset="UTF-8"'
_BEARER_CHALLENGE = b'Bearer realm="twisted_quotes"'

# The machine has no more processes, files or memory for now.
_RESOURCE_EXHAUSTION_ERRNOS = {EAGAIN, EMFILE, ENFILE, ENOMEM}


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of an answer that is an error (contract, section 1)."""

    code: int = msgspec.field(name="Code")
    message: str


def render_json(request: IRequest, value: Any) -> bytes:
    """
    Make a value the body of an answer.

    @return: the body, for the route to return.
    """
    # The line feed keeps a shell's prompt off the end of the answer.
    body = msgspec.json.encode(value) + b"\n"
    return render_body(request, b"application/json", body)


def render_body(request: IRequest, content_type: bytes, body: bytes) -> bytes:
    """
    Make bytes the body of an answer, and return them.

    @raise TooBusy: there is no room for so many, see L{IOutputQuota}.
    @raise TooManyRequests: and that is because of this client.
    """
    if (
        len(body) > SMALL_RESPONSE
        and (output_quota := IOutputQuota(request, None)) is not None
    ):
        output_quota.check_size(len(body))
    set_content_type(request, content_type)
    request.setHeader(b"content-length", b"%d" % len(body))
    return body


def set_content_type(request: IRequest, content_type: bytes) -> None:
    """Say what the body of an answer is, and have it safe to show."""
    request.setHeader(b"content-type", content_type)
    for name, value in _SECURITY_HEADERS.items():
        request.setHeader(name, value)


class ErrorResponse(NamedTuple):
    """
    What a failure comes to.

    @ivar message: what the caller is told.
    @ivar headers: what goes with the answer.
    """

    code: int
    message: str
    headers: Mapping[bytes, Sequence[bytes]]


def to_error_response(request: IRequest, failure: Failure) -> ErrorResponse:
    """
    Log a failure, and say what it comes to.

    What the caller got wrong is logged at info. What is the service's own
    fault is logged at error with its traceback and the id of the request, and
    the caller is told that id and nothing else. Where the machine has nothing
    more to give the reason is logged at error, and the caller may try again.
    """
    error = failure.value
    match error:
        case QuotesError():
            code, message = error.code, error.message
        case CancelledError():
            # The caller is still there, so it is the service that is ending.
            error = ShuttingDown()
            code, message = error.code, error.message
        case OSError() if error.errno in _RESOURCE_EXHAUSTION_ERRNOS:
            _log.error(
                "Request {id} needs what the machine has not: {reason!a}",
                id=IRequestLogEntry(request).id,
                reason=str(error),
            )
            error = ServiceNotReady("any more processes, files or memory")
            code, message = error.code, error.message
        case MethodNotAllowed():
            code, message = (
                405,
                f"That URL takes the methods {_allowed_methods(error)}.",
            )
        case HTTPException(code=404):
            code, message = 404, "There is nothing at that URL."
        case _:
            return _internal_server_error(request, failure)
    # The one event that the site logs for each request tells it.
    annotate(request, error=type(error).__name__, reason=message)
    return ErrorResponse(code, message, _error_headers(error))


def _error_headers(error: BaseException) -> Mapping[bytes, Sequence[bytes]]:
    """What an error tells in headers."""
    match error:
        case NotAuthenticated():
            invalid_token = b', error="invalid_token"' * error.is_bearer_token
            return {
                b"www-authenticate": [
                    _BASIC_CHALLENGE,
                    _BEARER_CHALLENGE + invalid_token,
                ]
            }
        case UnsupportedContentEncoding():
            return {b"accept-encoding": [b"identity"]}
        case MethodNotAllowed():
            return {b"allow": [_allowed_methods(error).encode()]}
        case Unavailable():
            return {b"retry-after": [b"%d" % error.retry_after]}
    return {}


def _allowed_methods(error: MethodNotAllowed) -> str:
    return ", ".join(sorted(error.valid_methods or ()))


def _internal_server_error(request: IRequest, failure: Failure) -> ErrorResponse:
    request_id = IRequestLogEntry(request).id
    _log.failure("Request {id} failed.", failure=failure, id=request_id)
    message = (
        f"Something went wrong in the service. Its log tells more under {request_id}."
    )
    return ErrorResponse(500, message, {})


def render_error(request: IRequest, failure: Failure) -> bytes:
    """Make a failure the answer, which nobody is to keep, and log it."""
    code, message, headers = to_error_response(request, failure)
    request.setResponseCode(code)
    request.responseHeaders.removeHeader(b"etag")
    request.setHeader(b"cache-control", b"no-store")
    for name, values in headers.items():
        request.responseHeaders.setRawHeaders(name, values)
    body = ErrorBody(code, f"{message} Instructions: {instructions_url(request)}")
    return render_json(request, body)


def register_error_handler(app: Klein) -> None:
    """Have every error of an app's routes, and of its routing, answered as JSON."""

    @app.handle_errors(Exception)
    def _answer(request: IRequest, failure: Failure) -> bytes:
        return render_error(request, failure)
