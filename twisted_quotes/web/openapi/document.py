"""
The OpenAPI 3.1 document of the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import get_args

import msgspec

from twisted_quotes import __version__

from .errors import ERRORS
from .examples import body_examples, code_samples
from .headers import COMMON_HEADERS, REQUEST_HEADERS, RESPONSE_HEADERS
from .operation import AUTHENTICATED, JSON, Body, Operation, Topic
from .parameters import operation_parameters
from .schemas import Schema, let_optional_be_null, make_schemas

OPENAPI_VERSION = "3.1.0"

_SECURITY_SCHEMES = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A name and a password.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A name and a password, joined by a dot.",
    },
}


@dataclass(frozen=True)
class ApiDescription:
    """
    All that the document says, except the URL of the service.

    @ivar introduction: the first paragraphs, in Markdown.
    @ivar topics: the topics of the instructions, in order.
    @ivar errors: the topic of errors.
    @ivar error_bodies: what makes the body of an error of its status and message, by
        media type.
    """

    operations: Sequence[Operation]
    introduction: str
    topics: Sequence[Topic]
    errors: Topic
    error_bodies: Mapping[str, Callable[[int, str], object]]
    requires_authentication: bool

    def document(self, base_url: str) -> Schema:
        """Return the document."""
        return _DocumentBuilder(self, base_url).build()


class _DocumentBuilder:
    """Makes the parts of a document."""

    def __init__(self, api: ApiDescription, base_url: str) -> None:
        self._api = api
        self._base_url = base_url
        bodies = [body for operation in api.operations for body in operation.answers]
        types = [
            *(each for body in bodies for each in (body.type, *body.line_types)),
            *(op.query for op in api.operations if op.query is not None),
            *(type(make_body(500, "")) for make_body in api.error_bodies.values()),
        ]
        schemas, self._components = make_schemas(types)
        self._schemas = dict(zip(types, schemas, strict=True))
        for operation in api.operations:
            for query_type in get_args(operation.query):
                name = query_type.__name__
                self._components[name] = let_optional_be_null(self._components[name])

    def build(self) -> Schema:
        """Return the document."""
        api = self._api
        paths: dict[str, Schema] = {}
        for operation in api.operations:
            path = paths.setdefault(operation.path, {})
            path[operation.method.lower()] = self._operation(operation)
        tags = dict.fromkeys(operation.topic for operation in api.operations)
        others = [each for each in (*api.topics, api.errors) if each not in tags]
        sections = (f"## {each.title}\n\n{each.text}" for each in others)
        components = {
            "schemas": self._components,
            "responses": {
                _error_name(code): self._error(code) for code in self._error_codes()
            },
            "headers": RESPONSE_HEADERS,
            "parameters": REQUEST_HEADERS,
        }
        if api.requires_authentication:
            components["securitySchemes"] = _SECURITY_SCHEMES
        return {
            "openapi": OPENAPI_VERSION,
            "info": {
                "title": "twisted_quotes",
                "version": __version__,
                "summary": "Finds quotes in text files",
                "description": "\n\n".join([api.introduction, *sections]),
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": self._base_url}],
            "tags": [{"name": t.title, "description": t.text} for t in tags],
            "paths": paths,
            "components": components,
        }

    def _error_codes(self) -> list[int]:
        requires_authentication = self._api.requires_authentication
        return [code for code in ERRORS if code != 401 or requires_authentication]

    def _operation(self, operation: Operation) -> Schema:
        described: Schema = {
            "operationId": operation.name,
            "tags": [operation.topic.title],
            "summary": operation.summary,
            "parameters": [*operation_parameters(operation)],
            "responses": self._responses(operation),
        }
        if operation.description:
            described["description"] = operation.description
        if operation.examples:
            described["x-codeSamples"] = code_samples(operation, self._base_url)
        if operation.query is not None:
            content = {"schema": self._schemas[operation.query]}
            described["requestBody"] = {
                "description": "One JSON object in UTF-8, with any Content-Type.",
                "required": True,
                "content": {JSON: {**content, "examples": body_examples(operation)}},
            }
        if self._api.requires_authentication:
            schemes = _SECURITY_SCHEMES if operation.access is AUTHENTICATED else ()
            described["security"] = [{name: []} for name in schemes]
        return described

    def _responses(self, operation: Operation) -> Schema:
        names = *operation.headers, *("ETag" for _ in range(operation.is_conditional))
        success: Schema = {
            "description": operation.summary,
            "headers": _headers(*COMMON_HEADERS, *names),
        }
        if operation.answers:
            success["content"] = {
                each.media_type: self._content(each) for each in operation.answers
            }
        responses = {str(operation.status): success}
        if operation.is_conditional:
            responses["304"] = {
                "description": "the client has the response already",
                "headers": _headers(*COMMON_HEADERS, "ETag"),
            }
        for code in self._error_codes():
            if code == 401 and operation.access is not AUTHENTICATED:
                continue
            if ERRORS[code].is_general or code in operation.errors:
                reference = f"#/components/responses/{_error_name(code)}"
                responses[str(code)] = {"$ref": reference}
        return responses

    def _content(self, body: Body) -> Schema:
        schema = self._schemas[body.type]
        if body.description:
            schema = {**schema, "description": body.description}
        content = {"schema": schema, "example": msgspec.to_builtins(body.example)}
        if body.line_types:
            # OpenAPI 3.2 has it without the prefix.
            schemas = [self._schemas[each] for each in body.line_types]
            content["x-itemSchema"] = {"anyOf": schemas}
        return content

    def _error(self, code: int) -> Schema:
        error = ERRORS[code]
        message = f"{error.example} Instructions: {self._base_url}/api/v1/web"
        content = {}
        for media_type, make_body in self._api.error_bodies.items():
            body = make_body(code, message)
            schema = self._schemas[type(body)]
            content[media_type] = {
                "schema": schema,
                "example": msgspec.to_builtins(body),
            }
        return {
            "description": "; or ".join(error.reasons),
            "headers": _headers(*COMMON_HEADERS, *error.headers),
            "content": content,
        }


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _error_name(code: int) -> str:
    """Return the name of the component, such as C{NotFound}."""
    return "".join(each.capitalize() for each in HTTPStatus(code).name.split("_"))
