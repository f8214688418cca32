"""
Tests for L{twisted_quotes.web.openapi.schemas}.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Annotated, Literal

from msgspec import Meta, Struct
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.fields import URL_BOOLEANS
from twisted_quotes.query.queries import ACTIONS, Query
from twisted_quotes.web.openapi.schemas import (
    let_optional_be_null,
    make_schemas,
    query_schema,
)


class Line(Struct, frozen=True):
    """
    A line of C{text}, see
    L{Lines<twisted_quotes.text.lines.Lines>}.

    It has a number.

    @ivar number: counted
        from C{1}.
    """

    number: int
    kind: Literal["blank", "text"] = "text"
    text: Annotated[str, Meta(pattern=r"\A*x\Z".replace(r"\A*", "^"))] = "x"


class SchemasTests(SynchronousTestCase):
    """Tests of the adapted schemas."""

    def test_a_docstring_describes_a_type_and_its_fields(self) -> None:
        _, components = make_schemas([Line])
        line = components["Line"]
        self.assertEqual(
            line["description"], "A line of `text`, see `Lines`. It has a number."
        )
        number = {"type": "integer", "description": "counted from `1`."}
        self.assertEqual(line["properties"]["number"], number)

    def test_a_field_that_does_not_exist_is_not_described(self) -> None:
        class Wrong(Struct):
            """
            @ivar missing: is not there.
            """

            number: int

        self.assertRaises(KeyError, make_schemas, [Wrong])

    def test_an_enumeration_of_texts_has_a_type(self) -> None:
        _, components = make_schemas([Line])
        self.assertEqual(
            components["Line"]["properties"]["kind"],
            {"type": "string", "enum": ["blank", "text"], "default": "text"},
        )

    def test_a_pattern_is_one_of_ecma_262(self) -> None:
        _, components = make_schemas([Line])
        self.assertEqual(
            components["Line"]["properties"]["text"]["pattern"], r"^x(?!\n)$"
        )

    def test_queries_are_one_of_several_types_with_a_discriminator(self) -> None:
        [schema], components = make_schemas([Query])
        self.assertEqual(set(schema), {"oneOf", "discriminator"})
        self.assertEqual(schema["discriminator"]["propertyName"], "action")
        self.assertEqual(
            schema["discriminator"]["mapping"],
            {
                action: f"#/components/schemas/{kind.__name__}"
                for action, kind in ACTIONS.items()
            },
        )
        for kind in ACTIONS.values():
            self.assertIs(components[kind.__name__]["additionalProperties"], False)

    def test_optional_fields_may_be_null(self) -> None:
        _, components = make_schemas([Query])
        search = let_optional_be_null(components["Search"])["properties"]
        self.assertEqual(search["term"]["type"], "string")
        self.assertEqual(search["offset"]["type"], ["integer", "null"])
        self.assertEqual(search["unit"]["enum"], ["line", "quote", None])

    def test_a_boolean_in_a_url_has_all_its_spellings(self) -> None:
        schema = query_schema({"anyOf": [{"type": "boolean"}, {"enum": ["auto"]}]})
        boolean, auto = schema["anyOf"]
        self.assertEqual(auto, {"enum": ["auto"]})
        self.assertEqual(boolean["type"], ["boolean", "string"])
        spellings = {
            "".join(letters)
            for each in URL_BOOLEANS
            for letters in product(*({x.lower(), x.upper()} for x in each))
        }
        for spelling in spellings:
            self.assertTrue(re.search(boolean["pattern"], spelling), spelling)
        for other in ("2", "tru", "truee", "true\n", " ", "y"):
            self.assertIsNone(re.search(boolean["pattern"], other), other)
