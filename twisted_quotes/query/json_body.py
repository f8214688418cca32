"""
JSON from clients, and errors that say what is wrong with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from re import compile
from typing import Any

from twisted_quotes.errors import BadRequest
from twisted_quotes.text.display import printable

EXAMPLE_BODY = '{"action": "search", "term": "..."}'

_SURROGATE = compile(r"[\ud800-\udfff]")

# An integer of so many digits is beyond every limit; more take too long to read.
_MAX_DIGITS = 1000
_MAX_SHOWN = 60

# Perl marks the position of an error in this way, too.
_MARK = " <-- HERE "
_MAX_BEFORE, _MAX_AFTER = 40, 20


def decode_json(body: bytes) -> Any:
    """
    Decode JSON (RFC 8259).

    A name must not occur twice in an object, which RFC 8259 leaves open. Integers may
    have any size. NaN and Infinity are decoded, but no field takes them.

    @param body: UTF-8, without a byte order mark.
    @raise BadRequest: the body is not valid JSON. The message has the line and the
        column.
    """
    try:
        text = body.decode()
        if text.startswith("\ufeff"):
            raise _invalid_json_error("it starts with a byte order mark")
        if not text.strip(" \t\r\n"):
            raise _invalid_json_error("it is empty")
        decoded = _decoder.decode(text)
    except UnicodeDecodeError as error:
        position = len(body[: error.start].decode())
        text = body.decode(errors="replace")
        raise _invalid_json_error("a byte is not UTF-8", text, position) from None
    except json.JSONDecodeError as error:
        problem = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise _invalid_json_error(problem, text, error.pos) from None
    except RecursionError:
        raise _invalid_json_error("it is nested too deeply") from None
    if "\\u" in text and isinstance(decoded, dict):
        for name, value in decoded.items():
            if _SURROGATE.search(f"{name}{value}" if isinstance(value, str) else name):
                raise BadRequest(
                    f"The field {describe_value(name)} has half of a surrogate pair. "
                    "Send the character itself, or both halves."
                )
    return decoded


def parse_integer(digits: str) -> int:
    """Parse an integer of any length, as JSON writes it."""
    return int(digits[:_MAX_DIGITS])


def describe_value(value: object) -> str:
    """Describe a decoded value: as JSON, or an array or object by its type."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, str):
        # A lone surrogate cannot be sent.
        value = value.encode(errors="replace").decode()
        return json.dumps(_truncate(value), ensure_ascii=False)
    return _truncate(json.dumps(value))


def _truncate(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def unique_fields(
    pairs: Sequence[tuple[str, Any]], noun: str = "field"
) -> dict[str, Any]:
    """
    Return a dictionary of names and values.

    @param noun: what a pair is called.
    @raise BadRequest: a name occurs twice.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise BadRequest(
            f"The {noun} {describe_value(name)} occurs more than once. "
            f"Give each {noun} once."
        )
    return fields


_decoder = json.JSONDecoder(object_pairs_hook=unique_fields, parse_int=parse_integer)


def _invalid_json_error(problem: str, text: str = "", position: int = 0) -> BadRequest:
    """
    Return the error for a body that is not JSON.

    @param text: the body, if the problem is at a position.
    @param position: the index of the first character that is not as expected.
    """
    excerpt = ""
    if text:
        before, after = text[:position], text[position:]
        column = position - before.rfind("\n")
        problem += f" at line {before.count(chr(10)) + 1}, column {column}"
        shown = f"{before[-_MAX_BEFORE:]}{_MARK}{after[:_MAX_AFTER]}"
        excerpt = f" The text there: `{printable(shown)}`."
    error = BadRequest(
        f"The body is not JSON: {problem}. "
        f"Send one JSON object in UTF-8, such as {EXAMPLE_BODY}."
    )
    error.excerpt = excerpt
    return error
