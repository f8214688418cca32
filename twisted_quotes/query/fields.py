"""
The fields of a query type, for error messages and the instructions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.json import schema_components

URL_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on", ""), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
"""The spellings of a boolean in a URL, in lower case."""


@dataclass(frozen=True)
class Field:
    """
    A field of a query type.

    @ivar allowed: the allowed values, in words.
    @ivar default: the default as JSON; empty if there is none.
    @ivar is_text: whether the value is a string.
    @ivar is_boolean: whether the value is a boolean.
    @ivar is_list: whether it may be repeated.
    """

    name: str
    allowed: str
    description: str
    default: str
    required: bool
    is_text: bool
    is_boolean: bool
    is_list: bool


@cache
def fields_of(query_type: type[Struct]) -> dict[str, Field]:
    """Return the fields of a query type by name, the required ones first."""
    _, schemas = schema_components([query_type])
    schema = schemas[query_type.__name__]
    is_in_body = query_type.__struct_config__.tag is not None
    fields = [
        Field(
            name,
            describe_allowed(value, is_in_body),
            value["description"],
            _describe_default(value.get("default", "")),
            name in schema["required"],
            "enum" in value or value.get("type") in ("string", "array"),
            any(each.get("type") == "boolean" for each in value.get("anyOf", [value])),
            value.get("type") == "array",
        )
        for name, value in schema["properties"].items()
        if name != query_type.__struct_config__.tag_field
    ]
    return {f.name: f for f in sorted(fields, key=lambda f: not f.required)}


def _describe_default(value: object) -> str:
    match value:
        case "":
            return ""
        case [only]:
            return json.dumps(only)
    return json.dumps(value)


def describe_allowed(schema: Mapping[str, Any], is_in_body: bool = True) -> str:
    """
    Describe the values that the schema of a field allows.

    @param is_in_body: whether it is JSON; booleans have more spellings in a URL.
    """
    match schema:
        case {"x-allowed": str(allowed)}:
            return allowed
        case {"enum": values}:
            return " or ".join(f'"{value}"' for value in values)
        case {"type": "boolean"} if is_in_body:
            return "true or false"
        case {"type": "boolean"}:
            return "true, false, 1, 0, yes, no, on or off, or without a value for true"
        case {"minimum": minimum, "maximum": maximum}:
            return f"a whole number from {minimum} to {maximum}"
        case {"minimum": minimum}:
            return f"a whole number, {minimum} or more"
    return "a whole number"
