"""
The body of a request, parsed into a query, or an error that names the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from re import search
from typing import Any

import msgspec
from msgspec import UNSET

from .errors import BadRequest, QuotesError, UnknownAction
from .query import FIELDS, Query

_BY_NAME = {field.name: field for field in FIELDS}
_ACTIONS = _BY_NAME["action"].actions

_decoder: msgspec.json.Decoder[Query] = msgspec.json.Decoder(Query)


def parse_query(body: bytes) -> Query:
    """
    Decode the body of a request.

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


def _not_json() -> BadRequest:
    return BadRequest("The body is not JSON in UTF-8. Send one JSON object.")


def _explain(body: bytes, complaint: str) -> QuotesError:
    """Say in our own words what msgspec found wrong."""
    try:
        given = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        # JSON has no largest number, but what decodes it may have one.
        too_large = "out of range" in complaint and _wrong_field(complaint, {})
        return too_large or _not_json()
    if not isinstance(given, dict):
        return BadRequest(
            f"The body is {_describe(given)}. Send one JSON object, "
            'such as {"action": "search", "term": "..."}.'
        )
    action = given.get("action", UNSET)
    if action not in _ACTIONS:
        return _wrong_action(action)
    for name in given:
        if name not in _BY_NAME or action not in _BY_NAME[name].actions:
            return _unknown_field(name, action)
    for field in FIELDS:
        if (
            field.default is None
            and field.name not in given
            and action in field.actions
        ):
            return BadRequest(
                f'The field "{field.name}" is missing: the action "{action}" needs '
                f"{field.allowed}."
            )
    try:
        msgspec.convert(given, Query)
    except msgspec.ValidationError as error:
        return _wrong_field(str(error), given) or BadRequest(f"{error}.")
    return BadRequest("A field stands more than once. Give each field once.")


def _wrong_field(complaint: str, given: dict[str, Any]) -> BadRequest | None:
    """Name the field that a complaint of msgspec is about, if it names one."""
    where = search(r"at `\$\.(\w+)`\Z", complaint)
    if where is None:
        return None
    field = _BY_NAME[where[1]]
    came = (
        _describe(given[field.name], quote=field.name != "term")
        if field.name in given
        else "out of all range"
    )
    return BadRequest(
        f'The field "{field.name}" is {came}. It must be {field.allowed}.'
    )


def _wrong_action(action: object) -> QuotesError:
    allowed = _BY_NAME["action"].allowed
    if action is UNSET:
        return BadRequest(f'The field "action" is missing. It must be {allowed}.')
    if not isinstance(action, str):
        return BadRequest(
            f'The field "action" is {_describe(action)}. It must be {allowed}.'
        )
    return UnknownAction(
        f"The action {_describe(action)} is not known.{_nearest(action, _ACTIONS)} "
        f"It must be {allowed}."
    )


def _unknown_field(name: str, action: str) -> BadRequest:
    if name in _BY_NAME:
        return BadRequest(f'The field "{name}" does not go with the action "{action}".')
    known = [field.name for field in FIELDS if action in field.actions]
    return BadRequest(
        f"The field {_describe(name)} is not known.{_nearest(name, known)} "
        f"The fields are {', '.join(known)}."
    )


def _nearest(name: str, known: Sequence[str]) -> str:
    """The known name nearest to one that is not known, as a sentence."""
    near = get_close_matches(name[:100].lower(), known, n=1, cutoff=0.0)
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
