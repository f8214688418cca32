"""
The headers of the C{.dat} files that strfile(1) writes beside fortune files.
"""

from __future__ import annotations

import os
import stat
from struct import Struct
from typing import NamedTuple

# The version, three numbers, the flags, and the delimiter with three bytes of padding.
_HEADER = Struct(">I12xIc3x")
_VERSIONS = (1, 2)
_ROTATED, _ALL_FLAGS = 4, 15


class StrfileHeader(NamedTuple):
    """
    What a C{.dat} file says about the text beside it.

    @ivar delimiter: the character that is alone in the lines between quotes.
    @ivar rot13: whether the text is rotated by 13 letters.
    """

    delimiter: str
    rot13: bool


def read_strfile_header(path: str) -> StrfileHeader | None:
    """
    Read what the C{.dat} file of a dictionary says.

    @param path: the path of the dictionary.
    @return: L{None} if there is no such file, or if it is not from strfile.
    """
    try:
        # A link could lead outside the library.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(f"{path}.dat", flags)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return parse_strfile_header(os.pread(descriptor, _HEADER.size, 0))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def parse_strfile_header(data: bytes) -> StrfileHeader | None:
    """Parse the first 24 bytes of a C{.dat} file; return L{None} if it is another."""
    if len(data) < _HEADER.size:
        return None
    version, flags, delimiter = _HEADER.unpack(data[: _HEADER.size])
    if version not in _VERSIONS or flags & ~_ALL_FLAGS or not delimiter.isascii():
        return None
    character = delimiter.decode()
    if not character.isprintable() or character.isspace() or character.isalnum():
        return None
    return StrfileHeader(character, bool(flags & _ROTATED))
