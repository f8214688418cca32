"""
The program of a process that writes one pack.

Run it with the folder of the pack as its argument. It reads from its standard input
what to write. It does not import Twisted, so that it starts quickly and stays small.
"""

from __future__ import annotations

import os
import signal
import sys

import msgspec
from msgspec import Struct

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.plan import PackPlan

from .writer import PackedSources, write_pack

PROGRESS_NAME = "progress"
"""The file in the folder with the number of the dictionary that is being indexed."""

BASE_TIME_LIMIT, ALONE_TIME_LIMIT, BYTES_PER_SECOND = 1.0, 10.0, 1024 * 1024
"""
The limit of the CPU time for a dictionary, in seconds: the first, or the second if it
has a pack of its own, and its size divided by the third. It is about twenty times what
an ordinary machine needs.
"""

# The increment of nice(2), so that the service and its greps run first.
_NICE = 10


class Task(Struct, frozen=True):
    """
    What to write.

    Paths are bytes: they may be no UTF-8.

    @ivar root: the absolute path of the library.
    @ivar dictionaries: those of the plan.
    @ivar sources: the folders of the packs that dictionaries can be copied from.
    """

    root: bytes
    dictionaries: tuple[tuple[str, FileState], ...]
    sources: tuple[bytes, ...]


def time_limit(size: int, is_alone: bool) -> float:
    """
    Return how much CPU time a dictionary may take to index, in seconds.

    @param size: its size in bytes.
    @param is_alone: whether it has a pack of its own.
    """
    base = ALONE_TIME_LIMIT if is_alone else BASE_TIME_LIMIT
    return base + size / BYTES_PER_SECOND


def read_progress(folder: str) -> int | None:
    """Return the number of the dictionary that was being indexed last, if any was."""
    try:
        with open(os.path.join(folder, PROGRESS_NAME), "rb") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def _find_sources(folders: tuple[bytes, ...]) -> PackedSources:
    sources = {}
    for folder in folders:
        try:
            pack = Pack.load(os.fsdecode(folder), {})
        except (OSError, PackDamaged):
            continue
        for number, packed in enumerate(pack.dictionaries):
            sources[packed.state] = pack, number
    return sources


def main() -> None:
    """
    Write a pack, and print the names of dictionaries that are left out.

    If a dictionary takes too much CPU time, a signal kills this process. So not even
    an endless call of a C function delays the others for long.
    """
    os.nice(_NICE)
    folder = sys.argv[1]
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    plan = PackPlan(task.dictionaries)
    progress = os.path.join(folder, PROGRESS_NAME)

    def on_progress(number: int | None) -> None:
        limit = 0.0
        if number is not None:
            file.seek(0)
            file.write(b"%08d" % number)
            size = plan.dictionaries[number][1].size
            limit = time_limit(size, len(plan.dictionaries) == 1)
        signal.setitimer(signal.ITIMER_PROF, limit)

    with open(progress, "wb", buffering=0) as file:
        sources = _find_sources(task.sources)
        root = os.fsdecode(task.root)
        left_out = write_pack(root, plan, folder, sources, on_progress)
    os.unlink(progress)
    sys.stdout.buffer.write(msgspec.json.encode(left_out))


if __name__ == "__main__":
    main()
