"""
JSON from clients, and errors that say what is wrong with it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from re import compile
from typing import Any, NoReturn

from twisted_quotes.errors import BadRequest

EXAMPLE_BODY = '{"action": "search", "term": "..."}'

_SURROGATE = compile(r"[\ud800-\udfff]")

# An integer of so many digits is beyond every limit; more take too long to read.
_MAX_DIGITS = 1000
_MAX_SHOWN = 60


def decode_json(body: bytes) -> Any:
    """
    Decode JSON (RFC 8259).

    Integers may have any size. A name must not occur twice in an object, which RFC
    8259 leaves open.

    @param body: UTF-8, without a byte order mark.
    @raise BadRequest: the body is not valid JSON. The message says where, without
        text of the body, which may be private.
    """
    try:
        text = body.decode()
        if not text.strip(" \t\r\n"):
            raise _invalid_json_error("it is empty")
        decoded = _decoder.decode(text)
    except UnicodeDecodeError as error:
        raise _invalid_json_error(f"byte {error.start + 1} is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _invalid_json_error(str(error)) from None
    except RecursionError:
        raise _invalid_json_error("it is nested too deeply") from None
    if "\\u" in text and isinstance(decoded, dict):
        _check_surrogates(decoded)
    return decoded


def parse_integer(digits: str) -> int:
    """Parse an integer of any length, as JSON writes it."""
    return int(digits[:_MAX_DIGITS])


def describe_value(value: object) -> str:
    """Describe a decoded value with up to 60 characters of it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        return f'{describe_value(value[:_MAX_SHOWN])[:-1]}..."'
    # A lone surrogate cannot be sent.
    shown = json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()
    if isinstance(value, int) and len(shown) > _MAX_SHOWN:
        return f"{shown[:_MAX_SHOWN]}..."
    return shown


def unique_fields(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """
    Return a dictionary of names and values.

    @raise BadRequest: a name occurs twice.
    """
    fields = dict(pairs)
    if len(fields) != len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise BadRequest(
            f"The field {describe_value(name)} occurs more than once. "
            "Give each field once."
        )
    return fields


def _reject_constant(name: str) -> NoReturn:
    raise _invalid_json_error(f"{name} is not a number in JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=unique_fields,
    parse_int=parse_integer,
    parse_constant=_reject_constant,
)


def _check_surrogates(fields: dict[str, Any]) -> None:
    """Check that escapes do not stand for lone surrogates (RFC 8259, section 8.2)."""
    for name, value in fields.items():
        if _SURROGATE.search(f"{name}{value}" if isinstance(value, str) else name):
            raise BadRequest(
                f"The field {describe_value(name)} has half of a surrogate pair. "
                "Send the character itself, or both halves."
            )


def _invalid_json_error(problem: str) -> BadRequest:
    return BadRequest(
        f"The body is not JSON: {problem}. "
        f"Send one JSON object in UTF-8, such as {EXAMPLE_BODY}."
    )
