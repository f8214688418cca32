"""
Decoding JSON that a client sent, with errors that say where it is wrong.
"""

from __future__ import annotations

import json
from collections import Counter
from re import compile
from typing import Any, NoReturn

from twisted_quotes.errors import BadRequest

EXAMPLE_BODY = '{"action": "search", "term": "..."}'

# What L{json} says of a place, and what is said here instead.
_PROBLEM_DESCRIPTIONS = {
    "Expecting value": "a value is expected",
    "Expecting property name": "a name in double quotation marks is expected",
    "Expecting ':' delimiter": "a colon is expected",
    "Expecting ',' delimiter": "a comma or a closing bracket is expected",
    "Extra data": "the end of the body is expected",
    "Illegal trailing comma": "a comma stands before a closing bracket",
    "Unterminated string": "a string begins that does not end",
    "Invalid control character": "a string has a control character; "
    "write a line break as \\n",
    "Invalid \\escape": "a backslash begins no escape; write a backslash as \\\\",
    "Invalid \\uXXXX escape": "\\u is not followed by four hexadecimal digits",
}
_UNQUOTED_TEXT = compile(r"[^\W\d]|['\u2018-\u201f]")
_PYTHON_LITERAL = compile(r"(True|False|None)\b")
_FORM_DATA = compile(r"\s*[\w.%+-]+=")
_SURROGATE = compile(r"[\ud800-\udfff]")

# Further digits make no difference: the number is beyond every limit already.
_MAX_DIGITS = 1000
_MAX_SHOWN = 60


def decode_json(body: bytes) -> Any:
    """
    Decode JSON (RFC 8259).

    @param body: one JSON text in UTF-8, without a byte order mark. Integers may
        have any size.
    @raise BadRequest: it is not; the message says where, and shows one character
        of the body at the most. Or a name occurs twice in an object, which RFC
        8259 leaves open; the message has the name.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _invalid_utf8_error(body, error.start) from None
    try:
        decoded = _decoder.decode(text)
    except json.JSONDecodeError as error:
        raise _decode_error(text, error) from None
    except RecursionError:
        raise _invalid_json_error("it is nested too deeply") from None
    if "\\u" in text and isinstance(decoded, dict):
        _check_surrogates(decoded)
    return decoded


def parse_integer(digits: str) -> int:
    """Read an integer, of any length, as JSON writes them."""
    return int(digits[:_MAX_DIGITS])


def repeated_field_error(name: str) -> BadRequest:
    """The error for a field that occurs twice."""
    return BadRequest(
        f"The field {describe_value(name)} stands more than once. Give each field once."
    )


def describe_value(value: object) -> str:
    """Say what a decoded value is, with up to 60 characters of it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        return f'{describe_value(value[:_MAX_SHOWN])[:-1]}..."'
    # Half of a surrogate pair cannot be sent.
    shown = json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()
    if isinstance(value, int) and len(shown) > _MAX_SHOWN:
        return f"{shown[:_MAX_SHOWN]}..."
    return shown


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary of an object's members, none of which may occur twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise repeated_field_error(next(name for name in counts if counts[name] > 1))
    return members


def _reject_constant(name: str) -> NoReturn:
    raise _invalid_json_error(f"it has no {name}", " A number has digits.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_int=parse_integer,
    parse_constant=_reject_constant,
)


def _check_surrogates(members: dict[str, Any]) -> None:
    """
    Check the strings of an object, where escapes may have left what is no text.

    @raise BadRequest: half of a surrogate pair (RFC 8259, section 8.2).
    """
    for name, value in members.items():
        text = f"{name}{value}" if isinstance(value, str) else name
        if _SURROGATE.search(text):
            raise BadRequest(
                f"The field {describe_value(name)} has half of a surrogate pair, "
                "which is no character. Send the character itself, or both halves."
            )


def _invalid_json_error(problem: str, hint: str = "") -> BadRequest:
    return BadRequest(
        f"The body is not JSON: {problem}.{hint} "
        f"Send one JSON object in UTF-8, such as {EXAMPLE_BODY}."
    )


def _invalid_utf8_error(body: bytes, position: int) -> BadRequest:
    is_utf16 = body.startswith((b"\xff\xfe", b"\xfe\xff"))
    hint = " It looks like UTF-16." if is_utf16 else ""
    return _invalid_json_error(f"byte {position + 1} is not UTF-8", hint)


def _decode_error(text: str, error: json.JSONDecodeError) -> BadRequest:
    """Say where a text is not JSON, and why, with a hint where one is known."""
    if not text.strip(" \t\r\n"):
        return _invalid_json_error("it is empty")
    problem = next(
        (
            words
            for said, words in _PROBLEM_DESCRIPTIONS.items()
            if error.msg.startswith(said)
        ),
        "something else is expected",
    )
    if problem.endswith("expected"):
        problem += _describe_unexpected(text[error.pos : error.pos + 1])
    location = f"at line {error.lineno}, column {error.colno}"
    return _invalid_json_error(f"{location}, {problem}", _hint_for_error(text, error))


def _describe_unexpected(character: str) -> str:
    if not character:
        return ", but the body ends there"
    if not character.isprintable():
        return f", not U+{ord(character):04X}"
    return f", not {describe_value(character)}"


def _hint_for_error(text: str, error: json.JSONDecodeError) -> str:
    """What is often meant by such a mistake, as a sentence; empty if unknown."""
    position = error.pos
    character = text[position : position + 1]
    if character == "\ufeff":
        return " That is a byte order mark: leave it out."
    if character == "\0":
        return " Send UTF-8, not UTF-16."
    if position == 0 and _FORM_DATA.match(text):
        return " That looks like a form."
    if not error.msg.startswith(("Expecting value", "Expecting property name")):
        return ""
    if _PYTHON_LITERAL.match(text, position):
        return " JSON writes true, false and null."
    if _UNQUOTED_TEXT.match(text, position):
        return " Strings and names have double quotation marks around them."
    if character in ("}", "]") and text[:position].rstrip().endswith(","):
        return " Leave out the comma before it."
    if character in ("/", "#"):
        return " JSON has no comments."
    return ""
