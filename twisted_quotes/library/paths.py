"""
Resolving paths inside a folder, without looking at anything outside it.
"""

from __future__ import annotations

import os
from errno import EINVAL

from twisted_quotes.errors import DictionaryForbidden

# The limit of the kernel (path_resolution(7)).
_MAX_LINKS = 40


def is_hidden(segments: list[str]) -> bool:
    """Return whether any segment is empty or starts with a dot."""
    path = f"/{'/'.join(segments)}/"
    return "//" in path or "/." in path


def open_below(root: str, segments: list[str]) -> int:
    """
    Open a file below a folder, without following symbolic links.

    @return: its file descriptor.
    @raise OSError: it does not exist, may not be read, or its path contains a link.
    """
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for segment in segments[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            below = os.open(segment, flags, dir_fd=folder)
            os.close(folder)
            folder = below
        # Without O_NONBLOCK this would block on a FIFO that has no writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        return os.open(segments[-1], flags, dir_fd=folder)
    finally:
        os.close(folder)


def resolve(folder: str, name: str) -> tuple[str, list[str]]:
    """
    Follow the symbolic links in a path, as long as they stay inside a folder.

    They may pass through hidden folders, as those of Kubernetes' volumes do.

    @param folder: the absolute path of the folder.
    @param name: the path relative to it.
    @return: the real path of the folder, and the segments of the real path below it.
    @raise DictionaryForbidden: the path leaves the folder, if only for a part of it.
    @raise OSError: the path leads to nothing, or may not be followed.
    """
    root = os.path.realpath(folder)
    root_segments = _split(root)
    current, remaining = list(root_segments), _split(name)[::-1]
    link_count = 0
    while remaining:
        segment = remaining.pop()
        if segment == "..":
            del current[-1:]
            continue
        current.append(segment)
        if current[: len(root_segments)] != root_segments[: len(current)]:
            raise DictionaryForbidden()
        if len(current) <= len(root_segments):
            continue
        target = _read_link("/" + "/".join(current))
        if target is None:
            continue
        link_count += 1
        if link_count > _MAX_LINKS:
            raise DictionaryForbidden()
        if f"{target}/".startswith(f"{folder}/"):
            target = root + target.removeprefix(folder)
        current = [] if os.path.isabs(target) else current[:-1]
        remaining += _split(target)[::-1]
    relative_segments = current[len(root_segments) :]
    if not relative_segments:
        raise DictionaryForbidden()
    return root, relative_segments


def resolve_file(folder: str, name: str) -> tuple[str, list[str]]:
    """
    Follow the symbolic links in the path of a file, like L{resolve}.

    @raise DictionaryForbidden: the path leads outside, or to a hidden file.
    """
    root, segments = resolve(folder, name)
    if is_hidden(segments[-1:]):
        raise DictionaryForbidden()
    return root, segments


def _split(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment not in ("", ".")]


def _read_link(path: str) -> str | None:
    """
    Return the target of a symbolic link, or L{None} if the path is no link.

    @raise OSError: the path does not exist, or may not be looked up.
    """
    try:
        return os.readlink(path)
    except OSError as error:
        if error.errno == EINVAL:
            return None
        raise
