"""
Writing a pack: dictionaries are indexed, or copied from another pack.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.plan import PackPlan

from .pack_writer import PackWriter

SEGMENT_SIZE, MAX_SEGMENTS = 64 * 1024 * 1024, 4
"""The minimum size of a file of texts that another one follows, and their number."""

PackedSources = Mapping[FileState, tuple[Pack, int]]
"""The packs and the numbers of dictionaries that need not be indexed again."""


def write_pack(
    root: str,
    plan: PackPlan,
    folder: str,
    sources: PackedSources,
    on_progress: Callable[[int | None], object] = lambda _: None,
    check: Callable[[], object] = lambda: None,
) -> list[str]:
    """
    Write a pack.

    A dictionary that is no text is not in it. One that is in another state than that
    in the plan is written in that state.

    @param root: the absolute path of the library.
    @param folder: a folder that is empty, or contains an incomplete pack.
    @param sources: where dictionaries can be copied from.
    @param on_progress: called with the number of each dictionary before it is indexed,
        and with L{None} after that.
    @param check: called before each quote; what it raises ends the writing.
    @return: the names of the dictionaries that are left out because they cannot be
        read now, or change all the time.
    @raise OSError: the folder cannot be written.
    """
    left_out = []
    segment_size = max(SEGMENT_SIZE, plan.size // MAX_SEGMENTS + 1)
    if len(plan.dictionaries) > 1:
        segment_size = sys.maxsize
    with PackWriter(folder, check, segment_size) as writer:
        for number, (name, state) in enumerate(plan.dictionaries):
            if state in sources and writer.copy(name, *sources[state]):
                continue
            on_progress(number)
            if not writer.add(root, name):
                left_out.append(name)
            on_progress(None)
        writer.finish()
    return left_out
