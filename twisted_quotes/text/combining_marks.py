"""
Combining marks and joiners as parts of words.

They belong to the word of the letters around them, but for GNU grep half of them end
a word. So grep reads letters of a rare script in the place of all marks, and of the
marks in a term.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain
from re import Pattern, compile
from unicodedata import category

# Tangut has more letters than there are marks, and no upper case.
_LETTERS = range(0x17000, 0x187F8)
# The soft hyphen, the two zero-width joiners and the word joiner.
_JOINERS = (0xAD, 0x200C, 0x200D, 0x2060)
# The only mark with an upper case, which is a letter; grep takes it for one.
_YPOGEGRAMMENI = 0x345


def exchange_marks(text: str) -> str:
    """
    Exchange the marks in a text with letters of Tangut, and the letters with marks.

    The result has the same length. To exchange it again restores the text.
    """
    if text.isascii() or not _exchangeable().search(text):
        return text
    return text.translate(_exchanges())


@cache
def mark_characters() -> str:
    """Return all combining marks and joiners, in the order of their code points."""
    code_points = chain(range(0x300, 0x20000), range(0xE0100, 0xE01F0))
    marks = (
        code
        for code in code_points
        if code != _YPOGEGRAMMENI and category(chr(code)).startswith("M")
    )
    return "".join(map(chr, sorted(chain(_JOINERS, marks))))


@cache
def _exchangeable() -> Pattern[str]:
    """Return what finds a character that is, or may be, exchanged."""
    # A range for all others is tested faster than many ranges.
    marks = filter("\U00010000".__gt__, mark_characters())
    return compile(f"[{''.join(marks)}\U00010000-\U0010ffff]")


@cache
def _exchanges() -> Mapping[int, int]:
    pairs = dict(zip(map(ord, mark_characters()), _LETTERS, strict=False))
    return pairs | {letter: mark for mark, letter in pairs.items()}
