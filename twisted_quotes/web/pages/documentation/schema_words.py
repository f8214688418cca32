"""
JSON Schemas in words.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.web.template import tags

from twisted_quotes.query.fields import describe_allowed

from .prose import join_with

Content = list[Any]

_PLAIN_WORDS = {"string": "a string", "boolean": "true or false", "object": "an object"}


def schema_anchor(name: str) -> str:
    """Return the anchor of the schema with a name."""
    return f"schema-{name}"


def schema_in_words(schema: dict[str, Any]) -> Content:
    """Return which values a schema allows, with links to the schemas it refers to."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return [tags.a(tags.code(name), href=f"#{schema_anchor(name)}")]
        case {"type": [kind, "null"]}:
            return [*schema_in_words({**schema, "type": kind}), " or null"]
        case {"x-allowed": str(allowed)}:
            return [allowed]
        case {"oneOf": alternatives} | {"anyOf": alternatives}:
            return join_with(" or ", map(schema_in_words, alternatives))
        case {"enum": values}:
            return [describe_allowed({"enum": [each for each in values if each]})]
        case {"type": ["boolean", "string"]}:
            return [describe_allowed({"type": "boolean"}, is_in_body=False)]
        case {"type": "array", "items": items}:
            return ["a list of: ", *schema_in_words(items)]
        case {"type": "string", "format": "date-time"}:
            return ["a date and time"]
        case {"type": "string", "pattern": pattern}:
            return ["a string that matches ", tags.code(pattern)]
        case {"type": "integer"}:
            return [describe_allowed(schema)]
        case {"type": "null"}:
            return ["null"]
    return [_PLAIN_WORDS.get(schema.get("type", ""), "any value")]


def default_in_words(schema: dict[str, Any], required: bool) -> Content:
    """Return the default of a field or parameter."""
    if required:
        return ["required"]
    return [tags.code(json.dumps(schema["default"]))] if "default" in schema else ["-"]
