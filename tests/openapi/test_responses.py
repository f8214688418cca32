"""
Tests that the responses of the real process are as the OpenAPI document says.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.api.routes import OPERATIONS
from twisted_quotes.web.openapi.operation import JSON, Example

from ..integration.http_connection import Response
from ..integration.server import Server, running_server
from .ajv import TypedValue, find_errors, pointer

QUOTE_ID = "5aa7d42ad2d439ca93a17ed1"

# Each with the status, for errors that a request alone can cause.
ERRORS = (
    (400, Example("", "/api/v2/quotes?limit=0")),
    (403, Example("", "/api/v2/quotes?dictionary=../x")),
    (404, Example("", "/api/v2/quotes?dictionary=none")),
    (404, Example("", f"/api/v2/quotes/{'0' * 24}")),
    (400, Example("", "/api/v1/json", {"action": "list", "term": "x"})),
    (501, Example("", "/api/v1/json", {"action": "x"})),
    (400, Example("", "/wait?seconds=x")),
)

OTHERS = (
    Example("", f"/api/v2/quotes/{QUOTE_ID}"),
    Example("", f"/api/v2/quotes/{QUOTE_ID}", accept="text/plain"),
    Example("", "/api/v2/quotes?author=twain&limit=1000"),
    Example("", "/api/v2/quotes/random?limit=3&q=love"),
    Example("", "/api/v2/authors?limit=1000"),
    Example("", "/wait?seconds=0"),
    *(
        Example("", path)
        for path in ("/livez", "/readyz", "/metrics", "/", "/docs", "/docs/try")
    ),
    *(Example("", path) for path in ("/openapi.json", "/api/v1/web")),
)


def send(server: Server, example: Example) -> Response:
    """Send a request, and return the response."""
    if example.body is not None:
        return server.post_query(dict(example.body))
    headers = [f"Accept: {example.accept}"] if example.accept else []
    return server.get(example.target, *headers)


class ResponseTests(SynchronousTestCase):
    """Tests of responses."""

    def setUp(self) -> None:
        self.server = self.enterContext(running_server())
        self.document = self.server.get("/openapi.json").json()

    def find_response(self, example: Example, response: Response) -> tuple[Any, str]:
        """Return the description of a response, and the pointer of its schema."""
        path = example.target.partition("?")[0].replace(QUOTE_ID, "{identity}")
        path = path.replace("0" * 24, "{identity}")
        [method] = self.document["paths"][path]
        keys = ["paths", path, method, "responses", str(response.status)]
        responses = self.document["paths"][path][method]["responses"]
        described = responses[str(response.status)]
        if "$ref" in described:
            keys = described["$ref"].removeprefix("#/").split("/")
            described = self.document["components"]["responses"][keys[-1]]
        media_type = (response.headers.get("content-type") or "").partition(";")[0]
        self.assertIn(media_type, described["content"], example)
        return described, pointer(*keys, "content", media_type, "schema")

    def test_every_response_has_its_media_type_its_headers_and_its_schema(self) -> None:
        examples = [e for operation in OPERATIONS for e in operation.examples]
        requests = [*((200, each) for each in (*examples, *OTHERS)), *ERRORS]
        values = []
        for code, example in requests:
            response = send(self.server, example)
            self.assertEqual(response.status, code, example)
            described, schema = self.find_response(example, response)
            for name, header in described["headers"].items():
                name = header["$ref"].rpartition("/")[2]
                header = self.document["components"]["headers"][name]
                if header.get("required"):
                    self.assertIsNotNone(response.headers.get(name.lower()), example)
            body = response.body.decode()
            is_json = response.headers.get("content-type") == JSON
            value = json.loads(body) if is_json else body
            values.append(TypedValue(schema, value))
        for request, errors in zip(
            requests, find_errors(self.document, values), strict=True
        ):
            self.assertEqual(errors, [], request)

    def test_each_line_of_a_stream_has_its_schema(self) -> None:
        response = self.server.get(
            "/api/v2/quotes?term=love", "Accept: application/x-ndjson"
        )
        *quotes, summary = map(json.loads, response.body.splitlines())
        self.assertGreater(len(quotes), 2)
        schemas = pointer("components", "schemas")
        values = [TypedValue(f"{schemas}/QuoteBody", each) for each in quotes]
        values.append(TypedValue(f"{schemas}/SummaryBody", summary))
        self.assertEqual(find_errors(self.document, values), [[]] * len(values))

    def test_a_304_has_the_headers_of_the_document(self) -> None:
        tag = self.server.get("/api/v2/dictionaries").headers["etag"]
        with self.server.connect() as connection:
            connection.send_get("/api/v2/dictionaries", f"If-None-Match: {tag}")
            response = connection.read_response(head_only=True)
        self.assertEqual(response.status, 304)
        described = self.document["paths"]["/api/v2/dictionaries"]["get"]["responses"]
        for name in described["304"]["headers"]:
            self.assertIsNotNone(response.headers.get(name.lower()), name)
