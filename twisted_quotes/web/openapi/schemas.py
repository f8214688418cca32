"""
JSON Schemas of the types that validate requests and encode responses.

msgspec makes them; they are adapted to JSON Schema 2020-12 and OpenAPI 3.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from re import MULTILINE, compile
from typing import Any, TypeAlias

from msgspec.json import schema_components

from twisted_quotes.query.fields import URL_BOOLEANS

from .patterns import ecma_pattern

Schema: TypeAlias = dict[str, Any]

REF_TEMPLATE = "#/components/schemas/{name}"

# The markup of docstrings: C{code}, L{name<target>} and the fields of a class.
_MARKUP = compile(r"[CL]\{([^}<]+)(?:<[^}]*>)?\}")
_DOC_FIELD = compile(r"^@[ic]var (\w+): ", MULTILINE)


def make_schemas(types: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """
    Return the schema of each type, and the components that they refer to, by name.
    """
    schemas, components = schema_components(types, ref_template=REF_TEMPLATE)
    return (
        [_adapt(schema) for schema in schemas],
        {name: _describe(_adapt(each)) for name, each in sorted(components.items())},
    )


def query_schema(schema: Schema) -> Schema:
    """
    Return the schema of a parameter in the query of a URL.

    A boolean has more spellings there, which have no type of their own.
    """
    if schema.get("type") == "boolean":
        return {**schema, "type": ["boolean", "string"], "pattern": _boolean_pattern()}
    if "anyOf" in schema:
        return {**schema, "anyOf": [query_schema(each) for each in schema["anyOf"]]}
    return schema


def _boolean_pattern() -> str:
    """Return a pattern of the spellings of a boolean, in any case."""
    spellings = (
        "".join(f"[{each.upper()}{each}]" if each.isalpha() else each for each in name)
        for name in URL_BOOLEANS
    )
    return ecma_pattern(rf"^(?:{'|'.join(spellings)})\Z")


def let_optional_be_null(schema: Schema) -> Schema:
    """
    Let the optional fields of the body of a request be C{null}.

    L{parse_query<twisted_quotes.query.parsing.parse_query>} reads it as no field.
    """
    properties = {}
    for name, field in schema["properties"].items():
        if name not in schema["required"]:
            field = {**field, "type": [field["type"], "null"]}
            if "enum" in field:
                field["enum"] = [*field["enum"], None]
        properties[name] = field
    return {**schema, "properties": properties}


def _adapt(schema: Any) -> Any:
    """Adapt a schema, and all schemas in it."""
    if isinstance(schema, list):
        return [_adapt(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    adapted: Schema = {}
    for name, value in schema.items():
        match name:
            case "pattern" if isinstance(value, str):
                adapted[name] = ecma_pattern(value)
            case "anyOf" if "discriminator" in schema:
                adapted["oneOf"] = _adapt(value)
            case "enum" if all(isinstance(each, str) for each in value):
                adapted |= {"type": "string", name: value}
            case "default":
                adapted[name] = list(value) if isinstance(value, tuple) else value
            case _:
                adapted[name] = _adapt(value)
    return adapted


def _describe(schema: Schema) -> Schema:
    """Move the descriptions of fields from the docstring of a type to its fields."""
    text = _MARKUP.sub(r"`\1`", cleandoc(schema.get("description", "")))
    description, *fields = _DOC_FIELD.split(text)
    described = {**schema, "description": " ".join(description.split())}
    properties = dict(schema.get("properties", {}))
    for name, value in zip(fields[::2], fields[1::2], strict=True):
        properties[name] = {**properties[name], "description": " ".join(value.split())}
    return {**described, "properties": properties} if properties else described
