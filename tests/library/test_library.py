"""
Tests for the modules C{library} and C{dictionary} of L{twisted_quotes.library}.
"""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from errno import EAGAIN, EIO, EMFILE
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import DictionaryForbidden, DictionaryNotFound
from twisted_quotes.library.dictionary import PathState
from twisted_quotes.library.library import Library, LibraryUnusable
from twisted_quotes.library.text_source import TextReader

# Opens a library, and prints the result for each name.
OPEN_SCRIPT = """
import sys
from twisted_quotes.library.library import Library
try:
    library = Library(sys.argv[1], "readable")
except Exception as error:
    print(type(error).__name__, error)
else:
    if not sys.argv[2:]:
        print(*library.names(), sep="\\n")
    for name in sys.argv[2:]:
        try:
            library.open(name).close()
            print("opened")
        except Exception as error:
            print(type(error).__name__)
"""
UNPRIVILEGED_PREFIX = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def open_unprivileged(root: Path, *names: str) -> list[str]:
    """Open dictionaries in a process without the privileges of root."""
    return subprocess.run(
        [
            *(UNPRIVILEGED_PREFIX if os.geteuid() == 0 else []),
            *(sys.executable, "-c", OPEN_SCRIPT, str(root), *names),
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()


class _LibraryTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.outside = temporary_folder / "outside"
        self.outside.write_bytes(b"secret\n")
        self.root = temporary_folder / "library"
        self.root.mkdir()
        self.write_file("cats", b"miaow\n")

    def write_file(self, name: str, data: bytes = b"") -> Path:
        """Write a file into the library."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def make_library(self, default: str | None = None) -> Library:
        """Return the library."""
        return Library(self.root, default)

    def read_dictionary(self, name: str) -> bytes:
        """Read a dictionary."""
        with self.make_library().open(name) as dictionary:
            return dictionary.read(100)


class OpenTests(_LibraryTestCase):
    """Tests for L{Library.open}."""

    def assert_forbidden(self, name: str) -> None:
        """Assert that a name is forbidden, with a message that has no path."""
        error = self.assertRaises(DictionaryForbidden, self.make_library().open, name)
        self.assertNotIn(str(self.root.parent), error.message)

    def assert_not_found(self, name: str) -> None:
        """Assert that a name is not found, with a message that has the others."""
        error = self.assertRaises(DictionaryNotFound, self.make_library().open, name)
        self.assertIn('There are: "cats"', error.message)
        self.assertNotIn(str(self.root.parent), error.message)

    def test_a_file_is_opened_at_its_start(self) -> None:
        self.assertEqual(self.read_dictionary("cats"), b"miaow\n")

    def test_slashes_separate_folders(self) -> None:
        self.write_file("pets/big/dogs", b"woof\n")
        self.assertEqual(self.read_dictionary("pets/big/dogs"), b"woof\n")

    def test_names_may_have_blanks_dashes_dots_and_any_letters(self) -> None:
        for name in ("a b", "-e", "--", "c..d", "e.txt", "é 🐈"):
            self.write_file(name, b"x")
            self.assertEqual(self.read_dictionary(name), b"x")

    def test_links_inside_the_library_are_followed(self) -> None:
        self.write_file("pets/dogs", b"woof\n")
        (self.root / "dogs").symlink_to("pets/dogs")
        (self.root / "animals").symlink_to(self.root / "pets")
        self.assertEqual(self.read_dictionary("dogs"), b"woof\n")
        self.assertEqual(self.read_dictionary("animals/dogs"), b"woof\n")

    def test_the_library_may_be_a_link(self) -> None:
        link = self.root.with_name("link")
        link.symlink_to(self.root)
        self.root = link
        self.assertEqual(self.read_dictionary("cats"), b"miaow\n")
        self.assert_forbidden("../outside")

    def test_a_missing_file_is_not_found(self) -> None:
        """Nor is one that no name or link can lead to."""
        (self.root / "gone").symlink_to("nothing")
        long_path = "/".join(["x" * 200] * 21)
        for name in ("dogs", "pets/dogs", "cats/tom", "gone", "x" * 256, long_path):
            self.assert_not_found(name)

    def test_the_error_has_no_control_characters(self) -> None:
        """A terminal could obey them."""
        (self.root / "b\x7f").touch()
        error = self.assertRaises(DictionaryNotFound, self.make_library().open, "\x1b")
        self.assertIn('"\u241b"', error.message)
        self.assertIn('"b\u2421"', error.message)

    def test_a_file_that_was_removed_is_not_found(self) -> None:
        library = self.make_library()
        (self.root / "cats").unlink()
        self.assertRaises(DictionaryNotFound, library.open, "cats")

    def test_names_other_than_relative_paths_are_forbidden(self) -> None:
        """Even if they would lead to a dictionary."""
        self.write_file("pets/dogs")
        for name in (
            *("..", "../outside", "../library/cats", "pets/../cats", "x/../.."),
            *("/etc/passwd", "/", str(self.root / "cats"), "//cats"),
            *("", "cats/", "pets//dogs", "./cats", "pets/./dogs"),
        ):
            self.assert_forbidden(name)

    def test_hidden_files_and_folders_are_forbidden(self) -> None:
        """Whether they exist or not."""
        self.write_file(".hidden")
        self.write_file(".git/config")
        for name in (".hidden", ".git/config", ".nothing", "pets/.nothing", "."):
            self.assert_forbidden(name)

    def test_a_link_that_leaves_the_library_is_forbidden(self) -> None:
        (self.root / "file").symlink_to("../outside")
        (self.root / "folder").symlink_to("..")
        (self.root / "twice").symlink_to("file")
        (self.root / "nowhere").symlink_to("../nothing")
        for name in ("file", "folder/outside", "twice", "nowhere", "folder"):
            self.assert_forbidden(name)

    def test_errors_do_not_depend_on_what_is_outside(self) -> None:
        outside = self.root.parent / "etc"
        (outside / "folder").mkdir(parents=True)
        for name in ("passwd", "passwd.dat", ".hidden"):
            (outside / name).touch()
        (outside / "back").symlink_to(self.root / "cats")
        (outside / "round").symlink_to("round")
        (self.root / "out").symlink_to(outside)
        (self.root / "up").symlink_to("../etc")
        for folder in ("out", "up"):
            for name in (
                *("passwd", "passwd.dat", "passwd.u8", "nothing", "nothing.dat"),
                *("folder", "folder/nothing", "nothing/nothing", "passwd/nothing"),
                *("back", "round", "x" * 256, "é", "passwd/x.dat"),
            ):
                self.assert_forbidden(f"{folder}/{name}")

    def test_nothing_outside_is_accessed(self) -> None:
        """So response times do not depend on it, either."""
        (self.root / "out").symlink_to("/etc")
        (self.root / "stray").symlink_to("/etc/passwd")
        self.write_file("stray.dat", b"miaow\n")
        seen: list[str] = []
        for name in ("stat", "lstat", "readlink", "open", "access"):
            real = getattr(os, name)

            def look(path: str, *args: Any, real: Any = real, **more: Any) -> Any:
                seen.append(str(path))
                return real(path, *args, **more)

            self.patch(os, name, look)
        library = self.make_library()
        for name in ("out/passwd", "out/passwd.dat", "stray"):
            self.assertRaises(DictionaryForbidden, library.open, name)
        self.assertRaises(DictionaryNotFound, library.open, "stray.dat")
        self.assertEqual([each for each in seen if each.startswith("/etc")], [])
        self.assertEqual([each for each in seen if "out/passwd" in each], [])

    def test_a_link_may_name_the_library_by_another_link(self) -> None:
        other = self.root.with_name("other")
        other.symlink_to(self.root)
        (self.root / "far").symlink_to(other / "cats")
        (self.root / "near").symlink_to("../library/./cats")
        (self.root / "whole").symlink_to(other)
        self.root = other
        for name in ("far", "near", "whole/cats"):
            self.assertEqual(self.read_dictionary(name), b"miaow\n")
        self.assert_forbidden("whole")

    def test_a_folder_with_the_library_name_as_a_prefix_is_outside(self) -> None:
        self.root.with_name("library2").mkdir()
        self.root.with_name("library2").joinpath("dogs").touch()
        (self.root / "dogs").symlink_to("../library2/dogs")
        self.assert_forbidden("dogs")

    def test_other_than_regular_visible_files_are_forbidden(self) -> None:
        """A FIFO does not block, though nothing writes to it."""
        self.write_file("pets/dogs")
        self.write_file(".hidden")
        (self.root / "shown").symlink_to(".hidden")
        (self.root / "round").symlink_to("round")
        os.mkfifo(self.root / "fifo")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.root / "socket"))
            for name in ("pets", "shown", "round", "fifo", "socket"):
                self.assert_forbidden(name)

    def test_files_without_permission_are_forbidden(self) -> None:
        self.write_file("readable")
        self.write_file("secret").chmod(0o000)
        self.write_file("closed/dogs").parent.chmod(0o000)
        self.addCleanup((self.root / "closed").chmod, 0o700)
        self.assertEqual(
            open_unprivileged(self.root, "readable", "secret", "closed/dogs"),
            ["opened", "DictionaryForbidden", "DictionaryForbidden"],
        )

    def test_errors_leave_no_file_open(self) -> None:
        self.write_file("pets/dogs")
        library = self.make_library()
        before = os.listdir("/proc/self/fd")
        library.open("pets/dogs").close()
        self.assertRaises(DictionaryForbidden, library.open, "pets")
        self.assertRaises(DictionaryForbidden, library.open, "../outside")
        self.assertRaises(DictionaryNotFound, library.open, "pets/cats/tom")
        with patch("os.pread", side_effect=OSError(EIO, "broken disk")):
            self.assertRaises(OSError, library.open, "cats")
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_other_system_errors_are_raised(self) -> None:
        library = self.make_library()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
        try:
            errors = [
                self.assertRaises(OSError, library.open, "cats"),
                self.assertRaises(OSError, library.names),
            ]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        self.assertEqual([error.errno for error in errors], [EMFILE, EMFILE])


class PathStateTests(_LibraryTestCase):
    """Tests for L{Library.path_state}."""

    def path_state(self, name: str = "cats") -> PathState | None:
        """Return the state of a path."""
        return self.make_library().path_state(name)

    def test_the_state_of_an_unchanged_file_stays_the_same(self) -> None:
        """Even if the library is a link."""
        before = self.path_state()
        (self.root / "cats").read_bytes()
        self.assertIsNotNone(before)
        self.assertEqual(self.path_state(), before)
        link = self.root.parent / "link"
        link.symlink_to(self.root)
        self.assertEqual(Library(link).path_state("cats"), before)

    def test_any_change_changes_the_state(self) -> None:
        """Even if size and modification time are restored."""
        path = self.root / "cats"
        status = path.stat()

        def restore() -> None:
            path.write_bytes(path.read_bytes().swapcase())
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

        def replace() -> None:
            other = self.root / "other"
            other.write_bytes(path.read_bytes())
            other.rename(path)

        for change in (restore, replace, lambda: path.chmod(0o600)):
            self.check_change("cats", change)

    def check_change(self, name: str, change: Callable[[], object]) -> None:
        """Repeat a change until it has an effect: the clock of the kernel is coarse."""
        before = self.path_state(name)
        for _ in range(100_000):
            change()
            if self.path_state(name) != before:
                break
        self.assertNotIn(self.path_state(name), (before, None))

    def test_changes_of_its_folders_change_the_state(self) -> None:
        self.write_file("pets/small/mice", b"peep\n")
        pets, away = self.root / "pets", self.root.parent / "away"

        def move() -> None:
            pets.rename(away)
            away.rename(pets)

        for change in (move, lambda: (pets / "small").chmod(0o711)):
            self.check_change("pets/small/mice", change)

    def test_a_folder_with_a_time_in_the_future_hides_no_change(self) -> None:
        real, future = os.stat, time() + 3600

        def stat(path: str) -> os.stat_result:
            found = real(path)
            return os.stat_result(found[:10], {"st_ctime_ns": int(future * 1e9)})

        self.patch(os, "stat", stat)
        path = self.root / "cats"
        self.check_change("cats", lambda: os.chmod(path, 0o600))

    def test_a_path_with_a_link_has_no_state(self) -> None:
        self.write_file("pets/mice", b"peep\n")
        (self.root / "link").symlink_to("cats")
        (self.root / "folder").symlink_to("pets")
        (self.root / "leaving").symlink_to(self.outside)
        for name in ("link", "folder/mice", "leaving"):
            self.assertIsNone(self.path_state(name), name)

    def test_a_path_that_cannot_be_opened_has_no_state(self) -> None:
        self.write_file(".hidden", b"secret\n")
        self.write_file("cats.dat")
        os.mkfifo(self.root / "fifo")
        for name in (
            *("../outside", str(self.outside), ".hidden", "pets//mice", ""),
            *(
                "fifo",
                "cats/cats",
                "nothing",
                "a" * 5000,
                "a\0b",
                "a\ud800",
                "cats.dat",
            ),
        ):
            self.assertIsNone(self.path_state(name), name)


class DictionaryTests(_LibraryTestCase):
    """Tests for L{Dictionary<twisted_quotes.library.dictionary.Dictionary>}."""

    def test_each_read_continues_after_the_last_one(self) -> None:
        with self.make_library().open("cats") as dictionary:
            pieces = [dictionary.read(4) for _ in range(3)]
        self.assertEqual(pieces, [b"miao", b"w\n", b""])

    def test_cached_data_is_read_without_blocking(self) -> None:
        with self.make_library().open("cats") as dictionary:
            dictionary.read(3)
            # There is nothing where the file system cannot tell.
            self.assertIn(dictionary.read_nowait(1, 4), (b"iao", None))
            self.assertIn(dictionary.read_nowait(4, 99), (b"w\n", None))
            self.assertEqual(dictionary.read(2), b"ow")

    def test_data_that_is_not_cached_is_not_waited_for(self) -> None:

        def half(_: int, buffers: list[bytearray], *at: int) -> int:
            self.assertEqual(at, (1, os.RWF_NOWAIT))
            buffers[0][:1] = b"i"
            return 1

        def fail(*_: object) -> int:
            raise OSError(EAGAIN, "not now")

        with self.make_library().open("cats") as dictionary:
            for read in (half, fail):
                self.patch(os, "preadv", read)
                self.assertIsNone(dictionary.read_nowait(1, 4))

    def test_a_reader_has_an_offset_of_its_own(self) -> None:
        """Child processes move that of the file."""
        self.write_file("marked", b"\xef\xbb\xbfone\ntwo\n")
        with self.make_library().open("marked") as dictionary:
            reading = TextReader(dictionary, dictionary.rewind())
            self.assertEqual(reading.read(4), b"one\n")
            dictionary.seek(0)
            os.read(dictionary.fileno(), 5)
            self.assertEqual((reading.read(100), reading.read(100)), (b"two\n", b""))
            self.assertEqual(TextReader(dictionary, 7).read(3), b"two")

    def test_a_byte_order_mark_is_skipped(self) -> None:
        """Here and in child processes."""
        self.write_file("marked", b"\xef\xbb\xbfmiaow\n")
        with self.make_library().open("marked") as dictionary:
            for _ in range(2):
                seen = subprocess.run(
                    ["cat"], stdin=dictionary.fileno(), capture_output=True, check=True
                )
                self.assertEqual(seen.stdout, b"miaow\n")
                dictionary.rewind()
            self.assertEqual(dictionary.read(9), b"miaow\n")

    def test_only_one_complete_mark_at_the_start_is_skipped(self) -> None:
        mark = b"\xef\xbb\xbf"
        for data, text in (
            (mark + mark, mark),
            (mark, b""),
            (mark[:2], mark[:2]),
            (b"a" + mark, b"a" + mark),
            (b"", b""),
        ):
            self.write_file("marked", data)
            self.assertEqual(self.read_dictionary("marked"), text)

    def test_utf_16_and_utf_32_are_read_as_utf_8(self) -> None:
        """Here, and in child processes."""
        text = "caf\u00e9\r\n\u65e5\U0001f408\n"
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            self.write_file("wide", f"\ufeff{text}".encode(encoding))
            with self.make_library().open("wide") as dictionary:
                self.assertEqual(dictionary.encoding, encoding[:6])
                seen = subprocess.run(
                    ["cat"], stdin=dictionary.fileno(), capture_output=True, check=True
                )
                self.assertEqual(seen.stdout.decode(), text)
                self.assertEqual(dictionary.size, len(seen.stdout))
                self.assertTrue(dictionary.is_unchanged())
                self.write_file("wide", "\ufeffother".encode(encoding))
                self.assertFalse(dictionary.is_unchanged())
                dictionary.refresh_state()
                self.assertEqual(dictionary.read(99), b"other")

    def test_a_wide_text_that_is_incomplete_is_read_up_to_there(self) -> None:
        self.write_file("wide", "\ufeffone".encode("utf-16-le")[:-1])
        self.assertEqual(self.read_dictionary("wide").decode(), "on\ufffd")

    def test_all_files_of_a_wide_text_are_closed(self) -> None:
        self.write_file("wide", "\ufeffone".encode("utf-16-le"))
        library = self.make_library()
        before = os.listdir("/proc/self/fd")
        library.open("wide").close()
        self.assertEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_a_dictionary_is_unchanged_until_it_is_written_to(self) -> None:
        path = self.root / "cats"
        with self.make_library().open("cats") as dictionary:
            self.write_file("new", b"other\n").rename(path)
            self.assertTrue(dictionary.is_unchanged())
        status = path.stat()
        with self.make_library().open("cats") as dictionary:
            while path.stat().st_ctime_ns == status.st_ctime_ns:
                path.write_bytes(b"OTHER\n")
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            self.assertFalse(dictionary.is_unchanged())

    def test_leaving_the_context_closes_the_file(self) -> None:
        with self.make_library().open("cats") as dictionary:
            descriptor = dictionary.fileno()
            os.fstat(descriptor)
        self.assertRaises(OSError, os.fstat, descriptor)

    def test_a_closed_dictionary_does_not_read_another_file(self) -> None:
        """Which has its former descriptor."""
        self.write_file("dogs", b"woof\n")
        library = self.make_library()
        dictionary = library.open("cats")
        dictionary.close()
        with library.open("dogs") as other:
            self.assertRaises(OSError, dictionary.read, 2)
            self.assertEqual(other.read(9), b"woof\n")


class LibraryTests(_LibraryTestCase):
    """Tests for L{Library}, except for opening."""

    def unusable_reason(self, default: str | None = None) -> str:
        """Return the message of L{LibraryUnusable}."""
        message = str(self.assertRaises(LibraryUnusable, self.make_library, default))
        self.assertNotIn("\n", message)
        return message

    def test_the_default_is_the_first_by_name_or_another(self) -> None:
        self.write_file("birds")
        self.write_file("pets/dogs")
        self.assertEqual(self.make_library().default, "birds")
        self.assertEqual(self.make_library("pets/dogs").default, "pets/dogs")

    def test_a_missing_folder_or_a_file_is_unusable(self) -> None:
        folder = self.root
        for name, reason in (
            ("nothing", "No such file or directory"),
            ("cats", "Not a directory"),
        ):
            self.root = folder / name
            message = self.unusable_reason()
            self.assertIn(str(self.root), message)
            self.assertIn(reason, message)

    def test_a_folder_without_permission_is_unusable(self) -> None:
        self.write_file("readable")
        self.root.chmod(0o000)
        self.addCleanup(self.root.chmod, 0o700)
        [line] = open_unprivileged(self.root)
        self.assertIn("LibraryUnusable cannot read the dictionaries in", line)
        self.assertIn("Permission denied", line)

    def test_a_folder_without_dictionaries_is_unusable(self) -> None:
        (self.root / "cats").unlink()
        self.write_file(".hidden")
        self.assertIn("there is no dictionary in", self.unusable_reason())

    def test_a_missing_or_forbidden_default_is_unusable(self) -> None:
        """The message has the folder and the other names."""
        message = self.unusable_reason("Cat")
        self.assertEqual(
            message,
            f"the default dictionary, in {self.root}: "
            'There is no dictionary "Cat". The nearest is "cats". There are: "cats".',
        )
        self.assertIn("may not be read", self.unusable_reason("../outside"))

    def test_names_are_sorted(self) -> None:
        """Those in folders, too."""
        for name in ("zebras", "pets/dogs", "pets/big/cats", "Ants", "é"):
            self.write_file(name)
        self.assertEqual(
            self.make_library().names(),
            ["Ants", "cats", "pets/big/cats", "pets/dogs", "zebras", "é"],
        )

    def test_folders_may_be_nested_up_to_the_limit_of_the_kernel(self) -> None:
        for name, depth in (("d", 1200), ("e", 2100)):
            self.make_nested_file(name, depth)
        deep = "d/" * 1200 + "tom"
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 50, before[1]))
        try:
            self.assertEqual(self.make_library().names(), ["cats", deep])
            self.assertEqual(self.read_dictionary(deep), b"x")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        library = self.make_library()
        self.assertRaises(DictionaryNotFound, library.open, "e/" * 2100 + "tom")
        self.assertIsNone(library.path_state(deep))

    def make_nested_file(self, name: str, depth: int) -> None:
        """Create a file in nested folders."""
        # What Python has to remove such folders is recursive.
        path = str(self.root / name)
        self.addCleanup(subprocess.run, ["rm", "-r", path], check=True)
        folder = os.open(self.root, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(name, dir_fd=folder)
            below = os.open(name, os.O_RDONLY, dir_fd=folder)
            os.close(folder)
            folder = below
        file = os.open("tom", os.O_CREAT | os.O_WRONLY, dir_fd=folder)
        os.write(file, b"x")
        os.close(file)
        os.close(folder)

    def test_an_error_lists_a_part_of_a_large_library(self) -> None:
        """Its cost is bounded."""
        for number in range(1000):
            self.write_file(f"{number}.dat")
        library = self.make_library()
        looked = []
        real = os.access

        def access(path: str, mode: int, **more: bool) -> bool:
            looked.append(path)
            return real(path, mode, **more)

        self.patch(os, "access", access)
        error = self.assertRaises(DictionaryNotFound, library.open, "dogs")
        self.assertIn(".dat", error.message)
        self.assertLess(len(looked), 500)
        self.assertEqual(len(library.names()), 1001)

    def test_names_exclude_what_cannot_be_opened(self) -> None:
        self.write_file(".hidden")
        self.write_file(".git/config")
        self.write_file("pets/.hidden")
        os.mkfifo(self.root / "fifo")
        (self.root / "gone").symlink_to("nothing")
        (self.root / "round").symlink_to("round")
        Path(os.fsdecode(os.fsencode(self.root) + b"/bad\xff")).touch()
        self.assertEqual(self.make_library().names(), ["cats"])

    def test_names_include_only_links_inside_the_library(self) -> None:
        self.write_file(".hidden")
        (self.root / "toms").symlink_to("cats")
        (self.root / "out").symlink_to("../outside")
        (self.root / "shown").symlink_to(".hidden")
        self.write_file(".folder/kitten")
        (self.root / "kitten").symlink_to(".folder/kitten")
        self.assertEqual(self.make_library().names(), ["cats", "kitten"])

    def test_a_large_dictionary_is_recognized_by_its_size(self) -> None:
        """What a link leads to may be large, too."""
        self.write_file("large", b"x" * 1024 * 1024)
        (self.root / "link").symlink_to("large")
        library = self.make_library()
        for name, large in (("large", True), ("link", True), ("cats", False)):
            self.assertEqual(library.is_large(name), large, name)
        for name in ("nothing", "a\0b", "\ud800"):
            self.assertFalse(library.is_large(name))

    def test_companions_of_fortune_files_are_no_dictionaries(self) -> None:
        for name in ("cats.dat", "pets/dogs", "pets/dogs.dat", "lone.dat"):
            self.write_file(name)
        (self.root / "cats.u8").symlink_to("cats")
        library = self.make_library()
        self.assertEqual(library.names(), ["cats", "lone.dat", "pets/dogs"])
        for name in ("cats.dat", "cats.u8", "pets/dogs.dat"):
            self.assertRaises(DictionaryNotFound, library.open, name)
        library.open("lone.dat").close()

    def test_all_dictionaries_may_be_the_default(self) -> None:
        """There must be one when the service starts."""
        library = self.make_library("*")
        self.assertEqual(library.default, "*")
        library.check_default()
        shutil.rmtree(self.root)
        self.assertRaises(OSError, library.check_default)
        self.root.mkdir()
        library.check_default()
        self.assertRaises(LibraryUnusable, self.make_library, "*")

    def test_a_file_with_the_name_for_all_dictionaries_is_not_served(self) -> None:
        """C{*} never means that file; in a folder it is a name like any other."""
        path = self.write_file("*")
        self.write_file("folder/*")
        library = self.make_library()
        self.assertEqual(library.default, "cats")
        self.assertEqual(library.names(), ["cats", "folder/*"])
        self.assertRaises(DictionaryNotFound, library.open, "*")
        self.assertIsNone(library.path_state("*"))
        path.unlink()
        self.write_file("*/cats")
        self.assertEqual(library.names(), ["*/cats", "cats", "folder/*"])

    def test_names_exclude_files_without_permission(self) -> None:
        self.write_file("secret").chmod(0)
        self.write_file("closed/dogs")
        (self.root / "closed").chmod(0)
        self.addCleanup((self.root / "closed").chmod, 0o700)
        self.write_file("readable", b"x")
        self.assertEqual(open_unprivileged(self.root), ["cats", "readable"])
