"""
Tests for symbolic and hard links in a L{Library<twisted_quotes.library.library>}.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import DictionaryForbidden, DictionaryNotFound, QuotesError
from twisted_quotes.library.library import Library

CONFIG_MAP = {
    "..v1/first": "one",
    "..v1/pets/dogs": "one woof",
    "..v2/first": "two",
    "..v2/pets/dogs": "two woof",
    "..data": "-> ..v1",
    "first": "-> ..data/first",
    "pets": "-> ..data/pets",
}

# A layout is a dictionary of paths: to a text, to the target of a symbolic link after
# an arrow, or to another name of a hard link after an equals sign.
LAYOUTS: list[tuple[str, dict[str, str], list[str]]] = [
    ("a link", {"a": "a", "b": "-> a"}, ["a"]),
    ("a link that is first in order", {"a": "-> b", "b": "b"}, ["a"]),
    ("a hard link", {"b": "b", "a": "= b", "c/d": "= b"}, ["a"]),
    ("links to a hard link", {"b": "b", "d": "= b", "c": "-> d", "a": "-> b"}, ["a"]),
    ("equal texts in several files", {"a": "a", "b": "a"}, ["a", "b"]),
    ("links between folders", {"x/a": "a", "y/a": "-> ../x/a", "z": "-> y/a"}, ["x/a"]),
    ("a chain", {"a": "-> b", "b": "-> c", "c": "-> d", "d": "d"}, ["a"]),
    ("a loop", {"a": "-> a", "b": "-> c", "c": "-> b", "d": "d"}, ["d"]),
    ("dangling links", {"a": "-> none", "b": "-> a", "c": "c", "d": "-> c/d"}, ["c"]),
    ("a link to a folder", {"x/a": "a", "b": "-> x", "c": "-> x/."}, ["x/a"]),
    ("a link to the library", {"a": "a", "x": "-> .", "y/z": "-> .."}, ["a"]),
    ("a link that leaves", {"a": "a", "b": "-> ../outside", "c": "-> b"}, ["a"]),
    ("a link that comes back", {"a": "a", "b": "-> ../library/a"}, ["a"]),
    ("a link through a folder outside", {"a": "a", "b": "-> ../x/../library/a"}, ["a"]),
    ("a link to a hidden file", {"a": "a", ".b": "b", "c": "-> .b"}, ["a"]),
    ("a hidden link", {"a": "-> .b", ".b": "-> c", "c": "c"}, ["a"]),
    ("a file in a hidden folder", {".x/a": "a", "b": "b"}, ["b"]),
    ("a link into a hidden folder", {".x/a": "a", "b": "-> .x/a"}, ["b"]),
    ("two links into it", {".x/a": "a", "c": "-> .x/a", "b": "-> .x/a"}, ["b"]),
    ("a link to a hidden folder", {".x/y/a": "", ".x/.b": "", "z": "-> .x"}, ["z/y/a"]),
    ("two links to it", {".x/a": "a", "z": "-> y", "y": "-> .x"}, ["y/a"]),
    ("folders in a loop", {".x/a": "a", ".x/b": "-> .", ".x/c": "-> b", "d": "-> .x"},
     ["d/a"]),
    ("a link out of one", {".x/b": "-> ../a", "a": "", "c": "-> .x"}, ["a"]),
    ("a companion", {"a": "a", "a.dat": "-> b", "b": "b"}, ["a", "b"]),
    ("a ConfigMap", CONFIG_MAP, ["first", "pets/dogs"]),
]  # fmt: skip


def create(root: Path, layout: dict[str, str]) -> None:
    """Create files and links. Those that cannot exist are left out."""
    for name, text in layout.items():
        path = root / name
        kind, _, target = text.partition(" ")
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "->":
            path.symlink_to(target)
        elif kind == "=":
            path.hardlink_to(root / target)
        else:
            path.write_text(text)


class Entry:
    """An entry of a folder that behaves otherwise in some way."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self._entry = entry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)


class EntryWithoutInode(Entry):
    """An entry of a file system that lists no inodes."""

    def inode(self) -> int:
        """Return what the kernel has for an unknown inode."""
        return 0xFFFFFFFF


class RecordingEntry(Entry):
    """An entry that records the names of those whose targets are looked at."""

    followed: ClassVar[list[str]] = []

    def is_dir(self, follow_symlinks: bool = True) -> bool:
        """Return whether it is a folder."""
        if follow_symlinks:
            self.followed.append(self._entry.name)
        return self._entry.is_dir(follow_symlinks=follow_symlinks)

    def is_file(self) -> bool:
        """Return whether it is a file."""
        self.followed.append(self._entry.name)
        return self._entry.is_file()

    def stat(self) -> os.stat_result:
        """Return the status."""
        self.followed.append(self._entry.name)
        return self._entry.stat()


class _LinkTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(TemporaryDirectory()))

    def make_library(self, layout: dict[str, str]) -> Library:
        """Return a library in a folder of its own, beside other things."""
        folder = Path(self.enterContext(TemporaryDirectory(dir=self.folder)))
        (folder / "outside").write_text("secret")
        (folder / "x").mkdir()
        self.root = folder / "library"
        create(self.root, layout)
        return Library(self.root)

    def replace_entries(self, kind: Callable[[os.DirEntry[str]], Entry]) -> None:
        """Have folders listed with entries of another kind."""
        real = os.scandir

        @contextmanager
        def scandir(path: str) -> Iterator[Iterator[Entry]]:
            with real(path) as entries:
                yield map(kind, entries)

        self.patch(os, "scandir", scandir)

    def read(self, library: Library, name: str) -> str:
        """Read a dictionary."""
        with library.open(name) as dictionary:
            return dictionary.read(100).decode()


class NameTests(_LinkTestCase):
    """Tests for L{Library.names}."""

    def test_each_file_has_one_name(self) -> None:
        """The first one in order."""
        for what, layout, names in LAYOUTS:
            library = self.make_library(layout)
            self.assertEqual(library.names(), names, what)
            for name in names:
                library.open(name).close()

    def test_other_names_of_a_file_can_be_opened(self) -> None:
        library = self.make_library(
            {"a": "miaow", "b": "-> a", "c": "= a", "x/d": "-> ../c", "y": "-> x"}
        )
        for name in ("a", "b", "c", "x/d", "y/d"):
            self.assertEqual(self.read(library, name), "miaow")

    def test_an_error_has_one_name_for_each_file(self) -> None:
        library = self.make_library({"cats": "miaow", "toms": "-> cats"})
        error = self.assertRaises(DictionaryNotFound, library.open, "tom")
        self.assertIn('There are: "cats".', error.message)

    def test_inodes_without_meaning_make_no_files_the_same(self) -> None:
        """Some file systems list all files with the same inode."""
        library = self.make_library({"a": "a", "b": "b", "c": "= b"})
        self.replace_entries(EntryWithoutInode)
        self.assertEqual(library.names(), ["a", "b"])

    def test_targets_outside_are_not_looked_at(self) -> None:
        """They could be on a file system that does not respond."""
        library = self.make_library(
            {"a": "a", "b": "-> ../outside", "c": "-> ../x", "d": "-> b", "e": "-> a"}
        )
        self.patch(RecordingEntry, "followed", [])
        self.replace_entries(RecordingEntry)
        self.assertEqual(library.names(), ["a"])
        self.assertLessEqual({*RecordingEntry.followed}, {"a", "e"})

    def test_any_layout_is_listed_as_its_files_can_be_opened(self) -> None:
        """Each visible file that can be opened has exactly one name, its first one."""
        names = st.sampled_from(["a", "b", "x/a", "x/b", ".y/a", ".y/b", "x/.c", "z"])
        targets = st.sampled_from(
            ["a", "b", "z", "x", "x/a", ".y", ".y/b", "../a", "../x/b", "..", "x/.c"]
        )
        values = st.one_of(st.just("text"), targets.map("-> {}".format))

        @settings(max_examples=200, deadline=None)
        @given(st.dictionaries(names, values, max_size=8))
        def check(layout: dict[str, str]) -> None:
            library = self.make_library({"0": "0"} | layout)
            first_names: dict[tuple[int, int], str] = {}
            for name in sorted({"0", *layout}):
                try:
                    with library.open(name) as dictionary:
                        state = dictionary.state
                except QuotesError:
                    continue
                first_names.setdefault((state.device, state.inode), name)
            listed: dict[tuple[int, int], str] = {}
            for name in library.names():
                with library.open(name) as dictionary:
                    state = dictionary.state
                identity = state.device, state.inode
                self.assertNotIn(identity, listed)
                listed[identity] = name
            for identity, name in first_names.items():
                self.assertLessEqual(listed[identity], name)

        check()


class ConfigMapTests(_LinkTestCase):
    """Tests with the links of a volume of Kubernetes."""

    def setUp(self) -> None:
        super().setUp()
        self.library = self.make_library(CONFIG_MAP)

    def swap(self) -> None:
        """Replace the files, as Kubernetes does."""
        (self.root / "..new").symlink_to("..v2")
        (self.root / "..new").rename(self.root / "..data")
        for path in ("first", "pets/dogs"):
            (self.root / "..v1" / path).unlink()

    def test_a_swap_is_visible_at_once(self) -> None:
        self.assertEqual(self.read(self.library, "first"), "one")
        self.assertEqual(self.read(self.library, "pets/dogs"), "one woof")
        self.swap()
        self.assertEqual(self.library.names(), ["first", "pets/dogs"])
        self.assertEqual(self.read(self.library, "first"), "two")
        self.assertEqual(self.read(self.library, "pets/dogs"), "two woof")

    def test_a_swap_while_a_file_is_opened_is_no_error(self) -> None:
        """The files that the old link leads to are gone."""
        for function in ("readlink", "open"):
            self.library = self.make_library(CONFIG_MAP)
            real = getattr(os, function)

            def swap_first(
                path: str, *rest: Any, real: Any = real, **options: Any
            ) -> Any:
                if path.endswith("..v1"):
                    self.patch(os, swap_first.__name__, real)
                    self.swap()
                return real(path, *rest, **options)

            swap_first.__name__ = function
            self.patch(os, function, swap_first)
            self.assertEqual(self.read(self.library, "first"), "two", function)

    def test_paths_through_the_links_have_no_state(self) -> None:
        """So nothing that depends on it is kept."""
        for name in ("first", "pets/dogs"):
            self.assertIsNone(self.library.path_state(name))

    def test_hidden_names_are_forbidden(self) -> None:
        for name in ("..data/first", "..v1/first", "..data", "pets/../first", "..v9/a"):
            self.assertRaises(DictionaryForbidden, self.library.open, name)

    def test_links_through_hidden_ones_do_not_leave_the_library(self) -> None:
        (self.root / "..data").unlink()
        (self.root / "..data").symlink_to("../x/../library/..v1")
        for name in ("first", "pets/dogs"):
            self.assertRaises(DictionaryForbidden, self.library.open, name)
        self.assertEqual(self.library.names(), [])
