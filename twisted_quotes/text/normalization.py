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

_BLANK, _BLANKS = compile(r"\s"), compile(r"\s+")
_WORD = compile(r"\S+")
_CURLY = compile("[\u2018-\u201f]")
_STRAIGHT = {
    **dict.fromkeys(range(0x2018, 0x201C), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
}
# All combining marks are among these characters, and no letters.
_MANY_MARKS = compile(r"[^\w\s\x00-\u02ff]{31,}+")


def _nfc(text: str) -> str:
    """
    Normalize a text to NFC, in a time that grows with its length alone.

    C{normalize} sorts combining marks by insertion, which is quadratic. Long runs
    of them are put in canonical order first.
    """
    return normalize("NFC", _MANY_MARKS.sub(_in_canonical_order, text))


def _in_canonical_order(run: Match[str]) -> str:
    """Decompose a run of marks and sort them (Unicode Standard, D109)."""
    ordered: list[str] = []
    marks: defaultdict[int, list[str]] = defaultdict(list)

    def end_of_marks() -> None:
        for each in sorted(marks):
            ordered.extend(marks[each])
        marks.clear()

    for character in run[0]:
        for part in normalize("NFD", character):
            if order := combining(part):
                marks[order].append(part)
            else:
                end_of_marks()
                ordered.append(part)
    end_of_marks()
    return "".join(ordered)


def _fold_marks(text: str) -> str:
    if text.isascii():
        return text
    text = _nfc(text)
    return text.translate(_STRAIGHT) if _CURLY.search(text) else text


def fold(text: str) -> str:
    """Fold a text to one line, with no blanks around it."""
    return " ".join(_fold_marks(text).split())


def fold_term(term: str, regex: bool) -> str:
    """
    Fold a term as the texts are folded that it is looked for in.

    @param regex: whether it is a regular expression. Its blanks may be repeated or
        in brackets, so that each is replaced by itself.
    """
    term = _fold_marks(term)
    return (_BLANK if regex else _BLANKS).sub(" ", term)


def unfold(text: str, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """
    Find in a text what was found in its folded form.

    @param places: where something starts and ends in C{fold(text)}, in code
        points: in order, none empty, none within another.
    @return: where it starts and ends in the text. What was folded into one
        code point is returned whole, and what then overlaps is one.
    """
    if _nfc(text) == text and len(fold(text)) == len(text):
        return list(places)
    runs = _runs(text)
    run = next(runs)
    found = []
    for start, end in places:
        while run.stop <= start:
            run = next(runs)
        first, last = run.origin(start, end)
        while run.stop < end:
            run = next(runs)
            more = run.origin(start, end)
            first, last = min(first, more[0]), max(last, more[1])
        found.append((first, last))
    return _joined(found)


def _joined(places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sort places, and join those that overlap."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if joined and start < joined[-1][1]:
            start, last = joined.pop()
            end = max(last, end)
        joined.append((start, end))
    return joined


class _Run(NamedTuple):
    """
    Folded code points, and where they come from.

    @ivar at: where they start in the folded text.
    @ivar stop: where they end there.
    @ivar start: where what they come from starts in the text.
    @ivar end: where it ends.
    @ivar apart: whether each comes from one of its own; else all come from all.
    """

    at: int
    stop: int
    start: int
    end: int
    apart: bool

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """What those of them between two places in the folded text come from."""
        if not self.apart:
            return self.start, self.end
        shift = self.start - self.at
        return max(start, self.at) + shift, min(end, self.stop) + shift


def _runs(text: str) -> Iterator[_Run]:
    """All of a folded text, in order."""
    at = end = 0
    for word in _WORD.finditer(text):
        if end:
            yield _Run(at, at + 1, end, word.start(), False)
            at += 1
        start, end = word.span()
        composed = _nfc(word[0])
        if composed == word[0]:
            yield _Run(at, at + end - start, start, end, True)
        else:
            for place, (first, last) in enumerate(_origins(word[0], composed), at):
                yield _Run(place, place + 1, start + first, start + last, False)
        at += len(composed)


def _origins(word: str, composed: str) -> Iterator[tuple[int, int]]:
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
        each = [origins[part].popleft() for part in normalize("NFD", character)]
        yield min(each), max(each) + 1
