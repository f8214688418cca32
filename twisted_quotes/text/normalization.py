"""
Normalization of quotes and terms, so that different spellings match.

A run of whitespace becomes one space, text becomes NFC (Unicode Standard Annex 15),
and curly quotation marks and apostrophes become straight. Characters that are not
visible are removed. So are line breaks between letters of scripts without blanks
between words, and line breaks after hyphens in words.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice
from re import Match, Pattern, compile
from typing import TypeAlias
from unicodedata import combining, normalize

Span: TypeAlias = tuple[int, int]
"""The start and the end of a part of a text, in code points."""

_WHITESPACE, _WHITESPACE_RUN = compile(r"\s"), compile(r"\s+")
_WORD = compile(r"\S+")
_VARIANTS = (
    *((variant, "-") for variant in "\u2010\u2011"),
    *((variant, "'") for variant in "\u2018\u2019\u201a\u201b"),
    *((variant, '"') for variant in "\u201c\u201d\u201e\u201f"),
)
# Han, Kana, Bopomofo, Thai, Lao, Tibetan, Myanmar, Khmer, and fullwidth punctuation.
_LETTER_WITHOUT_BLANKS = (
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3001-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff9f\U00020000-\U0003ffff]"
)
# The default-ignorable code points (Unicode Standard, section 5.21).
_INVISIBLE = compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_BLANK_BEFORE_BREAK = compile(" (?=\n)")
# These start with a literal, which is found faster than a class of characters.
_BREAK_BETWEEN_LETTERS = compile(
    rf"\n(?<={_LETTER_WITHOUT_BLANKS}\n)\s*+(?={_LETTER_WITHOUT_BLANKS})"
)
_BREAK_AFTER_HYPHEN = compile(
    r"\n(?<=[^\s!-/:-@\[-`{-~\u2010-\u2015][-\u2010\u2011]\n)\s*+(?=\w)"
)
_REMOVED = (
    *(_INVISIBLE, _BLANK_BEFORE_BREAK),
    *(_BREAK_BETWEEN_LETTERS, _BREAK_AFTER_HYPHEN),
)
# All others are letters and punctuation of Latin and Cyrillic text, which NFC leaves
# unchanged, and for which only whitespace, variants and hyphens count.
_OTHER_CHARACTER = compile(
    "[^\x00-\xac\xae-\u02ff\u0400-\u0482\u048a-\u052f\u2010-\u2027\ufffd]"
)
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


def _is_simple(text: str) -> bool:
    return text.isascii() or not _OTHER_CHARACTER.search(text)


def _normalize_characters(text: str, is_simple: bool) -> str:
    if not is_simple:
        text = _nfc(text)
    for variant, plain in _VARIANTS:
        text = text.replace(variant, plain)
    return text


def _remove(text: str, is_simple: bool) -> str:
    """Remove what does not count in a search: all that L{_REMOVED} matches."""
    if not is_simple:
        text = _INVISIBLE.sub("", text)
    text = text.replace(" \n", "\n")
    if not is_simple:
        text = _BREAK_BETWEEN_LETTERS.sub("", text)
    return _BREAK_AFTER_HYPHEN.sub("", text)


def normalize_for_search(text: str) -> str:
    """Normalize text to one line without whitespace at its ends."""
    if not text.isascii():
        is_simple = _is_simple(text)
        text = _normalize_characters(_remove(text, is_simple), is_simple)
    elif "-\n" in text or "- \n" in text:
        text = _remove(text, is_simple=True)
    return " ".join(text.split())


def normalize_term(term: str, regex: bool) -> str:
    """
    Normalize a term like the text in which it is searched for.

    @param regex: whether the term is a regular expression. A run of whitespace in it
        is not merged, as it may be in brackets or before a quantifier.
    """
    is_simple = _is_simple(term)
    visible = _remove(term, is_simple)
    # A term without visible characters finds nothing, because texts have no others.
    term = _normalize_characters(visible if visible.strip() else term, is_simple)
    return (_WHITESPACE if regex else _WHITESPACE_RUN).sub(" ", term)


def original_spans(text: str, spans: Sequence[Span]) -> list[Span]:
    """
    Convert spans in normalized text to spans in the original text.

    A span that starts or ends inside the characters of a composed one is extended
    to all of them, and spans that then overlap are merged.

    @param spans: parts of C{normalize_for_search(text)}: in order, not empty, without
        overlaps.
    """
    removals = []
    for pattern in _REMOVED:
        removals.append(_Removals(text, pattern))
        text = pattern.sub("", text)
    spans = _original_spans(text, spans)
    for each in reversed(removals):
        spans = each.original_spans(spans)
    return spans


def _original_spans(text: str, spans: Sequence[Span]) -> list[Span]:
    """Convert spans in a text from which nothing is removed."""
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


class _Removals:
    """What is removed from a text because it matches a pattern."""

    def __init__(self, text: str, pattern: Pattern[str]) -> None:
        # Where each kept part starts in the result, and how much is removed before.
        self._starts, self._removed = [0], [0]
        for match in pattern.finditer(text):
            self._starts.append(match.start() - self._removed[-1])
            self._removed.append(self._removed[-1] + match.end() - match.start())

    def original_spans(self, spans: list[Span]) -> list[Span]:
        """Convert spans in the result to spans in the text."""
        if len(self._starts) == 1:
            return spans
        index = self._original_index
        return [(index(start), index(end - 1) + 1) for start, end in spans]

    def _original_index(self, index: int) -> int:
        return index + self._removed[bisect_right(self._starts, index) - 1]


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
