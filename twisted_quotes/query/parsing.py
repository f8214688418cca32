"""
A question as it came, parsed into a query, or an error that names the field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from re import compile, search
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import UNSET, Struct

from twisted_quotes.errors import BadRequest, QuotesError, UnknownAction

from .fields import Field, fields_of
from .json_body import EXAMPLE, decode_json, describe, integer, repeated
from .queries import ACTIONS, Query
from .regex_dialect import check_dialect
from .suggestions import hint

*_BUT_LAST, _LAST = (f'"{action}"' for action in ACTIONS)
_ACTION = Field("action", f"{', '.join(_BUT_LAST)} or {_LAST}", "", "", True)
_FIELDS = {
    action: {"action": _ACTION, **fields_of(kind)} for action, kind in ACTIONS.items()
}
_EVERY_FIELD = {name for fields in _FIELDS.values() for name in fields}

# What people look for is not logged, and so not repeated in messages.
_SEARCHED = {"term", "author"}

_INTEGER = compile(r"-?(0|[1-9][0-9]*)")
_FLAGS = {"true": True, "false": False}

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
        unknown or wrong, or stands there twice; the message names the field.
        A regular expression is wrong if it is of another dialect.
    @raise UnknownAction: C{action} is a string, but not a known one.
    """
    given = decode_json(body)
    if not isinstance(given, dict):
        raise BadRequest(
            f"The body is {describe(given)}. Send one JSON object, such as {EXAMPLE}."
        )
    action = given.get("action", UNSET)
    if not isinstance(action, str) or action not in ACTIONS:
        raise _wrong_action(action)
    if None in given.values():
        given = _without_nulls(given, _FIELDS[action])
    try:
        query = msgspec.convert(given, ACTIONS[action])
    except msgspec.ValidationError as error:
        raise _explain(given, action, str(error)) from None
    _check_term(query)
    return query


def parse_parameters(query: bytes, kind: type[T]) -> T:
    """
    Decode the query of a URL of API v2.

    @param query: what follows the question mark.
    @param kind: what is asked for (contract, section 4).
    @raise BadRequest: a parameter is unknown or wrong, or stands there twice;
        the message names it. A regular expression is wrong if it is of another
        dialect. Parameters that track people are ignored.
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
            raise repeated(name)
    single = {name: value for name, [value] in given.items()}
    try:
        asked = msgspec.convert(
            {name: _value(text, known[name]) for name, text in single.items()}, kind
        )
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error), single, known) from None
    _check_term(asked)
    return asked


def _check_term(asked: Struct) -> None:
    """Check the dialect of a term that is a regular expression."""
    term = getattr(asked, "term", UNSET)
    if isinstance(term, str) and getattr(asked, "regex", False):
        check_dialect(term)


def _value(text: str, field: Field) -> object:
    """Read a text as what it is to be: itself, or a number or flag as in JSON."""
    if field.is_text:
        return text
    if _INTEGER.fullmatch(text):
        return integer(text)
    return _FLAGS.get(text, text)


def _without_nulls(
    given: Mapping[str, Any], fields: Mapping[str, Field]
) -> dict[str, Any]:
    """Leave out the known fields that are null, except those that are required."""
    required = {field.name for field in fields.values() if field.required}
    optional = _EVERY_FIELD - required
    return {
        name: value
        for name, value in given.items()
        if value is not None or name not in optional
    }


def _explain(given: Mapping[str, Any], action: str, complaint: str) -> BadRequest:
    """
    Say in our own words what is wrong with the fields of a query.

    @param complaint: what msgspec says.
    """
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
    return _wrong_field(complaint, given, fields)


def _wrong_field(
    complaint: str, given: Mapping[str, Any], fields: Mapping[str, Field]
) -> BadRequest:
    """Describe the field that a complaint of msgspec is about."""
    where = search(r"at `\$\.(\w+)`\Z", complaint)
    if where is None:
        return BadRequest(f"{complaint}.")
    field, value = fields[where[1]], given[where[1]]
    came = describe(value)
    if field.name in _SEARCHED and isinstance(value, str):
        came = f"a string of {len(value)} characters that is not allowed"
    return BadRequest(
        f'The field "{field.name}" is {came}. It must be {field.allowed}.'
    )


def _wrong_action(action: object) -> QuotesError:
    allowed = _ACTION.allowed
    if action is UNSET:
        return BadRequest(f'The field "action" is missing. It must be {allowed}.')
    if not isinstance(action, str):
        return BadRequest(
            f'The field "action" is {describe(action)}. It must be {allowed}.'
        )
    return UnknownAction(
        f"The action {describe(action)} is not known.{hint(action, ACTIONS)} "
        f"It must be {allowed}."
    )


def _unknown_field(name: str, known: Collection[str]) -> BadRequest:
    fields = ", ".join(known)
    return BadRequest(
        f"The field {describe(name)} is not known.{hint(name, known)} "
        + (f"The fields are {fields}." if fields else "None goes with that URL.")
    )
