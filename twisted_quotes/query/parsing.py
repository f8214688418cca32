"""
Parsing of requests to queries, with errors that name the wrong field.
"""

from __future__ import annotations

from collections.abc import Mapping
from re import compile
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from msgspec import UNSET, Struct

from twisted_quotes.errors import BadRequest, UnknownAction

from .field_types import MAX_DICTIONARIES
from .fields import URL_BOOLEANS, Field, fields_of
from .json_body import (
    EXAMPLE_BODY,
    decode_json,
    describe_value,
    parse_integer,
    unique_fields,
)
from .queries import ACTIONS, Query
from .quote_queries import FindQuotes, SampleQuotes
from .regex_dialect import check_dialect
from .search_syntax import parse_search
from .suggestions import suggest_name

_ALLOWED_ACTIONS = ", ".join(f'"{action}"' for action in ACTIONS)
_FIELD_NAMES = {
    name for query_type in ACTIONS.values() for name in fields_of(query_type)
}
_PARAMETER_NAMES = {*fields_of(FindQuotes), *fields_of(SampleQuotes)}

# Search terms are not logged, so messages do not repeat them.
_PRIVATE_FIELDS = {"term", "q", "query", "author"}

# Each takes a grep.
_MAX_SEARCH_TERMS = 32

_INTEGER = compile(r"-?(0|[1-9][0-9]*)")

# Other sites add these to shared links, to track who follows them.
_TRACKING_PARAMETER = compile(
    r"utm_\w+|(?:fb|g|dc|tw|y|tt)clid|msclkid|gclsrc|[gw]braid|mc_[ce]id|"
    r"igsh(?:id)?|_g[al]|srsltid"
)

T = TypeVar("T", bound=Struct)


def parse_query(body: bytes) -> Query:
    """
    Parse the body of a request to API v1.

    @param body: JSON in UTF-8 (contract, section 1). A null is the same as no field.
    @raise BadRequest: the body is not a JSON object, or a field is missing, unknown,
        wrong or repeated, or a regular expression has the syntax of another dialect.
    @raise UnknownAction: C{action} is a string, but not a known one.
    """
    fields = decode_json(body)
    if not isinstance(fields, dict):
        raise BadRequest(
            f"The body is {describe_value(fields)}. Send one JSON object, such as "
            f"{EXAMPLE_BODY}."
        )
    action = fields.get("action", UNSET)
    if not isinstance(action, str):
        problem = "missing" if action is UNSET else describe_value(action)
        raise BadRequest(
            f'The field "action" is {problem}. It must be one of {_ALLOWED_ACTIONS}.'
        )
    if action not in ACTIONS:
        raise UnknownAction(
            f"The action {describe_value(action)} is not known."
            f"{suggest_name(action, ACTIONS)} It must be one of {_ALLOWED_ACTIONS}."
        )
    if None in fields.values():
        fields = {
            name: value
            for name, value in fields.items()
            if value is not None or name not in _FIELD_NAMES
        }
    return _convert(fields, fields, ACTIONS[action])


def parse_parameters(query_string: bytes, query_type: type[T]) -> T:
    """
    Parse the query string of a URL of API v2 (contract, section 4).

    Parameters for the tracking of people are ignored.

    @param query_string: the part of the URL after the question mark.
    @raise BadRequest: a parameter is unknown, wrong or repeated, or a regular
        expression has the syntax of another dialect.
    """
    try:
        parameters = parse_qsl(
            query_string.decode(),
            keep_blank_values=True,
            errors="strict",
            separator="&",
        )
    except UnicodeDecodeError:
        raise BadRequest("The query of the URL is not UTF-8.") from None
    fields = fields_of(query_type)
    single: list[tuple[str, Any]] = []
    repeated: dict[str, list[str]] = {}
    for name, text in parameters:
        if name in fields and fields[name].is_list:
            repeated.setdefault(name, []).append(text)
        elif not _TRACKING_PARAMETER.fullmatch(name):
            single.append((name, text))
    texts = unique_fields([*single, *repeated.items()], "parameter")
    values = {
        name: _parse_value(text, fields.get(name)) for name, text in texts.items()
    }
    return _convert(values, texts, query_type)


def _parse_value(text: str, field: Field | None) -> object:
    """Parse a boolean, or a number as in JSON."""
    if field is None or field.is_text:
        return text
    if field.is_boolean:
        return URL_BOOLEANS.get(text.lower(), text.lower())
    return parse_integer(text) if _INTEGER.fullmatch(text) else text


def _convert(
    values: Mapping[str, Any], given: Mapping[str, Any], query_type: type[T]
) -> T:
    """Make a query of values. C{given} has them as sent, for error messages."""
    try:
        query = msgspec.convert(values, query_type)
    except msgspec.ValidationError as error:
        raise _explain_validation_error(given, query_type, str(error)) from None
    term, search = getattr(query, "term", UNSET), getattr(query, "q", UNSET)
    if isinstance(search, str):
        _check_search(search, "term" if "term" in given else "regex", given)
    if isinstance(term, str) and getattr(query, "regex", False):
        check_dialect(term)
    return query


def _check_search(search: str, other: str, given: Mapping[str, Any]) -> None:
    if other in given:
        raise BadRequest(
            f'The parameter "{other}" does not go with "q". Send "term" for one fixed '
            'string or regular expression, or "q" for several words.'
        )
    count = sum(map(len, parse_search(search)))
    if not count:
        raise BadRequest('The parameter "q" has no words. Send at least one.')
    if count > _MAX_SEARCH_TERMS:
        raise BadRequest(
            f'The parameter "q" has {count} words, and {_MAX_SEARCH_TERMS} are '
            "allowed. Put phrases in quotation marks: each counts as one word."
        )


def _explain_validation_error(
    given: Mapping[str, Any], query_type: type[Struct], msgspec_message: str
) -> BadRequest:
    """Name the field that is wrong, and what it must be."""
    fields, action = fields_of(query_type), query_type.__struct_config__.tag
    names = ["action", *fields] if action else list(fields)
    noun, known_names, target = "parameter", _PARAMETER_NAMES, "this URL"
    if action:
        noun, known_names, target = "field", _FIELD_NAMES, f'the action "{action}"'
    for name in given:
        if name in names:
            continue
        if name in known_names:
            return BadRequest(f'The {noun} "{name}" does not go with {target}.')
        return BadRequest(
            f"The {noun} {describe_value(name)} is not known."
            f"{suggest_name(name, names)} The "
            + (f"{noun}s are {', '.join(names)}." if names else "URL takes none.")
        )
    for field in fields.values():
        if field.required and field.name not in given:
            return BadRequest(
                f'The {noun} "{field.name}" is missing: {target} needs {field.allowed}.'
            )
    # The message ends with the path, such as "at `$.offset`" or "`$.dictionary[1]`".
    path = msgspec_message.rpartition("$.")[2].rstrip("`]")
    name, _, index = path.partition("[")
    field, value = fields[name], given[name]
    if index:
        value = value[int(index)]
    problem = _describe_problem(name, value)
    quoted = action and isinstance(value, str) and not field.is_text
    allowed = f"{field.allowed}{', without quotation marks' * bool(quoted)}"
    return BadRequest(f'The {noun} "{name}" {problem}. It must be {allowed}.')


def _describe_problem(name: str, value: object) -> str:
    if isinstance(value, list) and name == "dictionary":
        return f"occurs {len(value)} times; {MAX_DICTIONARIES} are allowed"
    if name in _PRIVATE_FIELDS and isinstance(value, str):
        return _describe_private_text(value)
    return f"is {describe_value(value)}"


def _describe_private_text(text: str) -> str:
    """Describe why a text is not allowed, without the text itself."""
    if not text:
        return "is empty"
    if text.isspace():
        return "has only blanks"
    if "\0" in text:
        return "has a NUL"
    if "\n" in text or "\r" in text:
        return "has a line break"
    return f"has {len(text)} characters"
