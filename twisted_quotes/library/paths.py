"""
Paths inside a folder: where they lead, without a look at anything outside it.
"""

from __future__ import annotations

import os
from errno import EINVAL

from twisted_quotes.errors import DictionaryForbidden

# As many as the kernel follows (path_resolution(7)).
_MAX_LINKS = 40


def is_hidden(segments: list[str]) -> bool:
    """Whether there is anything on the way that nobody may see, or that is no name."""
    path = f"/{'/'.join(segments)}/"
    return "//" in path or "/." in path


def open_below(root: str, segments: list[str]) -> int:
    """
    Open a file below a folder, following no link on the way.

    @return: its file descriptor.
    @raise OSError: there is none, a link is on the way, or it may not be read.
    """
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for segment in segments[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            below = os.open(segment, flags, dir_fd=folder)
            os.close(folder)
            folder = below
        # Without O_NONBLOCK a FIFO that nobody writes to would block here.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        return os.open(segments[-1], flags, dir_fd=folder)
    finally:
        os.close(folder)


def resolve(folder: str, name: str) -> tuple[str, list[str]]:
    """
    Follow the links on the way to a file, as long as they stay in a folder.

    @param folder: its absolute path.
    @param name: the path from there.
    @return: the real path of the folder, and the real way down from it.
    @raise DictionaryForbidden: it leads outside, even if it would come back, or
        to something hidden.
    @raise OSError: it leads to nothing, or may not be followed.
    """
    root = os.path.realpath(folder)
    root_segments = _segments(root)
    current_segments, remaining_segments = list(root_segments), _segments(name)[::-1]
    link_count = 0
    while remaining_segments:
        segment = remaining_segments.pop()
        if segment == "..":
            del current_segments[-1:]
            continue
        current_segments.append(segment)
        if (
            current_segments[: len(root_segments)]
            != root_segments[: len(current_segments)]
        ):
            raise DictionaryForbidden()
        target = (
            _read_link("/" + "/".join(current_segments))
            if len(current_segments) > len(root_segments)
            else None
        )
        if target is None:
            continue
        link_count += 1
        if link_count > _MAX_LINKS:
            raise DictionaryForbidden()
        if f"{target}/".startswith(f"{folder}/"):
            target = root + target.removeprefix(folder)
        current_segments = [] if os.path.isabs(target) else current_segments[:-1]
        remaining_segments += _segments(target)[::-1]
    relative_segments = current_segments[len(root_segments) :]
    if not relative_segments or is_hidden(relative_segments):
        raise DictionaryForbidden()
    return root, relative_segments


def _segments(path: str) -> list[str]:
    """The names on the way, without those that lead nowhere else."""
    return [each for each in path.split("/") if each not in ("", ".")]


def _read_link(path: str) -> str | None:
    """
    Where a link leads.

    @return: L{None} if it is no link.
    @raise OSError: there is nothing, or it may not be seen.
    """
    try:
        return os.readlink(path)
    except OSError as error:
        if error.errno == EINVAL:
            return None
        raise
