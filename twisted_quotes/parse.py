"""
A question as it came, parsed into a query, or an error that names the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from re import compile, search
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import UNSET, Struct

from .errors import BadRequest, QuotesError, UnknownAction
from .fields import Field, fields_of
from .query import ACTIONS, Query

*_BUT_LAST, _LAST = (f'"{action}"' for action in ACTIONS)
_ACTION = Field("action", f"{', '.join(_BUT_LAST)} or {_LAST}", "", "", True)
_FIELDS = {
    action: {"action": _ACTION, **fields_of(kind)} for action, kind in ACTIONS.items()
}
_EVERY_FIELD = {name for fields in _FIELDS.values() for name in fields}

# What people look for is not logged, and so not repeated in messages.
_SEARCHED = {"term", "author"}

_decoder: msgspec.json.Decoder[Query] = msgspec.json.Decoder(Query)

# What others add to links that are shared, to see who follows them.
_TRACKING = compile(
    r"utm_\w+|(?:fb|g|dc|tw|y|tt)clid|msclkid|gclsrc|[gw]braid|mc_[ce]id|"
    r"igsh(?:id)?|_g[al]|srsltid"
)

T = TypeVar("T", bound=Struct)


def parse_query(body: bytes) -> Query:
    """
    Decode the body of a request to API v1.

    @param body: JSON in UTF-8 (contract, section 1).
    @return: the query, complete with defaults.
    @raise BadRequest: the body is not one JSON object, or a field is missing,
        unknown or wrong; the message names the field.
    @raise UnknownAction: C{action} is a string, but not a known one.
    """
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explain(body, str(error)) from None
    except (ValueError, RecursionError):
        raise _not_json() from None


def parse_parameters(query: bytes, kind: type[T]) -> T:
    """
    Decode the query of a URL of API v2.

    @param query: what follows the question mark.
    @param kind: what is asked for (contract, section 4).
    @raise BadRequest: a parameter is unknown or wrong, or stands there twice;
        the message names it. Parameters that track people are ignored.
    """
    known = fields_of(kind)
    try:
        given = parse_qs(
            query.decode(), keep_blank_values=True, errors="strict", separator="&"
        )
    except UnicodeDecodeError:
        raise BadRequest("The query of the URL is not UTF-8.") from None
    given = {name: v for name, v in given.items() if not _TRACKING.fullmatch(name)}
    for name, values in given.items():
        if name not in known:
            raise _unknown_field(name, known)
        if len(values) > 1:
            raise BadRequest(
                f'The field "{name}" stands more than once. Give each field once.'
            )
    single = {name: value for name, [value] in given.items()}
    try:
        return msgspec.convert(
            {name: _value(text, known[name]) for name, text in single.items()}, kind
        )
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error), single, known) or BadRequest(
            f"{error}."
        ) from None


def _value(text: str, field: Field) -> object:
    """Read a text as what it is to be: itself, or a number or flag in JSON."""
    if field.is_text or text != text.strip():
        return text
    try:
        return msgspec.json.decode(text)
    except ValueError:
        return text


def _not_json() -> BadRequest:
    return BadRequest("The body is not JSON in UTF-8. Send one JSON object.")


def _explain(body: bytes, complaint: str) -> QuotesError:
    """Say in our own words what msgspec found wrong."""
    try:
        given = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        # JSON has no largest number, but what decodes it may have one.
        if "out of range" in complaint:
            every = {name: f for each in _FIELDS.values() for name, f in each.items()}
            return _wrong_field(complaint, {}, every) or _not_json()
        return _not_json()
    if not isinstance(given, dict):
        return BadRequest(
            f"The body is {_describe(given)}. Send one JSON object, "
            'such as {"action": "search", "term": "..."}.'
        )
    action = given.get("action", UNSET)
    if not isinstance(action, str) or action not in ACTIONS:
        return _wrong_action(action)
    fields = _FIELDS[action]
    for name in given:
        if name in fields:
            continue
        if name in _EVERY_FIELD:
            return BadRequest(
                f'The field "{name}" does not go with the action "{action}".'
            )
        return _unknown_field(name, fields)
    for field in fields.values():
        if field.required and field.name not in given:
            return BadRequest(
                f'The field "{field.name}" is missing: the action "{action}" needs '
                f"{field.allowed}."
            )
    try:
        msgspec.convert(given, Query)
    except msgspec.ValidationError as error:
        return _wrong_field(str(error), given, fields) or BadRequest(f"{error}.")
    return BadRequest("A field stands more than once. Give each field once.")


def _wrong_field(
    complaint: str, given: Mapping[str, Any], fields: Mapping[str, Field]
) -> BadRequest | None:
    """Name the field that a complaint of msgspec is about, if it names one."""
    where = search(r"at `\$\.(\w+)`\Z", complaint)
    if where is None:
        return None
    field = fields[where[1]]
    came = (
        _describe(given[field.name], quote=field.name not in _SEARCHED)
        if field.name in given
        else "out of all range"
    )
    return BadRequest(
        f'The field "{field.name}" is {came}. It must be {field.allowed}.'
    )


def _wrong_action(action: object) -> QuotesError:
    allowed = _ACTION.allowed
    if action is UNSET:
        return BadRequest(f'The field "action" is missing. It must be {allowed}.')
    if not isinstance(action, str):
        return BadRequest(
            f'The field "action" is {_describe(action)}. It must be {allowed}.'
        )
    return UnknownAction(
        f"The action {_describe(action)} is not known.{_nearest(action, ACTIONS)} "
        f"It must be {allowed}."
    )


def _unknown_field(name: str, known: Iterable[str]) -> BadRequest:
    fields = ", ".join(known)
    return BadRequest(
        f"The field {_describe(name)} is not known.{_nearest(name, known)} "
        + (f"The fields are {fields}." if fields else "None goes with that URL.")
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name nearest to one that is not known, as a sentence."""
    near = get_close_matches(name[:100].lower(), list(known), n=1, cutoff=0.0)
    return f' The nearest is "{near[0]}".' if near else ""


def _describe(value: Any, quote: bool = True) -> str:
    """
    Say what came, shortly.

    @param quote: whether a string may be shown; a term may not, because
        messages are logged and terms are not.
    """
    match value:
        case dict():
            return "an object"
        case list():
            return "an array"
        case str() if not quote:
            return f"a string of {len(value)} characters that is not allowed"
        case str() if len(value) > 60:
            return f'"{value[:60]}..."'
    return msgspec.json.encode(value).decode()
