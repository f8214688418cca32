"""
The HTML of the search page. C{static/page.js} makes the same of results in JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twisted.web.iweb import IRequest
from twisted.web.template import Tag, renderer, tags

from twisted_quotes.quotes.quote import Quote
from twisted_quotes.search.lookups.words import Suggestion
from twisted_quotes.search.results import QuotePage
from twisted_quotes.text.display import printable

from .quote_markup import quote_article, search_url
from .rendering import Page, load_template, page_links

MAX_NAMES = 60
"""The maximum number of dictionaries to choose from."""


@dataclass(frozen=True)
class Found:
    """
    What the page shows.

    @ivar page: the quotes that were searched for.
    @ivar suggestions: words for those of the search that do not occur.
    @ivar daily: the quote of the day.
    @ivar error: what went wrong. With a page, it is not complete.
    """

    page: QuotePage | None = None
    offset: int = 0
    limit: int = 0
    suggestions: Sequence[Suggestion] = ()
    daily: Quote | None = None
    error: str = ""


@dataclass(eq=False)
class SearchView(Page):
    """
    The search page.

    @ivar parameters: those of its URL.
    @ivar dictionary_names: the names of all dictionaries.
    """

    template = load_template("search")

    parameters: Sequence[tuple[str, str]]
    dictionary_names: Sequence[str]
    found: Found

    def _values(self, name: str) -> list[str]:
        return [value for each, value in self.parameters if each == name]

    @renderer
    def search_field(self, request: IRequest, tag: Tag) -> Tag:
        """Render the search. The field has the focus where there is none yet."""
        if not self.parameters:
            tag(autofocus="")
        return tag(value=" ".join(self._values("q")))

    @renderer
    def filters(self, request: IRequest, tag: Tag) -> Tag:
        """Render the filters. They are open if any is set."""
        if self._values("author") or self._values("dictionary"):
            tag(open="")
        return tag

    @renderer
    def author_field(self, request: IRequest, tag: Tag) -> Tag:
        """Render the author."""
        return tag(value=" ".join(self._values("author")))

    @renderer
    def dictionary_fields(self, request: IRequest, tag: Tag) -> Iterator[Tag]:
        """Render the dictionaries to choose from, and those that are chosen."""
        chosen = {*self._values("dictionary")}
        for number, name in enumerate(self.dictionary_names):
            if number < MAX_NAMES or name in chosen:
                checked = {"checked": ""} if name in chosen else {}
                box = tags.input(
                    type="checkbox", name="dictionary", value=name, **checked
                )
                yield tags.label(box, " ", printable(name))

    @renderer
    def more_dictionaries(self, request: IRequest, tag: Tag) -> Tag | str:
        """Render a link to those that are not shown."""
        count = len(self.dictionary_names) - MAX_NAMES
        return tag(f" {count:,} more") if count > 0 else ""

    @renderer
    def status(self, request: IRequest, tag: Tag) -> Tag:
        """Render how many quotes there are, or what is wrong."""
        found = self.found
        if found.page is not None:
            total = found.page.total
            tag(_describe_page(found.offset, found.page.returned, total))
            links = [
                tags.a(word, href=search_url(request, q=self._replace(each.word, word)))
                for each in found.suggestions
                for word in each.similar
            ]
            for number, link in enumerate(links):
                tag(", " if number else " Did you mean ", link)
            tag("?" if links else "")
        return tag(" " if found.page and found.error else "", found.error)

    def _replace(self, word: str, other: str) -> str:
        """Return the search with another word."""
        return " ".join(self._values("q")).replace(word, other)

    @renderer
    def results(self, request: IRequest, tag: Tag) -> Tag:
        """Render the quotes."""
        if self.found.daily is not None:
            tag(tags.h2("Quote of the day"), quote_article(request, self.found.daily))
            tag(class_="featured")
        elif self.found.page is not None:
            tag(quote_article(request, each) for each in self.found.page.quotes)
        return tag

    @renderer
    def pages(self, request: IRequest, tag: Tag) -> Tag:
        """Render links to the quotes before and after these."""
        page = self.found.page
        if page is None:
            return tag
        parameters = [each for each in self.parameters if each[0] != "offset"]
        end = self.found.offset + page.returned if page.returned else page.total
        return tag(
            page_links(
                *(request, "/", parameters, self.found.offset, self.found.limit),
                *(end, page.total, "quotes"),
            )
        )


def _describe_page(offset: int, count: int, total: int) -> str:
    if not total:
        return "Nothing found."
    if not count:
        return f"There are only {total:,} quotes."
    if count == total:
        return f"{total:,} quote{'s' * (total > 1)}"
    return f"{offset + 1:,}\u2013{offset + count:,} of {total:,} quotes"
