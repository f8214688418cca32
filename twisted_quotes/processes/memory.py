"""
How malloc(3) keeps memory that is free.
"""

from __future__ import annotations

from contextlib import suppress
from ctypes import CDLL

_M_MMAP_THRESHOLD = -3  # From malloc.h.

LARGE_SIZE = 128 * 1024
"""The size of a large block, in bytes: the default of glibc at the start."""


def return_large_blocks() -> None:
    """
    Have this process return each large block to the kernel as soon as it is free.

    Otherwise glibc considers blocks large only if none of their size was free before.
    All others stay in the arenas, of which each thread has one: megabytes in each that
    has looked at thousands of dictionaries. Other C libraries do no such thing.
    """
    with suppress(AttributeError):
        CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_SIZE)
