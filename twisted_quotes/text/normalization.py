"""
Folding: text as it is matched, whichever way it was spelt.

Quotes and terms are folded alike. A run of blanks or line breaks is one space,
canonically equivalent spellings are one (NFC, Unicode Standard Annex 15), and
curly quotation marks and apostrophes are straight.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from re import Match, compile
from typing import NamedTuple
from unicodedata import combining, normalize

_WHITESPACE, _WHITESPACE_RUN = compile(r"\s"), compile(r"\s+")
_WORD = compile(r"\S+")
_CURLY_QUOTE = compile("[\u2018-\u201f]")
_STRAIGHT_QUOTES = {
    **dict.fromkeys(range(0x2018, 0x201C), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
}
# All combining marks are among these characters, and no letters.
_LONG_MARK_RUN = compile(r"[^\w\s\x00-\u02ff]{31,}+")


def _nfc(text: str) -> str:
    """
    Normalize a text to NFC, in a time that grows with its length alone.

    C{normalize} sorts combining marks by insertion, which is quadratic. Long runs
    of them are put in canonical order first.
    """
    return normalize("NFC", _LONG_MARK_RUN.sub(_sort_combining_marks, text))


def _sort_combining_marks(run: Match[str]) -> str:
    """Decompose a run of marks and sort them (Unicode Standard, D109)."""
    ordered: list[str] = []
    marks: defaultdict[int, list[str]] = defaultdict(list)

    def flush_marks() -> None:
        for each in sorted(marks):
            ordered.extend(marks[each])
        marks.clear()

    for character in run[0]:
        for part in normalize("NFD", character):
            if order := combining(part):
                marks[order].append(part)
            else:
                flush_marks()
                ordered.append(part)
    flush_marks()
    return "".join(ordered)


def _normalize_characters(text: str) -> str:
    if text.isascii():
        return text
    text = _nfc(text)
    return text.translate(_STRAIGHT_QUOTES) if _CURLY_QUOTE.search(text) else text


def normalize_for_search(text: str) -> str:
    """Fold a text to one line, with no blanks around it."""
    return " ".join(_normalize_characters(text).split())


def normalize_term(term: str, regex: bool) -> str:
    """
    Fold a term as the texts are folded that it is looked for in.

    @param regex: whether it is a regular expression. Its blanks may be repeated or
        in brackets, so that each is replaced by itself.
    """
    term = _normalize_characters(term)
    return (_WHITESPACE if regex else _WHITESPACE_RUN).sub(" ", term)


def original_spans(
    text: str, spans: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """
    Find in a text what was found in its folded form.

    @param spans: where something starts and ends in C{fold(text)}, in code
        points: in order, none empty, none within another.
    @return: where it starts and ends in the text. What was folded into one
        code point is returned whole, and what then overlaps is one.
    """
    if _nfc(text) == text and len(normalize_for_search(text)) == len(text):
        return list(spans)
    runs = _iterate_runs(text)
    run = next(runs)
    originals = []
    for start, end in spans:
        while run.normalized_end <= start:
            run = next(runs)
        first, last = run.original_span(start, end)
        while run.normalized_end < end:
            run = next(runs)
            more = run.original_span(start, end)
            first, last = min(first, more[0]), max(last, more[1])
        originals.append((first, last))
    return _merge_overlapping(originals)


def _merge_overlapping(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sort places, and join those that overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            start, last = merged.pop()
            end = max(last, end)
        merged.append((start, end))
    return merged


class _Run(NamedTuple):
    """
    Folded code points, and where they come from.

    @ivar normalized_start: where they start in the folded text.
    @ivar normalized_end: where they end there.
    @ivar original_start: where what they come from starts in the text.
    @ivar original_end: where it ends.
    @ivar is_one_to_one: whether each comes from one of its own; else all come from all.
    """

    normalized_start: int
    normalized_end: int
    original_start: int
    original_end: int
    is_one_to_one: bool

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """What those of them between two places in the folded text come from."""
        if not self.is_one_to_one:
            return self.original_start, self.original_end
        shift = self.original_start - self.normalized_start
        return max(start, self.normalized_start) + shift, min(
            end, self.normalized_end
        ) + shift


def _iterate_runs(text: str) -> Iterator[_Run]:
    """All of a folded text, in order."""
    position = end = 0
    for word in _WORD.finditer(text):
        if end:
            yield _Run(position, position + 1, end, word.start(), False)
            position += 1
        start, end = word.span()
        composed = _nfc(word[0])
        if composed == word[0]:
            yield _Run(position, position + end - start, start, end, True)
        else:
            for normalized_position, (first, last) in enumerate(
                _iterate_origins(word[0], composed), position
            ):
                yield _Run(
                    normalized_position,
                    normalized_position + 1,
                    start + first,
                    start + last,
                    False,
                )
        position += len(composed)


def _iterate_origins(word: str, composed: str) -> Iterator[tuple[int, int]]:
    """
    Where each character of a composed word comes from.

    Canonical order is stable, and the first of several equal marks is the one that
    is composed: so equal parts come in the order in which they stand in the word.
    """
    origins: defaultdict[str, deque[int]] = defaultdict(deque)
    for index, character in enumerate(word):
        for part in normalize("NFD", character):
            origins[part].append(index)
    for character in composed:
        indexes = [origins[part].popleft() for part in normalize("NFD", character)]
        yield min(indexes), max(indexes) + 1
