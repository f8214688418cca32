"""
The HTML of a quote. C{static/page.js} makes the same of a quote in JSON.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from re import compile
from urllib.parse import quote_plus

from twisted.web.iweb import IRequest
from twisted.web.template import Tag, tags

from twisted_quotes.quotes.quote import Quote
from twisted_quotes.web.http.urls import base_path

from .quote_layout import Block, Span, lay_out

# Browsers show these as nothing, or as they like.
_CONTROL_CHARACTERS = dict.fromkeys(
    [*range(9), *range(11, 32), *range(127, 160)], "\ufffd"
)
MAX_SHOWN = 128 * 1024
"""The maximum length of what is shown of a quote, in code points."""

_QUOTATION_MARK = compile(r"\s*[\"'\u2018\u201c\u201e\xab]")
_PHRASE_MARK = compile(r"[\"\u201c\u201d\u201e\u201f]")


def search_url(request: IRequest, **parameters: str) -> str:
    """Return the URL of a search."""
    query = "&".join(f"{k}={quote_plus(v, safe='')}" for k, v in parameters.items())
    return f"{base_path(request)}/?{query}"


def author_url(request: IRequest, author: str) -> str:
    """Return the URL of the quotes of an author."""
    if _PHRASE_MARK.search(author):
        return search_url(request, author=author)
    return search_url(request, q=f'author:"{author}"')


def dictionary_url(request: IRequest, name: str) -> str:
    """Return the URL of the quotes of a dictionary."""
    if _PHRASE_MARK.search(name):
        return search_url(request, dictionary=name)
    phrase = name if name.isascii() and name.isidentifier() else f'"{name}"'
    return search_url(request, q=f"in:{phrase}")


def quote_article(request: IRequest, quote: Quote, source: Tag | None = None) -> Tag:
    """
    Return the HTML of a quote, with the matches marked.

    Of a very long one only the beginning is laid out, which takes a while.

    @param source: where it is from, on the page of the quote; elsewhere there is a link
        to that page.
    """
    length, text, rest = quote.length, quote.text, Tag("")
    if length > MAX_SHOWN:
        length = text.rfind("\n", 0, MAX_SHOWN)
        length = length if length > 0 else MAX_SHOWN
        text = text[:length]
        url = f"{base_path(request)}/api/v2/quotes/{quote.id}"
        rest = tags.p("This is only the beginning. ", class_="source")
        rest(tags.a("The whole quote", href=url))
    text = text.translate(_CONTROL_CHARACTERS)
    quotation = text[:length]
    blocks = [
        _render_block(text, block, quote.match_spans) for block in lay_out(quotation)
    ]
    hanging = {"class": "hanging"} if _QUOTATION_MARK.match(quotation) else {}
    actions = tags.p(class_="actions")
    if source is None:
        url = f"{base_path(request)}/quotes/{quote.id}"
        actions(tags.a("Link", href=url, rel="bookmark"), " ")
    actions(tags.button("Copy", type="button"))
    attribution = _render_attribution(request, quote, text)
    return tags.article(
        tags.blockquote(*blocks, **hanging),
        tags.footer(rest, *attribution, source or "", actions),
    )


def _render_block(text: str, block: Block, matches: Sequence[Span]) -> Tag:
    parts = [mark_matches(text, *span, matches) for span in block.spans]
    match block.kind:
        case "prose":
            return tags.p(*parts)
        case "verse":
            lines = [tags.span(part) for part in parts]
            return tags.p(*lines, class_="verse")
        case "table":
            # It can be scrolled, also with the keyboard.
            return tags.pre(*parts, tabindex="0")


def mark_matches(
    text: str, start: int, end: int, matches: Sequence[Span]
) -> Generator[str | Tag, None, None]:
    """Yield a part of a text, with the matches in it marked."""
    for match_start, match_end in matches:
        match_start, match_end = max(match_start, start), min(match_end, end)
        if match_start < match_end:
            yield text[start:match_start]
            yield tags.mark(text[match_start:match_end])
            start = match_end
    yield text[start:end]


def _render_attribution(request: IRequest, quote: Quote, text: str) -> Iterator[Tag]:
    """Yield the author with a link to all quotes, and the work."""
    if quote.author is None:
        return
    position = quote.length

    def render_part(name: str) -> tuple[str | Tag, ...]:
        nonlocal position
        # An attribution of several lines is not in the text as it is shown.
        name = name.translate(_CONTROL_CHARACTERS)
        start = text.find(name, position)
        if start < 0:
            return (name,)
        position = start + len(name)
        return (*mark_matches(text, start, position, quote.match_spans),)

    author = tags.a(render_part(quote.author), href=author_url(request, quote.author))
    attribution = tags.p(author, class_="attribution")
    if quote.work is not None:
        attribution(", ", tags.cite(render_part(quote.work)))
    yield attribution
