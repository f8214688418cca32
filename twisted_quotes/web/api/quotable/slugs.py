"""
Slugs: names as they stand in URLs, such as C{albert-einstein}.
"""

from __future__ import annotations

from re import compile
from unicodedata import normalize

_REMOVED = compile("[\u0300-\u036f'\u2019]+")
_WORD = compile(r"[^\W_]+")


def slugify(name: str) -> str:
    """
    Return the slug of a name: its words in lower case, without accents.

    Names that differ in case, punctuation, apostrophes or accents have the same slug.
    """
    letters = _REMOVED.sub("", normalize("NFKD", name)).casefold()
    return "-".join(_WORD.findall(letters))
