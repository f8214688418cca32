"""
Tests of the OpenAPI document with validators that others wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from twisted.trial.unittest import SynchronousTestCase

from ..web.openapi.cases import make_document
from .ajv import TypedValue, find_errors, pointer

SEARCH = pointer("components", "schemas", "Search")
QUERY = pointer(
    *("paths", "/api/v1/json", "post", "requestBody", "content"),
    *("application/json", "schema"),
)


def examples_in(
    document: object, keys: tuple[str | int, ...] = ()
) -> Iterator[TypedValue]:
    """Return all examples of a document that stand next to a schema."""
    if isinstance(document, list):
        for index, each in enumerate(document):
            yield from examples_in(each, (*keys, index))
    if not isinstance(document, dict):
        return
    if "schema" in document:
        examples = [each["value"] for each in document.get("examples", {}).values()]
        examples += [document["example"]] if "example" in document else []
        for each in examples:
            yield TypedValue(pointer(*keys, "schema"), each)
    for key, value in document.items():
        if key not in ("example", "examples"):
            yield from examples_in(value, (*keys, key))


def parameter_schema(document: dict[str, Any], path: str, name: str) -> str:
    """Return the pointer of the schema of a parameter in the query."""
    parameters = document["paths"][path]["get"]["parameters"]
    [index] = [i for i, each in enumerate(parameters) if each.get("name") == name]
    return pointer("paths", path, "get", "parameters", index, "schema")


class ValidatorTests(SynchronousTestCase):
    """Tests of the document by itself."""

    def setUp(self) -> None:
        self.document = make_document(requires_authentication=True)

    def test_openapi_spec_validator_finds_nothing(self) -> None:
        for document in (self.document, make_document()):
            validate(document, cls=OpenAPIV31SpecValidator)

    def test_every_example_is_valid(self) -> None:
        examples = [*examples_in(self.document)]
        self.assertGreater(len(examples), 50)
        for example, errors in zip(
            examples, find_errors(self.document, examples), strict=True
        ):
            self.assertEqual(errors, [], example)

    def test_the_schemas_accept_what_the_service_accepts(self) -> None:
        boolean = parameter_schema(self.document, "/api/v2/quotes", "whole_word")
        term = parameter_schema(self.document, "/api/v2/quotes", "term")
        valid = [
            *(TypedValue(boolean, each) for each in ("TRUE", "", "oFf", "1", True)),
            *(TypedValue(term, each) for each in ("a", " a", "\ufeff", "\u2028a")),
            TypedValue(QUERY, {"action": "list", "offset": None}),
            TypedValue(QUERY, {"action": "search", "term": "\t\U0001f600"}),
            TypedValue(QUERY, {"action": "random", "seed": 10**30, "unit": None}),
        ]
        self.assertEqual(find_errors(self.document, valid), [[]] * len(valid))

    def test_the_schemas_refuse_what_the_service_refuses(self) -> None:
        boolean = parameter_schema(self.document, "/api/v2/quotes", "whole_word")
        invalid: list[TypedValue] = [
            *(TypedValue(boolean, each) for each in ("truth", "2", "true\n", 1)),
            TypedValue(SEARCH, {"action": "search", "term": None}),
            *(
                TypedValue(SEARCH, {"action": "search", "term": each})
                for each in ("", " ", "\x85", "\x1c", "a\n", "a\0", "a\rb", "x" * 1025)
            ),
            *(
                TypedValue(QUERY, each)
                for each in (
                    {},
                    {"action": "serch"},
                    {"action": "search"},
                    {"action": "list", "term": "love"},
                    {"action": "all", "offset": -1},
                    {"action": "all", "nresults": 1.5},
                    {"action": "all", "nresults": True},
                    {"action": "all", "dictionary": ""},
                    {"action": "random", "unit": "line"},
                )
            ),
        ]
        for each, errors in zip(
            invalid, find_errors(self.document, invalid), strict=True
        ):
            self.assertTrue(errors, each)
