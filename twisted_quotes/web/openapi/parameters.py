"""
The parameters of an operation, in the form of OpenAPI.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from twisted_quotes.query.parsing import parse_parameters

from .examples import slug
from .operation import Example, Operation
from .schemas import Schema, make_schemas, query_schema


def operation_parameters(operation: Operation) -> Iterator[Schema]:
    """Return the parameters of an operation: in the path, the query and headers."""
    for name, parameter in operation.path_parameters.items():
        pattern = {"pattern": parameter.pattern} if parameter.pattern else {}
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": parameter.description,
            "schema": {"type": "string", **pattern},
            "example": parameter.example,
        }
    if operation.parameters is not None:
        _, components = make_schemas([operation.parameters])
        query = components[operation.parameters.__name__]
        for name, schema in query.get("properties", {}).items():
            yield _query_parameter(operation, name, dict(schema), query["required"])
    if operation.is_conditional:
        yield {"$ref": "#/components/parameters/If-None-Match"}
    yield {"$ref": "#/components/parameters/X-Request-ID"}


def _query_parameter(
    operation: Operation, name: str, schema: Schema, required: list[str]
) -> Schema:
    parameter = {
        "name": name,
        "in": "query",
        "required": name in required,
        "description": schema.pop("description"),
        "schema": query_schema(schema),
    }
    if examples := {
        slug(each): {"summary": each.caption, "value": values[name]}
        for each in operation.examples
        if name in (values := _parameters_of(operation, each))
    }:
        parameter["examples"] = examples
    return parameter


def _parameters_of(operation: Operation, example: Example) -> dict[str, Any]:
    """Return the parameters in the URL of an example."""
    assert operation.parameters is not None
    query = urlsplit(example.target).query
    parsed = parse_parameters(query.encode(), operation.parameters)
    return {
        name: msgspec.to_builtins(getattr(parsed, name))
        for name, _ in parse_qsl(query, keep_blank_values=True)
    }
