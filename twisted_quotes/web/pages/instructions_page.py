"""
The start page, the instructions and their style sheet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from shlex import join
from typing import Any

import msgspec
from twisted.web.iweb import IRequest
from twisted.web.template import Element, Tag, XMLString, flattenString, renderer, tags

from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.search.finder import Finder
from twisted_quotes.text.display import printable
from twisted_quotes.web.http.caching import set_cache_headers
from twisted_quotes.web.http.responses import render_body
from twisted_quotes.web.http.urls import base_path, base_url
from twisted_quotes.web.server.refusal import MAX_BODY_SIZE

from .reference import ERRORS, EXAMPLES, FIELDS, LINKS, PARAMETERS, URLS

MAX_NAMES = 500
"""The maximum number of dictionary names on a page."""

_PACKAGE = files(__package__)
_STYLESHEET = (_PACKAGE / "style.css").read_bytes()
_TEMPLATES = {
    name: XMLString((_PACKAGE / "templates" / f"{name}.xml").read_text("utf-8"))
    for name in ("page", "start", "instructions")
}
_TITLES = {"start": "twisted_quotes", "instructions": "Instructions - twisted_quotes"}

# A placeholder for the URL of the service. Its brackets cause URLs in commands to be
# quoted, which the URL of an IPv6 address needs.
_BASE = "http://[service.invalid]"

# The tables of the instructions: the values of the slots, row by row.
_TABLES: dict[str, list[dict[str, str]]] = {
    "actions": [
        {"name": name, "meaning": kind.__doc__ or ""} for name, kind in ACTIONS.items()
    ],
    "fields": FIELDS,
    "parameters": PARAMETERS,
    "urls": [{"url": url, "meaning": meaning} for url, meaning in URLS],
    "errors": [{"code": str(code), "when": when} for code, when in ERRORS],
}


@dataclass(eq=False)
class _Page(Element):
    """
    A page: C{page.xml} around the template with the content.

    @ivar name: the name of that template.
    """

    loader = _TEMPLATES["page"]

    name: str
    dictionary_names: Sequence[str]
    warnings: Mapping[str, Sequence[str]]
    default_dictionary: str

    def lookupRenderMethod(self, name: str) -> Any:
        """Return the renderer of a table, or of anything else."""
        if name in _TABLES:
            return partial(_fill_rows, _TABLES[name])
        return super().lookupRenderMethod(name)

    @renderer
    def title(self, request: IRequest, tag: Tag) -> Tag:
        """Render the title of the page."""
        return tag(_TITLES[self.name])

    @renderer
    def content(self, request: IRequest, tag: Tag) -> Tag:
        """Render the template with the content."""
        return tag(_TEMPLATES[self.name].load())

    @renderer
    def dictionaries(self, request: IRequest, tag: Tag) -> Tag:
        """Render the names of the dictionaries with their warnings."""
        items = [
            tags.li(
                tags.code(printable(name)),
                " (default)" if name == self.default_dictionary else "",
                [tags.small(each) for each in self.warnings.get(name, ())],
            )
            for name in self.dictionary_names[:MAX_NAMES]
        ]
        more = len(self.dictionary_names) - len(items)
        if more:
            items.append(tags.li(f"and {more} more"))
        return tags.ul(items)

    @renderer
    def body_limit(self, request: IRequest, tag: Tag) -> str:
        """Render the maximum size of a request body, in bytes."""
        return str(MAX_BODY_SIZE)

    @renderer
    def first_example(self, request: IRequest, tag: Tag) -> Tag:
        """Render the first example of API v1, without a caption."""
        return self._render_query(EXAMPLES[0][1])

    @renderer
    def examples(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the examples of API v1."""
        for caption, query in EXAMPLES:
            yield tags.figure(tags.figcaption(caption), self._render_query(query))

    @renderer
    def links(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the examples of API v2."""
        for caption, path, header in LINKS:
            options = ["-H", header] if header else []
            command = _render_command("curl", *options, f"{_BASE}/api/v2/{path}")
            yield tags.figure(tags.figcaption(caption), command)

    def _render_query(self, query: dict[str, Any]) -> Tag:
        """Render a shell command that sends a query to API v1."""
        body = msgspec.json.encode(query).decode()
        return _render_command("curl", "-d", body, f"{_BASE}/api/v1/json")


def _render_command(*arguments: str) -> Tag:
    return tags.pre(tags.code(join(arguments)))


def _fill_rows(
    rows: Sequence[dict[str, str]], request: IRequest, tag: Tag
) -> Iterator[Tag]:
    for row in rows:
        yield tag.clone().fillSlots(**row)


class Pages:
    """
    The routes of the pages.

    A page is rendered once for each state of the library and its warnings. The URL of
    the service, which depends on the request, is then put in place of L{_BASE}.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._rendered: dict[str, tuple[object, bytes]] = {}

    async def page(self, name: str, request: IRequest) -> bytes:
        """Respond with a page: C{"start"} or C{"instructions"}."""
        names = await self._finder.list_dictionary_names()
        state = names, self._finder.warnings()
        rendered_state, html = self._rendered.get(name, (None, b""))
        if rendered_state != state:
            page = _Page(name, *state, self._finder.library.default)
            html = b"<!DOCTYPE html>\n" + await flattenString(request, page)
            self._rendered[name] = state, html
        base = base_url(request, "http://localhost")
        html = html.replace(_BASE.encode(), base.encode())
        html = html.replace(b'href="/', f'href="{base_path(request)}/'.encode())
        return render_body(request, b"text/html; charset=utf-8", html)

    def stylesheet(self, request: IRequest) -> bytes:
        """Respond with the style sheet."""
        set_cache_headers(request, "max-age=3600")
        return render_body(request, b"text/css; charset=utf-8", _STYLESHEET)
