"""
Folding: text as it is matched, whichever way it was spelt.

Quotes and terms are folded alike. A run of blanks or line breaks is one space,
canonically equivalent spellings are one (NFC, Unicode Standard Annex 15), and
curly quotation marks and apostrophes are straight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from re import compile
from typing import NamedTuple
from unicodedata import combining, is_normalized, normalize

_BLANKS = compile(r"\s+")
_WORD = compile(r"\S+")
_CURLY = compile("[\u2018-\u201f]")
_STRAIGHT = {
    **dict.fromkeys(range(0x2018, 0x201C), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
}


def _fold_marks(text: str) -> str:
    if text.isascii():
        return text
    text = normalize("NFC", text)
    return text.translate(_STRAIGHT) if _CURLY.search(text) else text


def fold(text: str) -> str:
    """Fold a text to one line, with no blanks around it."""
    return " ".join(_fold_marks(text).split())


def fold_term(term: str, regex: bool) -> str:
    """
    Fold a term as the texts are folded that it is looked for in.

    @param regex: whether it is a regular expression, whose blanks may mean
        something else than blanks, and stay as they are.
    """
    term = _fold_marks(term)
    return term if regex else _BLANKS.sub(" ", term)


def unfold(text: str, places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """
    Find in a text what was found in its folded form.

    @param places: where something starts and ends in C{fold(text)}, in code
        points: in order, none empty, none within another.
    @return: where it starts and ends in the text. What was folded into one
        code point is returned whole, and what then overlaps is one.
    """
    if is_normalized("NFC", text) and len(fold(text)) == len(text):
        return list(places)
    runs = _runs(text)
    position, run = 0, _Run(0, 0, 0, True)

    def origin(index: int) -> tuple[int, int]:
        nonlocal position, run
        while index >= position + run.length:
            position += run.length
            run = next(runs)
        if not run.apart:
            return run.start, run.end
        return run.start + index - position, run.start + index - position + 1

    found: list[tuple[int, int]] = []
    for start, end in places:
        first, last = origin(start)[0], origin(end - 1)[1]
        if found and first < found[-1][1]:
            first, last = found.pop()[0], last
        found.append((first, last))
    return found


class _Run(NamedTuple):
    """
    Folded code points, and where they come from.

    @ivar length: how many they are.
    @ivar start: where what they come from starts in the text.
    @ivar end: where it ends.
    @ivar apart: whether each comes from one of its own; else all come from all.
    """

    length: int
    start: int
    end: int
    apart: bool


def _runs(text: str) -> Iterator[_Run]:
    """All of a folded text, in order."""
    end = 0
    for word in _WORD.finditer(text):
        if end:
            yield _Run(1, end, word.start(), False)
        start, end = word.span()
        if is_normalized("NFC", word[0]):
            yield _Run(end - start, start, end, True)
        else:
            for first, last in _clusters(word[0]):
                length = len(normalize("NFC", word[0][first:last]))
                yield _Run(length, start + first, start + last, False)


def _clusters(word: str) -> Iterator[tuple[int, int]]:
    """The smallest pieces of a word that can be normalized each by itself."""
    start = 0
    for index in range(1, len(word)):
        piece, character = word[start:index], word[index]
        # Nothing below U+0300 is ever composed with what stands before it.
        if character < "\u0300" or (
            not combining(character)
            and normalize("NFC", piece + character)
            == normalize("NFC", piece) + normalize("NFC", character)
        ):
            yield start, index
            start = index
    yield start, len(word)
