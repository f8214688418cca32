"""
The reference: the OpenAPI document as a page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from twisted.web.iweb import IRequest
from twisted.web.template import Tag, XMLString, renderer, tags

from ..rendering import load_template
from .frame import DocumentationPage
from .prose import inline, join_with, paragraphs
from .schema_words import default_in_words, schema_anchor, schema_in_words
from .tables import row, table

_Object = dict[str, Any]

_PARAMETERS = "name", "in", "value", "default", "meaning"
_PROPERTIES = "name", "value", "meaning"


@dataclass(eq=False)
class ReferencePage(DocumentationPage):
    """
    The page.

    @ivar document: the OpenAPI document.
    """

    template: ClassVar[XMLString] = load_template("reference")

    document: _Object

    def _groups(self) -> Iterator[tuple[_Object, list[tuple[str, str, _Object]]]]:
        """Return each tag with its operations: methods, paths and descriptions."""
        operations = [
            (method.upper(), path, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        ]
        for group in self.document["tags"]:
            name = group["name"]
            yield group, [each for each in operations if name in each[2]["tags"]]

    @renderer
    def introduction(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the description of the service, whose headings are paragraphs."""
        first, *_ = self.document["info"]["description"].split("\n## ")
        return paragraphs(first)

    @renderer
    def contents(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render links to the operations of each group."""
        for group, operations in self._groups():
            links = [
                tags.li(
                    tags.a(tags.code(method, " ", path), href=f"#{op['operationId']}")
                )
                for method, path, op in operations
            ]
            yield tag.clone().fillSlots(
                anchor=_group_anchor(group), title=group["name"], links=tags.ul(links)
            )

    @renderer
    def groups(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the operations of each group."""
        for group, operations in self._groups():
            content = [
                *paragraphs(group["description"]),
                *(self._operation(*each) for each in operations),
            ]
            yield tag.clone().fillSlots(
                anchor=_group_anchor(group), title=group["name"], content=content
            )

    @renderer
    def errors(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the errors, with their headers and an example of each."""
        responses = self.document["components"]["responses"]
        for name, response in responses.items():
            yield tags.h3(name, id=f"error-{name}")
            yield tags.p(*inline(response["description"]))
            yield from self._response(response)

    @renderer
    def schemas(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the properties of each schema."""
        for title, schema in self.document["components"]["schemas"].items():
            yield tags.h3(tags.code(title), id=schema_anchor(title))
            yield from paragraphs(schema["description"])
            rows = [
                row(
                    _PROPERTIES,
                    name,
                    schema_in_words(each),
                    list(inline(each.get("description", ""))),
                )
                for name, each in schema["properties"].items()
            ]
            yield table(_PROPERTIES, rows)

    def _operation(self, method: str, path: str, operation: _Object) -> Tag:
        """Render an operation."""
        article = tags.article(
            tags.h3(tags.code(method, " ", path)),
            tags.p(operation["summary"], "."),
            *paragraphs(operation.get("description", "")),
            id=operation["operationId"],
            class_="operation",
        )
        if "security" in operation:
            schemes = [name for each in operation["security"] for name in each]
            needed = f"needs {' or '.join(schemes)}" if schemes else "is not needed"
            article(tags.p(f"Authentication {needed}."))
        if "requestBody" in operation:
            article(*self._body(operation["requestBody"]))
        if "x-codeSamples" in operation:
            article(tags.h4("Requests"))
        for sample in operation.get("x-codeSamples", ()):
            command = tags.pre(tags.code(sample["source"]), class_="command")
            article(tags.figure(tags.figcaption(sample["label"]), command))
        article(tags.h4("Parameters"), self._parameters(operation["parameters"]))
        article(tags.h4("Responses"))
        errors: list[tuple[str, str]] = []
        for code, response in operation["responses"].items():
            if "$ref" in response:
                errors.append((code, response["$ref"].rpartition("/")[2]))
                continue
            article(tags.p(tags.strong(code), ": ", *inline(response["description"])))
            article(*self._response(response))
        links = [tags.a(code, href=f"#error-{name}") for code, name in errors]
        return article(tags.p("Errors: ", *join_with(", ", links)))

    def _parameters(self, parameters: Sequence[_Object]) -> Tag:
        components = self.document["components"]["parameters"]
        rows = []
        for each in parameters:
            if "$ref" in each:
                each = components[each["$ref"].rpartition("/")[2]]
            schema = each["schema"]
            default = default_in_words(schema, each.get("required", False))
            meaning = list(inline(each["description"]))
            rows.append(
                row(
                    *(_PARAMETERS, each["name"], each["in"]),
                    *(schema_in_words(schema), default, meaning),
                )
            )
        return table(_PARAMETERS, rows)

    def _body(self, body: _Object) -> Iterator[Tag]:
        """Render the body of a request."""
        yield tags.h4("Body")
        yield tags.p(body["description"])
        for media_type, content in body["content"].items():
            yield tags.p(
                tags.code(media_type), ": ", schema_in_words(content["schema"])
            )

    def _response(self, response: _Object) -> Iterator[Tag]:
        """Render the headers and the bodies of a response."""
        names = [tags.code(name) for name in response["headers"]]
        yield tags.p("Headers: ", *join_with(", ", names))
        for media_type, content in response.get("content", {}).items():
            yield tags.p(
                tags.code(media_type),
                ": ",
                schema_in_words(content["schema"]),
                *inline(f" {content['schema'].get('description', '')}"),
            )
            yield _example("Example", content["example"])


def _group_anchor(group: _Object) -> str:
    return f"group-{group['name'].split(':')[0].replace(' ', '-').lower()}"


def _example(caption: str, value: object) -> Tag:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return tags.figure(
        tags.figcaption(caption), tags.pre(tags.samp(text), class_="answer")
    )
