"""
The pages with all authors, and with all dictionaries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import urlencode

from msgspec import Struct
from twisted.web.iweb import IRequest
from twisted.web.template import Tag, renderer, tags

from twisted_quotes.query.field_types import Offset
from twisted_quotes.query.parsing import parse_parameters
from twisted_quotes.query.queries import EVERY_DICTIONARY
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.lookups.authors import Author
from twisted_quotes.search.lookups.quotes import DictionaryInfo
from twisted_quotes.text.display import printable
from twisted_quotes.web.http.clients import client_key_for_request
from twisted_quotes.web.http.urls import base_path

from .quote_markup import author_url, dictionary_url
from .rendering import Page, load_template, page_links, render_page
from .search_page import read_parameters

PAGE_SIZE = 120
"""The maximum number of names on a page."""


class PageQuery(Struct, frozen=True):
    """The parameter of these pages."""

    offset: Offset = 0


@dataclass(eq=False)
class _NamesView(Page):
    """
    A page of names.

    @ivar path: its URL.
    @ivar total: the number of all names.
    @ivar offset: the number of names before those on the page.
    @ivar names: those on the page: each with its URL, the number of its quotes, and
        warnings.
    @ivar is_complete: whether all dictionaries have an index.
    """

    path: str
    total: int
    offset: int
    names: Sequence[tuple[str, str, int, Sequence[str]]]
    is_complete: bool

    @renderer
    def summary(self, request: IRequest, tag: Tag) -> Tag:
        """Render how many names there are."""
        tag(f"{self.total:,} in alphabetical order.")
        return tag("" if self.is_complete else " More are being indexed.")

    @renderer
    def entries(self, request: IRequest, tag: Tag) -> Tag:
        """Render the names, with links to their quotes."""
        for name, url, count, warnings in self.names:
            link = tags.a(printable(name), href=url)
            small = [tags.small(each) for each in warnings]
            tag(tags.li(link, " ", tags.span(f"{count:,}"), small))
        return tag

    @renderer
    def pages(self, request: IRequest, tag: Tag) -> Tag:
        """Render links to the names before and after these."""
        end = self.offset + len(self.names) if self.names else self.total
        return tag(
            page_links(
                *(request, self.path, [], self.offset, PAGE_SIZE, end, self.total),
                "names",
            )
        )


@dataclass(eq=False)
class _AuthorsView(_NamesView):
    """
    A page of authors.

    @ivar initials: the offset of the first author with each letter.
    """

    template = load_template("authors")

    initials: dict[str, int]

    @renderer
    def letters(self, request: IRequest, tag: Tag) -> Tag:
        """Render links to the first author with each letter."""
        for letter, offset in self.initials.items():
            url = f"{base_path(request)}{self.path}?offset={offset}"
            tag(tags.a(letter, href=url), " ")
        return tag


class _DictionariesView(_NamesView):
    template = load_template("dictionaries")


class BrowsePages:
    """The routes of these pages."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._authors: Sequence[Author] = ()
        self._initials: dict[str, int] = {}

    async def authors(self, request: IRequest) -> bytes:
        """Respond with a page of authors."""
        offset = _read_offset(request)
        authors, is_complete = await self._finder.find_authors(
            EVERY_DICTIONARY, client_key_for_request(request)
        )
        if authors is not self._authors:
            in_thread = self._finder.searchable_library.in_thread
            initials = await in_thread(find_initials, authors)
            self._authors, self._initials = authors, initials
        names = [
            (author.name, author_url(request, author.name), author.quote_count, ())
            for author in authors[offset : offset + PAGE_SIZE]
        ]
        view = _AuthorsView(
            *("Authors", "/authors", len(authors), offset, names, is_complete),
            self._initials,
        )
        return await render_page(request, view)

    async def dictionaries(self, request: IRequest) -> bytes:
        """Respond with a page of dictionaries."""
        offset = _read_offset(request)
        infos, is_complete = await self._finder.list_dictionaries()
        shown: list[DictionaryInfo] = []
        total = 0
        async for info in infos:
            if offset <= total < offset + PAGE_SIZE:
                shown.append(info)
            total += 1
        names = [
            (
                *(packed.name, dictionary_url(request, packed.name)),
                *(packed.quote_count, packed.warnings),
            )
            for packed, _ in shown
        ]
        view = _DictionariesView(
            "Dictionaries", "/dictionaries", total, offset, names, is_complete
        )
        return await render_page(request, view)


def _read_offset(request: IRequest) -> int:
    parameters = urlencode(read_parameters(request, PageQuery))
    return parse_parameters(parameters.encode(), PageQuery).offset


def find_initials(authors: Sequence[Author]) -> dict[str, int]:
    """
    Return the offset of the first author with each letter.

    @param authors: in the order of their names, without regard to accents and
        punctuation. Digits are before the letters, other scripts after them.
    """
    initials: dict[str, int] = {}
    for offset, author in enumerate(authors):
        initials.setdefault(_initial(author.name), offset)
    return initials


def _initial(name: str) -> str:
    letters = filter(str.isalnum, normalize("NFKD", name).upper())
    letter = next(letters, "")
    if "A" <= letter <= "Z":
        return letter
    return "#" if letter < "A" else "\u2026"
