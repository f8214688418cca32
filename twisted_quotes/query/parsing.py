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
from .json_body import (
    EXAMPLE_BODY,
    decode_json,
    describe_value,
    parse_integer,
    repeated_field_error,
)
from .queries import ACTIONS, Query
from .regex_dialect import check_dialect
from .suggestions import suggest_name

*_OTHER_ACTIONS, _LAST_ACTION = (f'"{action}"' for action in ACTIONS)
_ACTION_FIELD = Field(
    "action", f"{', '.join(_OTHER_ACTIONS)} or {_LAST_ACTION}", "", "", True
)
_FIELDS_BY_ACTION = {
    action: {"action": _ACTION_FIELD, **fields_of(kind)}
    for action, kind in ACTIONS.items()
}
_ALL_FIELD_NAMES = {name for fields in _FIELDS_BY_ACTION.values() for name in fields}

# What people look for is not logged, and so not repeated in messages.
_PRIVATE_FIELDS = {"term", "author"}

_INTEGER = compile(r"-?(0|[1-9][0-9]*)")
_BOOLEANS = {"true": True, "false": False}

# What others add to links that are shared, to see who follows them.
_TRACKING_PARAMETER = compile(
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
    fields = decode_json(body)
    if not isinstance(fields, dict):
        raise BadRequest(
            f"The body is {describe_value(fields)}. Send one JSON object, such as "
            f"{EXAMPLE_BODY}."
        )
    action = fields.get("action", UNSET)
    if not isinstance(action, str) or action not in ACTIONS:
        raise _wrong_action_error(action)
    if None in fields.values():
        fields = _drop_nulls(fields, _FIELDS_BY_ACTION[action])
    try:
        query = msgspec.convert(fields, ACTIONS[action])
    except msgspec.ValidationError as error:
        raise _explain_validation_error(fields, action, str(error)) from None
    _check_term(query)
    return query


def parse_parameters(query_string: bytes, query_type: type[T]) -> T:
    """
    Decode the query of a URL of API v2.

    @param query_string: what follows the question mark.
    @param query_type: what is asked for (contract, section 4).
    @raise BadRequest: a parameter is unknown or wrong, or stands there twice;
        the message names it. A regular expression is wrong if it is of another
        dialect. Parameters that track people are ignored.
    """
    known_fields = fields_of(query_type)
    try:
        parameters = parse_qs(
            query_string.decode(),
            keep_blank_values=True,
            errors="strict",
            separator="&",
        )
    except UnicodeDecodeError:
        raise BadRequest("The query of the URL is not UTF-8.") from None
    parameters = {
        name: v
        for name, v in parameters.items()
        if not _TRACKING_PARAMETER.fullmatch(name)
    }
    for name, values in parameters.items():
        if name not in known_fields:
            raise _unknown_field_error(name, known_fields)
        if len(values) > 1:
            raise repeated_field_error(name)
    values_by_name = {name: value for name, [value] in parameters.items()}
    try:
        parsed_query = msgspec.convert(
            {
                name: _parse_value(text, known_fields[name])
                for name, text in values_by_name.items()
            },
            query_type,
        )
    except msgspec.ValidationError as error:
        raise _wrong_field_error(str(error), values_by_name, known_fields) from None
    _check_term(parsed_query)
    return parsed_query


def _check_term(query: Struct) -> None:
    """Check the dialect of a term that is a regular expression."""
    term = getattr(query, "term", UNSET)
    if isinstance(term, str) and getattr(query, "regex", False):
        check_dialect(term)


def _parse_value(text: str, field: Field) -> object:
    """Read a text as what it is to be: itself, or a number or flag as in JSON."""
    if field.is_text:
        return text
    if _INTEGER.fullmatch(text):
        return parse_integer(text)
    return _BOOLEANS.get(text, text)


def _drop_nulls(
    given: Mapping[str, Any], fields: Mapping[str, Field]
) -> dict[str, Any]:
    """Leave out the known fields that are null, except those that are required."""
    required = {field.name for field in fields.values() if field.required}
    optional = _ALL_FIELD_NAMES - required
    return {
        name: value
        for name, value in given.items()
        if value is not None or name not in optional
    }


def _explain_validation_error(
    given: Mapping[str, Any], action: str, validation_message: str
) -> BadRequest:
    """
    Say in our own words what is wrong with the fields of a query.

    @param validation_message: what msgspec says.
    """
    fields = _FIELDS_BY_ACTION[action]
    for name in given:
        if name in fields:
            continue
        if name in _ALL_FIELD_NAMES:
            return BadRequest(
                f'The field "{name}" does not go with the action "{action}".'
            )
        return _unknown_field_error(name, fields)
    for field in fields.values():
        if field.required and field.name not in given:
            return BadRequest(
                f'The field "{field.name}" is missing: the action "{action}" needs '
                f"{field.allowed}."
            )
    return _wrong_field_error(validation_message, given, fields)


def _wrong_field_error(
    validation_message: str, given: Mapping[str, Any], fields: Mapping[str, Field]
) -> BadRequest:
    """Describe the field that a complaint of msgspec is about."""
    location = search(r"at `\$\.(\w+)`\Z", validation_message)
    if location is None:
        return BadRequest(f"{validation_message}.")
    field, value = fields[location[1]], given[location[1]]
    description = describe_value(value)
    if field.name in _PRIVATE_FIELDS and isinstance(value, str):
        description = f"a string of {len(value)} characters that is not allowed"
    return BadRequest(
        f'The field "{field.name}" is {description}. It must be {field.allowed}.'
    )


def _wrong_action_error(action: object) -> QuotesError:
    allowed = _ACTION_FIELD.allowed
    if action is UNSET:
        return BadRequest(f'The field "action" is missing. It must be {allowed}.')
    if not isinstance(action, str):
        return BadRequest(
            f'The field "action" is {describe_value(action)}. It must be {allowed}.'
        )
    return UnknownAction(
        f"The action {describe_value(action)} is not "
        f"known.{suggest_name(action, ACTIONS)} "
        f"It must be {allowed}."
    )


def _unknown_field_error(name: str, known_fields: Collection[str]) -> BadRequest:
    fields = ", ".join(known_fields)
    return BadRequest(
        f"The field {describe_value(name)} is not "
        f"known.{suggest_name(name, known_fields)} "
        + (f"The fields are {fields}." if fields else "None goes with that URL.")
    )
