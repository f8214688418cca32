"""
Quotes: their texts, attributions and ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

from .attribution import find_attribution
from .author import split_attribution
from .inline_attribution import NO_ATTRIBUTION, Attribution

ID_LENGTH = 24
"""The length of the id of a quote, in hexadecimal digits."""


@dataclass(frozen=True)
class Quote:
    """
    A quote from a dictionary.

    @ivar line: the number of its first line in the dictionary, counted from 1.
    @ivar last_line: the number of its last line.
    @ivar match_spans: starts and ends of the matches in the text, in code points.
    @ivar match_spans_truncated: whether there are more matches than these.
    """

    dictionary_name: str
    line: int
    last_line: int
    text: str
    match_spans: Sequence[tuple[int, int]] = ()
    match_spans_truncated: bool = False

    @cached_property
    def id(self) -> str:
        return quote_id(self.text)

    @cached_property
    def _attribution(self) -> Attribution:
        return find_attribution(self.text) or NO_ATTRIBUTION

    @cached_property
    def _author_and_work(self) -> tuple[str, str | None]:
        return split_attribution(self._attribution.name)

    @property
    def length(self) -> int:
        """The number of code points of the text without its attribution."""
        return len(self.text) - self._attribution.length

    @property
    def quotation(self) -> str:
        """The text without its attribution."""
        return self.text[: self.length]

    @property
    def attribution(self) -> str | None:
        """The attribution, without its mark, in one line."""
        return self._attribution.name or None

    @property
    def author(self) -> str | None:
        """The author in the attribution; see L{split_attribution}."""
        return self._author_and_work[0] or None

    @property
    def work(self) -> str | None:
        """What follows the author in the attribution."""
        return self._author_and_work[1]


def quote_id(text: str) -> str:
    """
    Return the id of a quote, which depends only on its text.

    It is a hash of 96 bits: the probability of two equal ids among ten million texts
    is less than 10**-15.
    """
    return blake2b(text.encode(), digest_size=ID_LENGTH // 2).hexdigest()
