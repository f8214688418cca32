"""
The instructions: how to send requests, with examples and their responses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import msgspec
from twisted.web.iweb import IRequest
from twisted.web.template import Tag, XMLString, renderer, tags

from twisted_quotes.text.display import printable
from twisted_quotes.web.openapi.document import ApiDescription
from twisted_quotes.web.openapi.errors import ERRORS
from twisted_quotes.web.openapi.examples import curl_command
from twisted_quotes.web.openapi.operation import Example, Operation

from ..rendering import load_template
from .answers import EXAMPLE_HOST, Answer
from .fields import FieldRow, body_fields, query_parameters
from .frame import DocumentationPage
from .prose import inline, paragraphs
from .tables import row, table

BASE_URL = f"http://{EXAMPLE_HOST}"
"""Stands for the URL of the service, which depends on the request."""

MAX_NAMES = 500
"""The maximum number of dictionary names on the page."""

MAX_ANSWER_LENGTH = 2000
"""The maximum length of a response on the page, in characters."""

_API_PREFIX = "/api/v2/"


class LibrarySummary(msgspec.Struct, frozen=True):
    """
    What the page says about the library.

    @ivar names: the names of the dictionaries.
    @ivar warnings: the warnings about dictionaries, by name.
    @ivar default: the name of the default dictionary.
    """

    names: Sequence[str]
    warnings: Mapping[str, Sequence[str]]
    default: str


@dataclass(eq=False)
class InstructionsPage(DocumentationPage):
    """
    The page.

    @ivar answers: the responses to the examples that were requested.
    """

    template: ClassVar[XMLString] = load_template("instructions")

    api: ApiDescription
    library: LibrarySummary
    answers: Mapping[Example, Answer]

    def _sections(self) -> Iterator[tuple[str, str, Any]]:
        """Return the anchor, the title and the content of each section."""
        for topic in self.api.topics:
            operations = [op for op in self.api.operations if op.topic is topic]
            content = [*paragraphs(topic.text), *self._operations(operations)]
            yield topic.anchor, topic.title, content
        errors = self.api.errors
        yield errors.anchor, errors.title, [*paragraphs(errors.text), _error_table()]
        yield "dictionaries", "Dictionaries", _dictionary_list(self.library)

    @renderer
    def introduction(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the first paragraphs."""
        return paragraphs(self.api.introduction)

    @renderer
    def contents(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render a link to each section."""
        for anchor, title, _ in self._sections():
            yield tag.clone().fillSlots(anchor=anchor, title=title)

    @renderer
    def sections(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the sections."""
        for anchor, title, content in self._sections():
            yield tag.clone().fillSlots(anchor=anchor, title=title, content=content)

    def _operations(self, operations: Sequence[Operation]) -> Iterator[Tag]:
        """Render the operations of a topic."""
        queries = [each.query for each in operations if each.query is not None]
        if queries:
            for query in queries:
                yield tags.h3("Actions")
                yield tags.dl(
                    _definition(kind.__struct_config__.tag, kind.__doc__ or "")
                    for kind in get_args(query)
                )
                yield tags.h3("Fields")
                yield _field_table(body_fields(query), "actions")
        elif operations:
            yield tags.dl(_definition(op.path, op.summary) for op in operations)
            for each in operations:
                yield from paragraphs(each.description)
            yield tags.h3("Parameters")
            yield _field_table(query_parameters(operations, _API_PREFIX), "URLs")
        if any(each.examples for each in operations):
            yield tags.h3("Examples")
        for operation in operations:
            for example in operation.examples:
                yield self._example(example)

    def _example(self, example: Example) -> Tag:
        """Render a shell command that sends a request, and the response."""
        figure = tags.figure(
            tags.figcaption(example.caption),
            tags.pre(tags.code(curl_command(example, BASE_URL)), class_="command"),
        )
        answer = self.answers.get(example)
        if answer is None:
            return figure(tags.p("The service is too busy to show the response."))
        if answer.code != 200:
            figure(tags.p(f"Here the response is an error, {answer.code}:"))
        text = answer.text.rstrip("\n")
        cut = text[:MAX_ANSWER_LENGTH]
        figure(tags.pre(tags.samp(printable_lines(cut)), class_="answer"))
        if cut != text:
            figure(tags.p("The rest of the response is left out."))
        return figure


def printable_lines(text: str) -> str:
    """Return a text whose control characters other than line feeds are replaced."""
    return "\n".join(map(printable, text.split("\n")))


def _definition(term: str, meaning: str) -> Tag:
    return tags.div(tags.dt(tags.code(term)), tags.dd(*inline(meaning)))


def _field_table(rows: Sequence[FieldRow], users: str) -> Tag:
    labels = "name", "value", "default", "meaning", users
    return table(labels, [row(labels, *each) for each in rows])


def _error_table() -> Tag:
    labels = "code", "when"
    rows = [
        row(labels, str(code), list(inline(reason)))
        for code, error in ERRORS.items()
        for reason in error.reasons
    ]
    return table(labels, rows)


def _dictionary_list(library: LibrarySummary) -> Tag:
    """Render the names of the dictionaries with their warnings."""
    items = [
        tags.li(
            tags.code(printable(name)),
            " (default)" if name == library.default else "",
            [tags.small(each) for each in library.warnings.get(name, ())],
        )
        for name in library.names[:MAX_NAMES]
    ]
    more = len(library.names) - len(items)
    if more:
        items.append(tags.li(f"and {more} more"))
    return tags.ul(items, class_="dictionaries")
