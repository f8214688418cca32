"""
The headers of requests and responses.
"""

from __future__ import annotations

from .schemas import Schema

COMMON_HEADERS = ("X-Request-ID", "Cache-Control")
"""The headers of every response."""

_ID_DESCRIPTION = "Identifies the request in the log of the service"


def _text_header(description: str, example: object, kind: str = "string") -> Schema:
    return {"description": description, "schema": {"type": kind}, "example": example}


RESPONSE_HEADERS: dict[str, Schema] = {
    "X-Request-ID": {
        **_text_header(_ID_DESCRIPTION, "6f9619ff8b86d011"),
        "required": True,
    },
    "Cache-Control": {
        **_text_header("`no-cache`: ask again with `If-None-Match`", "no-store"),
        "required": True,
    },
    "ETag": _text_header(
        "Changes with the response. Responses that are incomplete, because an index "
        "is missing, and random ones without a seed have none",
        '"8cba4ff5e1b2a7d6c3f09e12"',
    ),
    "Vary": _text_header("The request headers that the response depends on", "accept"),
    "Link": _text_header(
        "The URL of the next page, if there is one",
        '<http://127.0.0.1:8000/api/v2/quotes?offset=20>; rel="next"',
    ),
    "Location": _text_header("Where to go", "/quotes/5aa7d42ad2d439ca93a17ed1"),
    "Retry-After": _text_header(
        "The number of seconds to wait before the next try", 1, "integer"
    ),
    "WWW-Authenticate": _text_header(
        "The accepted schemes", 'Basic realm="twisted_quotes", charset="UTF-8"'
    ),
    "Allow": _text_header("The methods that the URL supports", "GET, HEAD"),
    "Accept-Encoding": _text_header("The accepted content codings", "identity"),
}

REQUEST_HEADERS: dict[str, Schema] = {
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        **_text_header(
            f"{_ID_DESCRIPTION}. It is replaced unless it is a token of 1 to 128 "
            "letters, digits and ._:/+=@-",
            "6f9619ff8b86d011",
        ),
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        **_text_header(
            "The `ETag` of a response that the client has: the status is 304 if it "
            "has not changed",
            '"8cba4ff5e1b2a7d6c3f09e12"',
        ),
    },
}
