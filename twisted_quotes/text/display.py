"""
Display of text from files and clients.
"""

from __future__ import annotations

from collections.abc import Sequence

# Unicode has pictures of the C0 controls and of DEL, but none of the C1 controls.
_REPLACEMENTS = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}

_MAX_NAMES = 5
"""The maximum number of names in a log message."""


def printable(text: str) -> str:
    """Replace each control character, which a terminal could obey, by a symbol."""
    return text.translate(_REPLACEMENTS)


def list_names(names: Sequence[str]) -> str:
    """Return the first names of a list, and a verb, for the log."""
    shown = list(map(ascii, names[:_MAX_NAMES]))
    if len(names) > _MAX_NAMES:
        shown.append(f"{len(names) - _MAX_NAMES} others")
    return f"{', '.join(shown)} {'is' if len(names) == 1 else 'are'}"
