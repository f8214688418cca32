"""
Texts of the documentation as HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from re import split
from typing import Any

from twisted.web.template import Tag, tags


def paragraphs(text: str) -> Iterator[Tag]:
    """Return a text with blank lines between its paragraphs."""
    for each in split(r"\n\s*\n", text.strip()):
        if each:
            yield tags.p(*inline(each))


def inline(text: str) -> Iterator[str | Tag]:
    """Return a text with code in backquotes."""
    for position, part in enumerate(" ".join(text.split()).split("`")):
        yield tags.code(part) if position % 2 else part


def join_with(separator: str, items: Iterable[Any]) -> list[Any]:
    """Return the items with a separator between them."""
    joined: list[Any] = []
    for each in items:
        joined += [separator, each] if joined else [each]
    return joined
