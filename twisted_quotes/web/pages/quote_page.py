"""
The page of a quote, to which links lead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from re import compile

from twisted.web.iweb import IRequest
from twisted.web.template import Tag, renderer, tags

from twisted_quotes.errors import QuoteNotFound
from twisted_quotes.quotes.quote import ID_LENGTH
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.lookups.quotes import QuoteInDictionary
from twisted_quotes.text.display import printable
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.urls import base_path, base_url

from .quote_markup import dictionary_url, quote_article
from .rendering import SITE_NAME, Page, load_template, render_page

_QUOTE_ID = compile(rf"[0-9a-f]{{{ID_LENGTH}}}")

_TITLE_LENGTH, _DESCRIPTION_LENGTH = 60, 200

_LONG = 400
"""The length from which on a quote is shown in smaller letters, in code points."""


@dataclass(eq=False)
class _QuoteView(Page):
    template = load_template("quote")

    found: QuoteInDictionary

    @renderer
    def metadata(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render what other sites show of a shared link (https://ogp.me/)."""
        quote = self.found.quote
        url = f"{base_url(request)}/quotes/{quote.id}"
        description = _shorten(quote.quotation, _DESCRIPTION_LENGTH)
        if quote.attribution:
            description += f" \u2014 {_shorten(quote.attribution, _TITLE_LENGTH)}"
        yield tags.link(rel="canonical", href=url)
        yield tags.meta(name="description", content=description)
        for name, content in (
            ("og:type", "article"),
            ("og:site_name", SITE_NAME),
            ("og:title", self.page_title),
            ("og:description", description),
            ("og:url", url),
        ):
            yield tags.meta(property=name, content=content)

    @renderer
    def heading(self, request: IRequest, tag: Tag) -> Tag:
        """Render the title of the quote, for those who cannot see it."""
        return tag(self.page_title)

    @renderer
    def quote(self, request: IRequest, tag: Tag) -> Tag:
        """Render the quote."""
        quote = self.found.quote
        lines = f"line {quote.line}"
        if quote.last_line > quote.line:
            lines = f"lines {quote.line}\u2013{quote.last_line}"
        name = quote.dictionary_name
        link = tags.a(printable(name), href=dictionary_url(request, name))
        source = tags.p("From ", link, f", {lines}", class_="source")
        if quote.length > _LONG:
            tag(class_="featured long")
        return tag(quote_article(request, quote, source))

    @renderer
    def neighbors(self, request: IRequest, tag: Tag) -> Tag:
        """Render links to the quotes before and after it in its dictionary."""
        for quote_id, rel, text in (
            (self.found.previous_id, "prev", "Previous"),
            (self.found.next_id, "next", "Next"),
        ):
            if quote_id is not None:
                url = f"{base_path(request)}/quotes/{quote_id}"
                tag(tags.a(text, rel=rel, href=url))
        return tag


async def quote_page(finder: Finder, request: IRequest, identity: str) -> bytes:
    """
    Respond with the page of a quote.

    @raise QuoteNotFound: no quote has that id.
    """
    if not _QUOTE_ID.fullmatch(identity):
        raise QuoteNotFound()
    found = await finder.find_quote(identity, client_key_for_request(request))
    title = f"\u201c{_shorten(found.quote.quotation, _TITLE_LENGTH)}\u201d"
    if found.quote.author:
        title += f" \u2014 {_shorten(found.quote.author, _TITLE_LENGTH)}"
    return await render_page(request, _QuoteView(title, found))


def _shorten(text: str, length: int) -> str:
    """Return the first words of a text in one line, without control characters."""
    words = printable(" ".join(text[: 4 * length].split()))
    if len(words) <= length:
        return words
    start = words[:length]
    return f"{start.rpartition(' ')[0] or start}\u2026"
