"""
The media types of the responses of API v2.
"""

from __future__ import annotations

from re import compile
from typing import Any

import msgspec

from .schemas import PageBody

JSON, NDJSON, TEXT = "application/json", "application/x-ndjson", "text/plain"

CONTENT_TYPES = {
    JSON: b"application/json",
    NDJSON: b"application/x-ndjson",
    TEXT: b"text/plain; charset=utf-8",
}

# A terminal would obey them.
_CONTROL_CHARACTERS = compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def encode_body(body: Any, media_type: str) -> bytes:
    """
    Encode the body of a response.

    @param body: for plain text, a quote or a page of quotes, whose texts are separated
        by blank lines; for JSON, anything that can be encoded.
    """
    if media_type != TEXT:
        # In a shell, the prompt then starts on a line of its own.
        return msgspec.json.encode(body) + b"\n"
    quotes = body.quotes if isinstance(body, PageBody) else [body]
    text = "\n\n".join(quote.text for quote in quotes)
    return _CONTROL_CHARACTERS.sub("", f"{text}\n" if text else "").encode()
