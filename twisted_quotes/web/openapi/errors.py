"""
The errors of the service by status: when they occur, their headers, an example.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from twisted_quotes import errors


@dataclass(frozen=True)
class ErrorStatus:
    """
    A status of errors.

    @ivar reasons: when it occurs.
    @ivar example: the message of one of these errors.
    @ivar headers: the headers of its responses.
    @ivar is_general: whether all URLs can respond with it.
    """

    reasons: Sequence[str]
    example: str
    headers: Sequence[str] = ()
    is_general: bool = True


ERRORS: Mapping[int, ErrorStatus] = {
    400: ErrorStatus(
        (
            "the body is not JSON, or not an object",
            "a field is missing, unknown, wrong or repeated",
            "a regular expression is invalid or of another dialect, as `\\d` is",
            "an entry of the response would be too long",
            "the search would need too much memory for a very long line or pattern",
            "the HTTP request is malformed",
        ),
        'The parameter "limit" is 0. It must be a whole number from 1 to 1000.',
    ),
    401: ErrorStatus(
        ("the service uses authentication; the credentials are missing or wrong",),
        errors.NotAuthenticated("The request has no Authorization header.").message,
        ("WWW-Authenticate",),
    ),
    403: ErrorStatus(
        ("the dictionary may not be read, or its name points outside the library",),
        errors.DictionaryForbidden.message,
        is_general=False,
    ),
    404: ErrorStatus(
        ("there is no such URL, no such dictionary, or no quote with that id",),
        errors.DictionaryNotFound("none", ["authors", "proverbs", "world"]).message,
        is_general=False,
    ),
    405: ErrorStatus(
        ("the URL does not support the method; `Allow` lists the methods it supports",),
        "That URL takes the methods GET, HEAD.",
        ("Allow",),
    ),
    408: ErrorStatus(
        ("the request was not complete within the time limit",),
        errors.RequestTimedOut(10).message,
    ),
    413: ErrorStatus(
        ("the body is too large",), errors.BodyTooLarge(64 * 1024).message
    ),
    414: ErrorStatus(
        ("the request line is too long",), "The request line has more than 16384 bytes."
    ),
    415: ErrorStatus(
        ("the body has a `Content-Encoding`; send it without one",),
        "The body has a Content-Encoding, which is not supported. "
        "Send it without that header.",
        ("Accept-Encoding",),
        is_general=False,
    ),
    429: ErrorStatus(
        ("the client uses more than its share while other clients wait",),
        errors.TooManyRequests().message,
        ("Retry-After",),
    ),
    431: ErrorStatus(
        ("the headers are too long",), "The headers are too many, or too long."
    ),
    500: ErrorStatus(
        ("an unexpected error; the message has an id to find it in the log",),
        "Something went wrong in the service. "
        "Its log has the details under 6f9619ff8b86d011.",
    ),
    501: ErrorStatus(
        ("the action or the HTTP method is unknown",),
        "The server does not know that HTTP method. Send GET, HEAD or POST.",
    ),
    503: ErrorStatus(
        (
            "the service is too busy or shuts down; see `Retry-After`",
            "the machine has no more processes, files or memory at the moment",
            "the dictionary is being written to, or cannot be indexed",
        ),
        errors.TooBusy().message,
        ("Retry-After",),
    ),
    504: ErrorStatus(
        ("the search exceeded its time limit",),
        errors.SearchTimedOut(10).message,
        is_general=False,
    ),
}
