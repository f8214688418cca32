"""
Tests of the OpenAPI document, the reference and Swagger UI.
"""

from __future__ import annotations

from twisted_quotes.web.api.routes import OPERATIONS
from twisted_quotes.web.openapi.errors import ERRORS

from ...clients import HOST
from ...openapi.cases import make_document
from ..cases import PagesTestCase


class DocumentTests(PagesTestCase):
    """Tests of C{/openapi.json}."""

    def test_the_document_names_the_url_of_the_service(self) -> None:
        for host in (HOST, "[2001:db8::1]:8000"):
            response = self.get("/openapi.json", headers={"Host": host})
            self.assertEqual(response.code, 200)
            self.assertEqual(response.header("content-type"), "application/json")
            self.assertEqual(response.json["servers"], [{"url": f"http://{host}"}])
            self.assertNotIn(b".invalid", response.body)

    def test_the_document_is_that_of_the_operations(self) -> None:
        self.assertEqual(self.get("/openapi.json").json, make_document())

    def test_the_document_is_not_sent_again(self) -> None:
        tag = self.get("/openapi.json").header("etag")
        assert tag is not None
        for host, code in ((HOST, 304), ("other.test", 200)):
            headers = {"If-None-Match": tag, "Host": host}
            response = self.get("/openapi.json", headers=headers)
            self.assertEqual(response.code, code)


class ReferenceTests(PagesTestCase):
    """Tests of C{/docs}."""

    def test_the_reference_has_every_operation(self) -> None:
        page = self.get_page("/docs")
        self.assertTrue(page.is_balanced)
        self.assertEqual(
            [each["id"] for each in page.attributes["article"]],
            [each.name for each in OPERATIONS],
        )
        headings = page.texts["h3"]
        for operation in OPERATIONS:
            self.assertIn(f"{operation.method} {operation.path}", headings)

    def test_all_links_of_the_reference_have_a_target(self) -> None:
        page = self.get_page("/docs")
        anchors = {
            attributes["id"]
            for elements in page.attributes.values()
            for attributes in elements
            if "id" in attributes
        }
        self.assertEqual(
            {each for each in page.links if each[:1] == "#"}
            - {f"#{a}" for a in anchors},
            set(),
        )
        for link in page.links:
            if link[:1] != "#":
                self.assertEqual(self.get(link).code, 200, link)

    def test_the_reference_describes_values_in_words(self) -> None:
        rows = self.get_page("/docs").texts["tr"]
        for words in (
            "a whole number from 1 to 1000",
            "auto, true, false, 1, 0, yes, no, on or off",
            '"line" or "quote" or null',
            "a list of: QuoteBody",
            "a string or null",
        ):
            self.assertTrue(any(words in each for each in rows), words)

    def test_the_reference_has_every_error(self) -> None:
        page = self.get_page("/docs")
        errors = [
            each for each in page.attributes["h3"] if "error-" in each.get("id", "")
        ]
        self.assertEqual(len(errors), len(ERRORS) - 1)


class TryTests(PagesTestCase):
    """Tests of C{/docs/try}."""

    def test_swagger_ui_is_served_by_the_service(self) -> None:
        page = self.get_page("/docs/try")
        for link in page.links:
            if link[:1] != "#":
                self.assertEqual(link[:1], "/")
                self.assertEqual(self.get(link).code, 200, link)
        self.assertTrue(any("swagger-ui-bundle.js" in each for each in page.links))

    def test_only_swagger_ui_may_show_pictures_from_data_urls(self) -> None:
        for path in ("/docs/try", "/docs", "/api/v1/web", "/"):
            policy = self.get(path).header("content-security-policy") or ""
            self.assertEqual("img-src 'self' data:" in policy, path == "/docs/try")
            self.assertNotIn("unsafe", policy)
