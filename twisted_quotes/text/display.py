"""
Display of text from files and clients.
"""

from __future__ import annotations

# Unicode has pictures of the C0 controls and of DEL, but none of the C1 controls.
_REPLACEMENTS = {
    **{code: 0x2400 + code for code in range(0x20)},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


def printable(text: str) -> str:
    """Replace each control character, which a terminal could obey, by a symbol."""
    return text.translate(_REPLACEMENTS)
