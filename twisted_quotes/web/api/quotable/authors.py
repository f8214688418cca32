"""
The authors of the library, as Quotable has them: with slugs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from re import compile
from typing import NamedTuple

from twisted_quotes.errors import BadRequest
from twisted_quotes.query.selection import Criterion, CriterionGroup, Pattern
from twisted_quotes.search.lookups.authors import Author
from twisted_quotes.text.normalization import normalize_for_search

from .slugs import slugify

MAX_WORDS = 32
"""The maximum number of words of a search."""

# What precedes or follows a name, and stands in many names.
_TITLES = {
    *("mr", "mrs", "ms", "miss", "dr", "prof", "sir", "dame", "lord", "lady", "rev"),
    *("saint", "st", "jr", "sr", "ii", "iii", "iv", "phd", "md", "esq"),
    *("the", "of", "and", "de", "da", "di", "la", "le", "von", "van", "der", "den"),
    *("el", "al", "bin"),
}

# One regular expression has all names. The system limits an argument to 128 KiB.
_MAX_NAME_CHARACTERS = 16 * 1024
_SPECIAL_CHARACTER = compile(r"[\\.\[*^$()+?{|]")


class SluggedAuthor(NamedTuple):
    """
    An author.

    @ivar name: the spelling with the most quotes.
    @ivar spellings: all names with the slug.
    """

    slug: str
    name: str
    quote_count: int
    spellings: Sequence[str]


class AuthorIndex:
    """
    The authors by slug.

    @param authors: all authors, in the order of their names.
    """

    def __init__(self, authors: Sequence[Author]) -> None:
        groups: dict[str, list[Author]] = {}
        for author in authors:
            groups.setdefault(slugify(author.name), []).append(author)
        self.by_slug = {
            slug: SluggedAuthor(
                slug,
                max(group, key=lambda each: each.quote_count).name,
                sum(each.quote_count for each in group),
                [each.name for each in group],
            )
            for slug, group in groups.items()
        }
        self._with_comma = [each.name for each in authors if "," in each.name]

    def find(self, names: str) -> list[SluggedAuthor]:
        """Return the authors with some names or slugs, which C{|} separates."""
        slugs = dict.fromkeys(map(slugify, names.split("|")))
        return [self.by_slug[slug] for slug in slugs if slug in self.by_slug]

    def sorted_by(
        self, sort_by: str, is_descending: bool, names: str = ""
    ) -> list[SluggedAuthor]:
        """
        Return authors, sorted by C{"name"} or C{"quoteCount"}.

        @param names: see L{find}; empty for all authors.
        """
        authors = self.find(names) if names else self.by_slug.values()
        if sort_by == "name":
            return sorted(authors, key=_slug, reverse=is_descending)
        return sorted(
            sorted(authors, key=_slug),
            key=lambda author: author.quote_count,
            reverse=is_descending,
        )

    def search(
        self, query: str, autocomplete: bool, threshold: int
    ) -> list[SluggedAuthor]:
        """
        Find the authors with words in their names, the best matches first.

        Initials, titles and the like are no words, unless there are no others.

        @param autocomplete: whether a word may also be the start of one in a name.
        @param threshold: how many of the words must match, or all if there are fewer.
        @raise BadRequest: there are too many words.
        """
        words = list(filter(None, slugify(query).split("-")))
        if len(words) > MAX_WORDS:
            raise BadRequest(
                f'The parameter "query" has {len(words)} words. Send at most '
                f"{MAX_WORDS} words."
            )
        terms = [word for word in words if len(word) > 1 and word not in _TITLES]
        terms = terms or words
        required = max(1, min(threshold, len(terms)))
        found = []
        for author in self.by_slug.values():
            parts = author.slug.split("-")
            count = sum(
                any(part.startswith(term) for part in parts)
                if autocomplete
                else term in parts
                for term in terms
            )
            if count >= required:
                found.append((-count, len(parts), -author.quote_count, author))
        return [author for *_, author in sorted(found, key=lambda each: each[:3])]

    def criteria(self, authors: Sequence[SluggedAuthor]) -> tuple[CriterionGroup, ...]:
        """
        Return the criteria for the quotes of some authors.

        @raise BadRequest: the names are too long for one regular expression.
        """
        names = list(chain.from_iterable(author.spellings for author in authors))
        starts = tuple(f"{name}," for name in names)
        # Such as "Martin Luther King, Jr." if "Martin Luther King" is meant.
        others = [
            name
            for name in self._with_comma
            if name.startswith(starts) and name not in names
        ]
        groups = ((_criterion(names),), (_criterion(others, excluded=True),))
        return groups if others else groups[:1]


def _slug(author: SluggedAuthor) -> str:
    return author.slug


def _criterion(names: Sequence[str], excluded: bool = False) -> Criterion:
    """Return the criterion for attributions that start with one of some authors."""
    if sum(map(len, names)) > _MAX_NAME_CHARACTERS:
        raise BadRequest("The authors have too many names. Request fewer of them.")
    pattern = f"^({'|'.join(_escape_all(names))}) *([,\uff0c\u060c]|$)"
    return Criterion("author", Pattern(pattern, regex=True), excluded)


def _escape_all(names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield _SPECIAL_CHARACTER.sub(r"\\\g<0>", normalize_for_search(name))
