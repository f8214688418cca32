"""
Text as it may be shown to people.
"""

from __future__ import annotations

_DELETE, _CONTROL_PICTURES = 0x7F, 0x2400

# Pictures of the C0 controls and of DEL; there are none of the C1 controls.
_REPLACEMENTS = {
    **{code: _CONTROL_PICTURES + code for code in range(0x20)},
    _DELETE: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
}


def printable(text: str) -> str:
    """
    Replace control characters, which terminals obey.

    @return: the text, with the pictures of Unicode's block Control Pictures, or
        U+FFFD, in their places.
    """
    return text.translate(_REPLACEMENTS)
