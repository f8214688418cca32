"""
Encodings of dictionaries, and files that are not text.
"""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from typing import Literal, TypeAlias

Encoding: TypeAlias = Literal["utf-8", "utf-16", "utf-32"]

START_SIZE = 1024
"""How many bytes of a file tell its encoding."""

_BYTE_ORDER_MARKS: tuple[tuple[bytes, Encoding], ...] = (
    # The mark of UTF-32 starts with that of UTF-16.
    (BOM_UTF32_LE, "utf-32"),
    (BOM_UTF32_BE, "utf-32"),
    (BOM_UTF16_LE, "utf-16"),
    (BOM_UTF16_BE, "utf-16"),
)
_WIDE_STARTS = tuple(mark for mark, _ in _BYTE_ORDER_MARKS)
# Compressed files, images and documents, which may have no NUL at their start.
_BINARY_STARTS = (
    *(
        b"\x1f\x8b",
        b"BZh",
        b"\xfd7zXZ",
        b"\x28\xb5\x2f\xfd",
        b"PK\x03\x04",
        b"7z\xbc\xaf",
    ),
    *(b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"%PDF-"),
)


def detect_encoding(start: bytes) -> Encoding | None:
    """
    Return the encoding of a text; it is UTF-8 unless a byte order mark says otherwise.

    @param start: the first L{START_SIZE} bytes of a file, or all if it has fewer.
    @return: L{None} if it is not text: it has a NUL, or the start of a known format.
    """
    if start.startswith(_WIDE_STARTS):
        for mark, encoding in _BYTE_ORDER_MARKS:
            if start.startswith(mark):
                return encoding
    if b"\0" in start or start.startswith(_BINARY_STARTS):
        return None
    return "utf-8"
