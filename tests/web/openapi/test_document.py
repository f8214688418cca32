"""
Tests for L{twisted_quotes.web.openapi.document}, with the operations of the service.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.query.fields import fields_of
from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.query.quote_queries import FindQuotes
from twisted_quotes.web.api.routes import OPERATIONS
from twisted_quotes.web.http.responses import PROBLEM_JSON
from twisted_quotes.web.openapi.errors import ERRORS
from twisted_quotes.web.openapi.operation import HTML, JSON

from .cases import BASE_URL, make_document


def references_in(value: object) -> Iterator[str]:
    """Return all references in a document."""
    match value:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for each in value.values():
                yield from references_in(each)
        case list():
            for each in value:
                yield from references_in(each)


class DocumentTests(SynchronousTestCase):
    """Tests of the document."""

    def setUp(self) -> None:
        self.document = make_document()

    def operations(self, document: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return all operations by their ids."""
        return {
            operation["operationId"]: operation
            for path in document["paths"].values()
            for operation in path.values()
        }

    def test_the_document_has_each_operation_once(self) -> None:
        self.assertEqual(
            list(self.operations(self.document)), [each.name for each in OPERATIONS]
        )

    def test_the_document_is_json(self) -> None:
        self.assertEqual(json.loads(json.dumps(self.document)), self.document)

    def test_the_server_is_the_base_url(self) -> None:
        self.assertEqual(self.document["servers"], [{"url": BASE_URL}])

    def test_every_reference_has_a_target(self) -> None:
        references = {*references_in(self.document)}
        self.assertGreater(len(references), 20)
        for reference in references:
            target = self.document
            for key in reference.removeprefix("#/").split("/"):
                target = target[key]

    def test_every_schema_and_field_has_a_description(self) -> None:
        for name, schema in self.document["components"]["schemas"].items():
            self.assertTrue(schema["description"], name)
            for field, each in schema["properties"].items():
                is_tag = (field, "enum" in each) == ("action", True)
                self.assertTrue(each.get("description") or is_tag, (name, field))

    def test_a_path_parameter_is_in_braces(self) -> None:
        path = self.document["paths"]["/api/v2/quotes/{identity}"]
        [identity] = [p for p in path["get"]["parameters"] if p.get("in") == "path"]
        self.assertEqual(identity["name"], "identity")
        self.assertIs(identity["required"], True)

    def test_the_parameters_are_the_fields_of_the_query(self) -> None:
        parameters = self.operations(self.document)["find_quotes"]["parameters"]
        names = [each["name"] for each in parameters if each.get("in") == "query"]
        self.assertEqual(set(names), set(fields_of(FindQuotes)))

    def test_the_parameters_have_the_values_of_the_examples(self) -> None:
        parameters = self.operations(self.document)["find_quotes"]["parameters"]
        [limit] = [each for each in parameters if each.get("name") == "limit"]
        values = [each["value"] for each in limit["examples"].values()]
        self.assertEqual(values, [2, 1])

    def test_the_body_of_api_v1_has_examples_of_all_actions(self) -> None:
        body = self.operations(self.document)["find_entries"]["requestBody"]
        [content] = body["content"].values()
        actions = {each["value"]["action"] for each in content["examples"].values()}
        self.assertEqual(actions, {*ACTIONS})

    def test_every_error_has_a_description_and_an_example(self) -> None:
        responses = self.document["components"]["responses"].values()
        self.assertEqual(len(responses), len(ERRORS) - 1)
        for response in responses:
            self.assertTrue(response["description"])
            self.assertEqual(set(response["content"]), {JSON, PROBLEM_JSON, HTML})
            content = response["content"][JSON]
            self.assertRegex(
                content["example"]["message"],
                rf"\. Instructions: {BASE_URL}/api/v1/web\Z",
            )
            self.assertIn(content["example"]["Code"], ERRORS)

    def test_every_header_of_an_error_is_in_the_document(self) -> None:
        responses = self.document["components"]["responses"]
        self.assertIn("Retry-After", responses["ServiceUnavailable"]["headers"])
        self.assertIn("Allow", responses["MethodNotAllowed"]["headers"])
        for response in responses.values():
            self.assertIn("X-Request-ID", response["headers"])

    def test_a_conditional_response_has_an_entity_tag_and_a_304(self) -> None:
        for name, operation in self.operations(self.document).items():
            headers = next(iter(operation["responses"].values()))["headers"]
            is_conditional = "304" in operation["responses"]
            self.assertEqual("ETag" in headers, is_conditional, name)
            reference = {"$ref": "#/components/parameters/If-None-Match"}
            self.assertEqual(reference in operation["parameters"], is_conditional)

    def test_an_open_service_needs_no_authentication(self) -> None:
        self.assertNotIn("securitySchemes", self.document["components"])
        for operation in self.operations(self.document).values():
            self.assertNotIn("security", operation)
            self.assertNotIn("401", operation["responses"])

    def test_a_service_with_authentication_needs_it_except_for_probes(self) -> None:
        document = make_document(requires_authentication=True)
        self.assertEqual(
            set(document["components"]["securitySchemes"]), {"basic", "bearer"}
        )
        public = {
            name
            for name, each in self.operations(document).items()
            if not each["security"]
        }
        self.assertEqual(public, {"get_liveness", "get_readiness", "get_metrics"})
        for name, operation in self.operations(document).items():
            self.assertEqual("401" in operation["responses"], name not in public)
