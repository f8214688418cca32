"""
The pages for people: a start page and the instructions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib.resources import files
from shlex import quote
from typing import Any

import msgspec
from twisted.web.iweb import IRequest
from twisted.web.template import Element, Tag, XMLString, flattenString, renderer, tags

from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.search.finder import Finder
from twisted_quotes.text.display import printable
from twisted_quotes.web.http.responses import render_body
from twisted_quotes.web.http.urls import base_url
from twisted_quotes.web.server.connection import MAX_BODY_SIZE

from .reference import ERRORS, EXAMPLES, FIELDS, LINKS, PARAMETERS, URLS, Row

_PACKAGE = files("twisted_quotes.web.pages")
_PLACEHOLDER, _IPV6_PLACEHOLDER = "http://service.invalid", "http://[service.invalid]"
_STYLESHEET = (_PACKAGE / "style.css").read_bytes()


def _load_template(name: str) -> XMLString:
    return XMLString((_PACKAGE / "templates" / f"{name}.xml").read_text("utf-8"))


MAX_NAMES = 500
"""How many dictionaries a page names."""


class _Content(Element):
    """
    What the pages have in common.

    @param base: the service's URL as the caller sees it.
    @param names: the names of the dictionaries.
    @param default: the default one.
    """

    title: str

    def __init__(self, base: str, names: Sequence[str], default: str) -> None:
        super().__init__()
        self._base = base
        self._names = names
        self._default = default

    @renderer
    def dictionaries(self, request: IRequest, tag: Tag) -> Tag:
        """A list of the dictionaries' names, the default one marked."""
        names = [
            tags.li(
                tags.code(printable(name)),
                " (default)" if name == self._default else "",
            )
            for name in self._names[:MAX_NAMES]
        ]
        more = len(self._names) - len(names)
        if more:
            names.append(tags.li(f"and {more} more"))
        return tags.ul(names)

    def _example(self, query: dict[str, Any]) -> Tag:
        """A command that asks the question, as it can be typed into a shell."""
        body = quote(msgspec.json.encode(query).decode())
        return tags.pre(tags.code(f"curl -d {body} {self._base}/api/v1/json"))


class _StartPage(_Content):
    """What the service is, in one look."""

    title = "twisted_quotes"
    loader = _load_template("start")

    @renderer
    def example(self, request: IRequest, tag: Tag) -> Tag:
        """One question to begin with."""
        return self._example(EXAMPLES[0][1])


class _Instructions(_Content):
    """Every action, field, default and error, with examples."""

    title = "Instructions - twisted_quotes"
    loader = _load_template("instructions")

    @renderer
    def body_limit(self, request: IRequest, tag: Tag) -> str:
        """The most bytes a body may have."""
        return str(MAX_BODY_SIZE)

    @renderer
    def actions(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """A line for each action."""
        for name, kind in ACTIONS.items():
            yield tag.clone().fillSlots(name=name, meaning=kind.__doc__ or "")

    @renderer
    def fields(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """A row for each field."""
        return _fill_rows(FIELDS, tag)

    @renderer
    def parameters(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """A row for each parameter of API v2."""
        return _fill_rows(PARAMETERS, tag)

    @renderer
    def examples(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """A command for each example."""
        for caption, query in EXAMPLES:
            yield tags.figure(tags.figcaption(caption), self._example(query))

    @renderer
    def urls(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """A line for each URL of API v2."""
        for url, meaning in URLS:
            yield tag.clone().fillSlots(url=url, meaning=meaning)

    @renderer
    def links(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """A command for each example of API v2."""
        for caption, path, header in LINKS:
            command = ["curl", *(["-H", quote(header)] if header else [])]
            command.append(quote(f"{self._base}/api/v2/{path}"))
            yield tags.figure(
                tags.figcaption(caption), tags.pre(tags.code(" ".join(command)))
            )

    @renderer
    def errors(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """A row for each error."""
        for code, when in ERRORS:
            yield tag.clone().fillSlots(code=str(code), when=when)


def _fill_rows(rows: Iterable[Row], tag: Tag) -> Iterator[Tag]:
    """A row for each field."""
    for row in rows:
        yield tag.clone().fillSlots(**asdict(row))


class _Page(Element):
    """
    The frame around every page.

    @param content: what stands in it.
    """

    loader = _load_template("page")

    def __init__(self, content: _Content) -> None:
        super().__init__()
        self._content = content

    @renderer
    def title(self, request: IRequest, tag: Tag) -> Tag:
        """The page's title."""
        return tag(self._content.title)

    @renderer
    def content(self, request: IRequest, tag: Tag) -> Tag:
        """The page's own content."""
        return tag(self._content)


class Pages:
    """
    The routes of the pages.

    A page is rendered once for each state of the library, with a placeholder for the
    URL of the service, which differs from request to request.

    @param finder: tells the names of the dictionaries.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._rendered: dict[tuple[type[_Content], str], tuple[list[str], bytes]] = {}

    async def start_page(self, request: IRequest) -> bytes:
        """The start page."""
        return await self._render(request, _StartPage)

    async def instructions(self, request: IRequest) -> bytes:
        """How to call the service."""
        return await self._render(request, _Instructions)

    def stylesheet(self, request: IRequest) -> bytes:
        """The pages' style sheet."""
        request.setHeader(b"cache-control", b"max-age=3600")
        return render_body(request, b"text/css; charset=utf-8", _STYLESHEET)

    async def _render(self, request: IRequest, content_class: type[_Content]) -> bytes:
        base = base_url(request) or "http://localhost"
        # A shell needs quotes around an IPv6 address.
        placeholder = _IPV6_PLACEHOLDER if "[" in base else _PLACEHOLDER
        names = await self._finder.list_dictionary_names()
        rendered_names, html = self._rendered.get(
            (content_class, placeholder), (None, b"")
        )
        if rendered_names != names:
            page = _Page(
                content_class(placeholder, names, self._finder.library.default)
            )
            html = b"<!DOCTYPE html>\n" + await flattenString(request, page)
            self._rendered[content_class, placeholder] = names, html
        html = html.replace(placeholder.encode(), base.encode())
        return render_body(request, b"text/html; charset=utf-8", html)
