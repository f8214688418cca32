"""
The instructions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from shlex import join
from typing import Any

import msgspec
from twisted.web.iweb import IRequest
from twisted.web.template import Tag, renderer, tags

from twisted_quotes.query.queries import ACTIONS
from twisted_quotes.search.finder import Finder
from twisted_quotes.text.display import printable
from twisted_quotes.web.http.urls import base_path, base_url
from twisted_quotes.web.server.refusal import MAX_BODY_SIZE

from .reference import ERRORS, EXAMPLES, FIELDS, LINKS, PARAMETERS, URLS
from .rendering import Page, flatten_page, load_template, send_page

MAX_NAMES = 500
"""The maximum number of dictionary names on a page."""

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
class _InstructionsView(Page):
    template = load_template("instructions")

    dictionary_names: Sequence[str]
    warnings: Mapping[str, Sequence[str]]
    default_dictionary: str

    def lookupRenderMethod(self, name: str) -> Any:
        """Return the renderer of a table, or of anything else."""
        if name in _TABLES:
            return partial(_fill_rows, _TABLES[name])
        return super().lookupRenderMethod(name)

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


class InstructionsPage:
    """
    The route of the instructions.

    The page is rendered once for each state of the library and its warnings. The URL of
    the service, which depends on the request, is then put in place of L{_BASE}.
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._rendered: tuple[object, bytes] = (None, b"")

    async def instructions(self, request: IRequest) -> bytes:
        """Respond with the instructions."""
        names = await self._finder.list_dictionary_names()
        state = names, self._finder.warnings(), base_path(request)
        rendered_state, html = self._rendered
        if rendered_state != state:
            default = self._finder.library.default
            view = _InstructionsView("Instructions", *state[:2], default)
            html = await flatten_page(request, view)
            self._rendered = state, html
        base = base_url(request, "http://localhost")
        return send_page(request, html.replace(_BASE.encode(), base.encode()))
