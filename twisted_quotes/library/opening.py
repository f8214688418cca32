"""
Opening dictionaries: from a name to an open file, without looking outside one folder.

A dictionary is opened once. The checks and grep use that file descriptor, so the
file cannot be replaced in between.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from errno import EACCES, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO, EPERM

from twisted_quotes.errors import DictionaryForbidden
from twisted_quotes.query.queries import ALL_DICTIONARIES
from twisted_quotes.quotes.strfile import read_strfile_header

from .dictionary import Dictionary

_NOT_FOUND_ERRNOS = {ENOENT, ENOTDIR, ENAMETOOLONG}
# The errors for a symbolic link that is not followed (openat(2)).
_SYMLINK_ERRNOS = {ELOOP, ENOTDIR}
_FORBIDDEN_ERRNOS = {EACCES, EPERM, ELOOP, ENXIO}

# The limit of the kernel (path_resolution(7)).
_MAX_LINKS = 40

_PATH_MAX = 4096
"""The kernel rejects a path of this size in bytes, or more (limits.h)."""

# Files that strfile(1) and Debian store beside a fortune file.
_COMPANION_SUFFIXES = (".dat", ".u8")


def open_dictionary(root: str, name: str) -> Dictionary:
    """
    Open a dictionary.

    @param root: the absolute path of the library.
    @param name: the path of the dictionary in the library.
    @raise DictionaryForbidden: the name leads outside the library or to something
        hidden, or the file is not regular or not readable.
    @raise FileNotFoundError: there is no such dictionary.
    @raise OSError: it cannot be opened now.
    """
    segments = name.split("/")
    if is_hidden(segments):
        raise DictionaryForbidden()
    try:
        descriptor, path = _open(root, name, segments)
    except OSError as error:
        if error.errno in _NOT_FOUND_ERRNOS:
            raise FileNotFoundError(error.errno, name) from None
        if error.errno in _FORBIDDEN_ERRNOS:
            raise DictionaryForbidden() from None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DictionaryForbidden()
        # The path is checked only now: it does not lead outside.
        if len(os.fsencode(path)) >= _PATH_MAX or is_excluded(root, name):
            raise FileNotFoundError(ENOENT, name)
        return Dictionary(descriptor, path, read_strfile_header(path))
    except BaseException:
        os.close(descriptor)
        raise


def _open(root: str, name: str, segments: list[str]) -> tuple[int, str]:
    """Return the file descriptor and the path of an opened file."""
    opened_root = root
    try:
        descriptor = open_below(root, segments)
    except OSError as error:
        if error.errno not in _SYMLINK_ERRNOS:
            raise
        try:
            opened_root, segments = resolve_file(root, name)
            descriptor = open_below(opened_root, segments)
        except FileNotFoundError:
            # A link may have been replaced, and its old target removed, meanwhile.
            opened_root, segments = resolve_file(root, name)
            descriptor = open_below(opened_root, segments)
    return descriptor, os.path.join(opened_root, *segments)


def is_excluded(root: str, name: str) -> bool:
    """Return whether a name cannot be requested, or is that of a companion."""
    return name == ALL_DICTIONARIES or is_companion(root, name)


def is_companion(root: str, name: str) -> bool:
    """Return whether a file belongs to a fortune file."""
    if not name.endswith(_COMPANION_SUFFIXES):
        return False
    stem, _ = os.path.splitext(name)
    return os.path.lexists(os.path.join(root, stem))


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


def resolve(
    folder: str, name: str, on_folder: Callable[[str], object] = lambda _: None
) -> tuple[str, list[str]]:
    """
    Follow the symbolic links in a path, as long as they stay inside a folder.

    They may pass through hidden folders, as those of Kubernetes' volumes do.

    @param on_folder: called with the path of each folder below which the path leads,
        before it is looked at.
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
        on_folder(_join(current[:-1]))
        target = _read_link(_join(current))
        if target is None:
            continue
        link_count += 1
        if link_count > _MAX_LINKS:
            raise DictionaryForbidden()
        current = _follow(current[:-1], target, folder, root, remaining)
    if len(current) <= len(root_segments):
        raise DictionaryForbidden()
    return root, current[len(root_segments) :]


def _follow(
    current: list[str], target: str, folder: str, root: str, remaining: list[str]
) -> list[str]:
    """
    Add the segments of the target of a link to the remaining ones.

    @return: the segments of the folder that they start in.
    """
    if f"{target}/".startswith(f"{folder}/"):
        target = root + target.removeprefix(folder)
    remaining += _split(target)[::-1]
    return [] if os.path.isabs(target) else current


def _join(segments: list[str]) -> str:
    return "/" + "/".join(segments)


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
