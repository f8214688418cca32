"""
Responses: JSON bodies, and the only place that turns errors into responses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from errno import EAGAIN, EMFILE, ENFILE, ENOMEM
from http import HTTPStatus
from shlex import join
from typing import Annotated, Any

import msgspec
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from twisted_quotes.errors import (
    BadRequest,
    DictionaryNotFound,
    DictionaryNotText,
    NotAuthenticated,
    QuoteNotFound,
    QuotesError,
    ServiceNotReady,
    ShuttingDown,
    Unavailable,
    UnsupportedContentEncoding,
)
from twisted_quotes.web.http.output_limiter import SMALL_RESPONSE, OutputQuota

from .accept import is_named
from .caching import add_vary
from .request_log import annotate, header, log_entry
from .urls import base_path, base_url

_log = Logger()


# No content from other hosts, no scripts, no embedding in frames.
_SECURITY_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"content-security-policy": b"default-src 'none'; style-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
}

# RFC 7617, section 2.1, and RFC 6750, section 3.
_BASIC_CHALLENGE = b'Basic realm="twisted_quotes", charset="UTF-8"'
_BEARER_CHALLENGE = b'Bearer realm="twisted_quotes"'

# Each with the query of an example, for URLs that have parameters.
_EXAMPLE_QUERIES = {b"/api/v2/quotes": "?term=love"}
_EXAMPLE_BODY = '{"action": "search", "term": "love"}'

_JSON, PROBLEM_JSON = "application/json", "application/problem+json"

# The system is temporarily out of processes, files or memory.
_RESOURCE_EXHAUSTION_ERRNOS = {EAGAIN, EMFILE, ENFILE, ENOMEM}


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of an error response (contract, section 1)."""

    code: Annotated[int, msgspec.Meta(description="the status of the response")] = (
        msgspec.field(name="Code")
    )
    message: Annotated[
        str, msgspec.Meta(description="what is wrong, and what would be right")
    ]


class ProblemBody(msgspec.Struct, frozen=True):
    """The body of an error response for clients that name its type (RFC 9457)."""

    type: Annotated[
        str, msgspec.Meta(description="says that there is no more than the status")
    ]
    title: Annotated[str, msgspec.Meta(description="the name of the status")]
    status: Annotated[int, msgspec.Meta(description="the status of the response")]
    detail: Annotated[
        str, msgspec.Meta(description="what is wrong, and what would be right")
    ]
    instance: Annotated[
        str, msgspec.Meta(description="identifies the request in the log")
    ]


def render_json(request: IRequest, value: Any) -> bytes:
    """Set the headers of a JSON response, and return its body."""
    # In a shell, the prompt then starts on a line of its own.
    body = msgspec.json.encode(value) + b"\n"
    return render_body(request, b"application/json", body)


def render_body(request: IRequest, content_type: bytes, body: bytes) -> bytes:
    """
    Set the headers of a response, and return its body.

    @raise TooBusy: the body is too large for the output limits; see L{OutputQuota}.
    @raise TooManyRequests: it is too large for this client's share of them.
    """
    if len(body) > SMALL_RESPONSE:
        output_quota: OutputQuota | None = getattr(request, "output_quota", None)
        if output_quota is not None:
            output_quota.check_size(len(body))
    set_content_type(request, content_type)
    request.setHeader(b"content-length", b"%d" % len(body))
    return body


def set_content_type(request: IRequest, content_type: bytes) -> None:
    """Set the content type of a response, and its security headers."""
    request.setHeader(b"content-type", content_type)
    for name, value in _SECURITY_HEADERS.items():
        request.setHeader(name, value)


def log_error(
    request: IRequest, failure: Failure
) -> tuple[int, str, Mapping[bytes, Sequence[bytes]]]:
    """
    Log a failure, and return the status code, message and headers of its response.

    An error of the client becomes part of the request's log event. Any other error is
    logged with its traceback and the id of the request, and the client is told nothing
    but the id. If the system is out of resources, the client may try again.
    """
    error = failure.value
    match error:
        case CancelledError():
            # The client is still connected, so the service is shutting down.
            error = ShuttingDown()
        case OSError() if error.errno in _RESOURCE_EXHAUSTION_ERRNOS:
            _log.error(
                "Request {id} failed, out of system resources: {reason!a}",
                id=log_entry(request).id,
                reason=str(error),
            )
            error = ServiceNotReady("any more processes, files or memory")
    match error:
        case QuotesError():
            code, message = error.code, error.message + _advice(request, error)
        case MethodNotAllowed():
            code, message = 405, _describe_methods(request, error.valid_methods or ())
        case HTTPException(code=404):
            code, message = 404, "There is nothing at that URL."
        case _:
            request_id = log_entry(request).id
            _log.failure("Request {id} failed.", failure=failure, id=request_id)
            message = (
                "Something went wrong in the service. "
                f"Its log has the details under {request_id}."
            )
            return 500, message, {}
    annotate(request, error=type(error).__name__, reason=message)
    return code, message, _error_headers(error)


def _error_headers(error: BaseException) -> Mapping[bytes, Sequence[bytes]]:
    match error:
        case NotAuthenticated():
            bearer = _BEARER_CHALLENGE
            if error.is_bearer_token:
                bearer += b', error="invalid_token"'
            return {b"www-authenticate": [_BASIC_CHALLENGE, bearer]}
        case UnsupportedContentEncoding():
            return {b"accept-encoding": [b"identity"]}
        case MethodNotAllowed():
            return {b"allow": [_allow(error.valid_methods or ())]}
        case Unavailable():
            return {b"retry-after": [b"%d" % error.retry_after]}
    return {}


def _advice(request: IRequest, error: QuotesError) -> str:
    """Return a further sentence for the message, which depends on the API."""
    if isinstance(error, QuoteNotFound) and error.message == QuoteNotFound.message:
        url = f"{base_path(request)}/api/v2/quotes?term=WORDS"
        return f" Search for its words with {url}."
    if not isinstance(error, DictionaryNotFound | DictionaryNotText):
        return ""
    if request.path.startswith(b"/api/v1/"):
        return ' Send {"action": "list"} to list all of them.'
    return f" GET {base_path(request)}/api/v2/dictionaries lists all of them."


def _allow(methods: Iterable[str]) -> bytes:
    """Return the value of Allow. Each URL takes OPTIONS."""
    return ", ".join(sorted({*methods, "OPTIONS"})).encode()


def _describe_methods(request: IRequest, methods: Iterable[str]) -> str:
    """Return which methods a URL takes, and a command that sends a request to it."""
    url = f"{base_url(request)}{request.path.decode('utf-8', 'replace')}"
    if "POST" in methods:
        command = join(["curl", "-d", _EXAMPLE_BODY, url])
    else:
        command = join(["curl", url + _EXAMPLE_QUERIES.get(request.path, "")])
    names = ", ".join(sorted(methods))
    return f"That URL takes the methods {names}. Send the request as: {command}"


def render_methods(request: IRequest, methods: Iterable[str]) -> bytes:
    """Respond to OPTIONS with the methods of a URL (RFC 9110, section 9.3.7)."""
    request.setResponseCode(HTTPStatus.NO_CONTENT)
    request.setHeader(b"allow", _allow(methods))
    return b""


def prepare_error(request: IRequest, failure: Failure) -> tuple[int, str]:
    """
    Log a failure, and set the status and the headers of its response.

    @return: the status, and the message for the client.
    """
    code, message, headers = log_error(request, failure)
    request.setResponseCode(code)
    request.responseHeaders.removeHeader(b"etag")
    request.setHeader(b"cache-control", b"no-store")
    add_vary(request, b"accept")
    for name, values in headers.items():
        request.responseHeaders.setRawHeaders(name, values)
    if isinstance(failure.value, BadRequest):
        message += failure.value.excerpt
    return code, message


def render_error(request: IRequest, failure: Failure) -> bytes:
    """
    Log a failure, set the headers of its response, and return the body.

    It is the error handler of the Klein app.
    """
    code, message = prepare_error(request, failure)
    message += f" Instructions: {base_url(request)}/api/v1/web"
    if not is_named(PROBLEM_JSON, header(request, b"accept"), _JSON):
        return render_json(request, ErrorBody(code, message))
    body = render_json(request, describe_problem(code, message, log_entry(request).id))
    request.setHeader(b"content-type", PROBLEM_JSON.encode())
    return body


def describe_problem(
    code: int, message: str, request_id: str = "6f9619ff8b86d011"
) -> ProblemBody:
    """Return an error for clients that name its type (RFC 9457)."""
    phrase, instance = HTTPStatus(code).phrase, f"urn:request-id:{request_id}"
    return ProblemBody("about:blank", phrase, code, message, instance)
