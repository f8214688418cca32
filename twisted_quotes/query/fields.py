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


@dataclass(frozen=True)
class Field:
    """
    A field of a query type.

    @ivar allowed: the allowed values, in words.
    @ivar default: the default as JSON; empty if there is none.
    @ivar is_text: whether the value is a string.
    """

    name: str
    allowed: str
    description: str
    default: str
    required: bool
    is_text: bool


@cache
def fields_of(query_type: type[Struct]) -> dict[str, Field]:
    """Return the fields of a query type by name, the required ones first."""
    _, schemas = schema_components([query_type])
    schema = schemas[query_type.__name__]
    fields = [
        Field(
            name,
            _describe_allowed(value),
            value["description"],
            json.dumps(value["default"]) if "default" in value else "",
            name in schema["required"],
            "enum" in value or value["type"] == "string",
        )
        for name, value in schema["properties"].items()
        if name != query_type.__struct_config__.tag_field
    ]
    return {f.name: f for f in sorted(fields, key=lambda f: not f.required)}


def _describe_allowed(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"x-allowed": str(allowed)}:
            return allowed
        case {"enum": values}:
            return " or ".join(f'"{value}"' for value in values)
        case {"type": "boolean"}:
            return "true or false"
        case {"minimum": minimum, "maximum": maximum}:
            return f"a whole number from {minimum} to {maximum}"
        case {"minimum": minimum}:
            return f"a whole number, {minimum} or more"
    return "a whole number"
