"""
Normalization of quotes and terms, so that different spellings match.

A run of whitespace becomes one space, text becomes NFC (Unicode Standard Annex 15),
and curly quotation marks and apostrophes become straight.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from re import Match, compile
from typing import TypeAlias
from unicodedata import combining, normalize

Span: TypeAlias = tuple[int, int]
"""The start and the end of a part of a text, in code points."""

_WHITESPACE, _WHITESPACE_RUN = compile(r"\s"), compile(r"\s+")
_WORD = compile(r"\S+")
_CURLY_QUOTE = compile("[\u2018-\u201f]")
_STRAIGHT_QUOTES = {
    **dict.fromkeys(range(0x2018, 0x201C), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
}
# These characters include all combining marks, and no letters.
_LONG_MARK_RUN = compile(r"[^\w\s\x00-\u02ff]{31,}+")


def _nfc(text: str) -> str:
    """
    Normalize text to NFC, in a time that is not quadratic.

    C{normalize} sorts combining marks by insertion, so long runs are sorted before.
    """
    return normalize("NFC", _LONG_MARK_RUN.sub(_sort_combining_marks, text))


def _sort_combining_marks(run: Match[str]) -> str:
    """Decompose characters and sort the marks (Unicode Standard, D109)."""
    parts = chain.from_iterable(normalize("NFD", character) for character in run[0])
    groups = groupby(parts, key=lambda part: combining(part) > 0)
    # A stable sort, which leaves groups of starters unchanged.
    return "".join(chain.from_iterable(sorted(g, key=combining) for _, g in groups))


def _normalize_characters(text: str) -> str:
    if text.isascii():
        return text
    text = _nfc(text)
    return text.translate(_STRAIGHT_QUOTES) if _CURLY_QUOTE.search(text) else text


def normalize_for_search(text: str) -> str:
    """Normalize text to one line without whitespace at its ends."""
    return " ".join(_normalize_characters(text).split())


def normalize_term(term: str, regex: bool) -> str:
    """
    Normalize a term like the text in which it is searched for.

    @param regex: whether the term is a regular expression. A run of whitespace in it
        is not merged, as it may be in brackets or before a quantifier.
    """
    term = _normalize_characters(term)
    return (_WHITESPACE if regex else _WHITESPACE_RUN).sub(" ", term)


def original_spans(text: str, spans: Sequence[Span]) -> list[Span]:
    """
    Convert spans in normalized text to spans in the original text.

    A span that starts or ends inside the characters of a composed one is extended
    to all of them, and spans that then overlap are merged.

    @param spans: parts of C{normalize_for_search(text)}: in order, not empty, without
        overlaps.
    """
    if _nfc(text) == text and len(normalize_for_search(text)) == len(text):
        return list(spans)
    origins, position = _iterate_origins(text), 0
    originals = []
    for start, end in spans:
        first, last = len(text), 0
        for origin in islice(origins, start - position, end - position):
            if origin[0] < first:
                first = origin[0]
            if origin[1] > last:
                last = origin[1]
        originals.append((first, last))
        position = end
    merged: list[Span] = []
    for start, end in sorted(originals):
        if merged and start < merged[-1][1]:
            start, last = merged.pop()
            end = max(last, end)
        merged.append((start, end))
    return merged


def _iterate_origins(text: str) -> Iterator[Span]:
    """Yield the original span of each character of the normalized text."""
    end = 0
    for word in _WORD.finditer(text):
        if end:
            yield end, word.start()
        start, end = word.span()
        composed = _nfc(word[0])
        if composed == word[0]:
            yield from zip(range(start, end), range(start + 1, end + 1), strict=True)
        else:
            yield from _iterate_composed(word[0], composed, start)


def _iterate_composed(word: str, composed: str, offset: int) -> Iterator[Span]:
    """Yield the original span of each character of a composed word."""
    # Canonical order is stable, and NFC composes the first of several equal marks, so
    # equal parts have the same order in both.
    origins: defaultdict[str, deque[int]] = defaultdict(deque)
    for index, character in enumerate(word, offset):
        for part in normalize("NFD", character):
            origins[part].append(index)
    for character in composed:
        indexes = [origins[part].popleft() for part in normalize("NFD", character)]
        yield min(indexes), max(indexes) + 1
