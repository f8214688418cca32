"""
Removing what text has only for terminals and printers.
"""

from __future__ import annotations

from itertools import chain
from re import MULTILINE, compile
from unicodedata import combining, normalize

# Control sequences, control strings, and other sequences (ECMA-48).
_ESCAPE_SEQUENCE = compile(
    r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|[\]PX^_][^\n\x07\x1b]*+(?:\x07|\x1b\\)?"
    r"|[ -/]*+[0-~])?"
)
_OVERSTRUCK_LINE = compile(r"^[^\n\x08]*+\x08[^\n]*+", MULTILINE)
_ACCENTS = {
    "'": "\u0301",
    "\xb4": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    "~": "\u0303",
    '"': "\u0308",
    ",": "\u0327",
}


def remove_terminal_marks(text: str) -> str:
    r"""
    Return text without escape sequences and overstrikes.

    Bold (C{"x\bx"}) and underlined (C{"_\bx"}) characters become plain ones, and an
    accent over a letter (C{"'\be"}) becomes part of it.
    """
    if "\x1b" in text:
        text = _ESCAPE_SEQUENCE.sub("", text)
    if "\b" in text:
        text = _OVERSTRUCK_LINE.sub(lambda line: _print_line(line[0]), text)
    return text


def _print_line(line: str) -> str:
    """Return what a printer that can move back prints for a line."""
    cells: list[list[str]] = []
    position = 0
    for character in line:
        if character == "\b":
            position = max(0, position - 1)
        elif combining(character) and position:
            cells[position - 1].append(character)
        else:
            if position == len(cells):
                cells.append([character])
            else:
                cells[position] = [_overstrike("".join(cells[position]), character)]
            position += 1
    return "".join(chain.from_iterable(cells))


def _overstrike(first: str, second: str) -> str:
    """Return the one character that two in the same place look like."""
    if second in ("_", " "):
        return first
    for letter, accent in ((first, second), (second, first)):
        if letter.isalpha() and accent in _ACCENTS:
            composed = normalize("NFC", letter + _ACCENTS[accent])
            if len(composed) == 1:
                return composed
    return second
