"""
Tests for L{twisted_quotes.make_library.make_library}.
"""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from errno import EAGAIN, EMFILE
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Any

from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import DictionaryForbidden, DictionaryNotFound
from twisted_quotes.library.dictionary import DictionaryReader, PathState
from twisted_quotes.library.library import Library, LibraryUnusable

# Prints what becomes of a library, and of each name in it, without the rights
# that let root read anything.
OPEN_SCRIPT = """
import sys
from twisted.python.filepath import FilePath
from twisted_quotes.library.library import Library
try:
    library = Library(FilePath(sys.argv[1]), "readable")
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
    """Open dictionaries in a process that permissions hold for."""
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
        """Make a library with one dictionary, and a file outside of it."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.outside = Path(folder.name, "outside")
        self.outside.write_bytes(b"secret\n")
        self.root = Path(folder.name, "library")
        self.root.mkdir()
        self.write_file("cats", b"miaow\n")

    def write_file(self, name: str, data: bytes = b"") -> Path:
        """Write a file into the library."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def make_library(self, default: str | None = None) -> Library:
        """The library as it is now."""
        return Library(FilePath(str(self.root)), default)

    def read_dictionary(self, name: str) -> bytes:
        """All of a dictionary."""
        with self.make_library().open(name) as dictionary:
            return dictionary.read(100)


class OpenTests(_LibraryTestCase):
    """Names to open files."""

    def assert_forbidden(self, name: str) -> None:
        """A name may not be read, and the message tells no path."""
        error = self.assertRaises(DictionaryForbidden, self.make_library().open, name)
        self.assertNotIn(str(self.root.parent), error.message)

    def assert_not_found(self, name: str) -> None:
        """A name is not there, and the message tells which are."""
        error = self.assertRaises(DictionaryNotFound, self.make_library().open, name)
        self.assertIn('There are: "cats"', error.message)
        self.assertNotIn(str(self.root.parent), error.message)

    def test_a_file(self) -> None:
        """A file in the library is opened at its start."""
        self.assertEqual(self.read_dictionary("cats"), b"miaow\n")

    def test_a_file_in_a_folder(self) -> None:
        """Folders are named with slashes."""
        self.write_file("pets/big/dogs", b"woof\n")
        self.assertEqual(self.read_dictionary("pets/big/dogs"), b"woof\n")

    def test_names_of_many_kinds(self) -> None:
        """A name may hold blanks, dashes, dots and any letters."""
        for name in ("a b", "-e", "--", "c..d", "e.txt", "é 🐈"):
            self.write_file(name, b"x")
            self.assertEqual(self.read_dictionary(name), b"x")

    def test_a_link_to_a_file_inside(self) -> None:
        """A link may be followed as long as it stays inside."""
        self.write_file("pets/dogs", b"woof\n")
        (self.root / "dogs").symlink_to("pets/dogs")
        (self.root / "animals").symlink_to(self.root / "pets")
        self.assertEqual(self.read_dictionary("dogs"), b"woof\n")
        self.assertEqual(self.read_dictionary("animals/dogs"), b"woof\n")

    def test_a_library_that_is_a_link_itself(self) -> None:
        """The library may be reached by a link, and nothing else changes."""
        link = self.root.with_name("link")
        link.symlink_to(self.root)
        self.root = link
        self.assertEqual(self.read_dictionary("cats"), b"miaow\n")
        self.assert_forbidden("../outside")

    def test_no_such_file(self) -> None:
        """A name that is not there is not found."""
        self.assert_not_found("dogs")
        self.assert_not_found("pets/dogs")

    def test_below_a_file(self) -> None:
        """A file is no folder."""
        self.assert_not_found("cats/tom")

    def test_a_link_to_nothing(self) -> None:
        """A link whose file is gone is not found."""
        (self.root / "gone").symlink_to("nothing")
        self.assert_not_found("gone")

    def test_names_too_long_for_a_file(self) -> None:
        """No file can have such a name, so there is none."""
        self.assert_not_found("x" * 256)
        self.assert_not_found("/".join(["x" * 200] * 21))

    def test_a_file_that_was_removed(self) -> None:
        """What is there is looked at for every call."""
        library = self.make_library()
        (self.root / "cats").unlink()
        self.assertRaises(DictionaryNotFound, library.open, "cats")

    def test_dots(self) -> None:
        """A name with C{..} is refused, even one that would end inside."""
        for name in ("..", "../outside", "../library/cats", "pets/../cats", "x/../.."):
            self.assert_forbidden(name)

    def test_absolute(self) -> None:
        """An absolute path is refused, even that of a dictionary."""
        for name in ("/etc/passwd", "/", str(self.root / "cats"), "//cats"):
            self.assert_forbidden(name)

    def test_hidden(self) -> None:
        """Hidden files and all in hidden folders are refused, there or not."""
        self.write_file(".hidden")
        self.write_file(".git/config")
        for name in (".hidden", ".git/config", ".nothing", "pets/.nothing", "."):
            self.assert_forbidden(name)

    def test_segments_that_are_no_names(self) -> None:
        """Empty segments and single dots are refused."""
        self.write_file("pets/dogs")
        for name in ("", "cats/", "pets//dogs", "./cats", "pets/./dogs"):
            self.assert_forbidden(name)

    def test_a_link_that_leaves_the_library(self) -> None:
        """A link is no way out, by file, by folder, by detour or to nothing."""
        (self.root / "file").symlink_to("../outside")
        (self.root / "folder").symlink_to("..")
        (self.root / "twice").symlink_to("file")
        (self.root / "nowhere").symlink_to("../nothing")
        for name in ("file", "folder/outside", "twice", "nowhere", "folder"):
            self.assert_forbidden(name)

    def test_a_link_that_leaves_tells_nothing_of_what_is_outside(self) -> None:
        """Whatever is there, or is not, and whatever it may be."""
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

    def test_nothing_outside_is_looked_at(self) -> None:
        """How long an answer takes tells nothing, either."""
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

    def test_a_link_through_the_library_s_other_name(self) -> None:
        """Where the library is reached by a link, its links may name that."""
        other = self.root.with_name("other")
        other.symlink_to(self.root)
        (self.root / "far").symlink_to(other / "cats")
        (self.root / "near").symlink_to("../library/./cats")
        (self.root / "whole").symlink_to(other)
        self.root = other
        for name in ("far", "near", "whole/cats"):
            self.assertEqual(self.read_dictionary(name), b"miaow\n")
        self.assert_forbidden("whole")

    def test_a_link_to_something_hidden(self) -> None:
        """A link does not uncover what is hidden."""
        self.write_file(".hidden")
        (self.root / "shown").symlink_to(".hidden")
        self.assert_forbidden("shown")

    def test_a_link_to_itself(self) -> None:
        """A link that goes round in circles is refused."""
        (self.root / "round").symlink_to("round")
        self.assert_forbidden("round")

    def test_a_neighbour_whose_name_starts_alike(self) -> None:
        """A folder beside the library is outside, whatever its name."""
        self.root.with_name("library2").mkdir()
        self.root.with_name("library2").joinpath("dogs").touch()
        (self.root / "dogs").symlink_to("../library2/dogs")
        self.assert_forbidden("dogs")

    def test_a_folder(self) -> None:
        """A folder is no dictionary."""
        self.write_file("pets/dogs")
        self.assert_forbidden("pets")

    def test_a_fifo_does_not_block(self) -> None:
        """A FIFO is refused at once, though nobody writes to it."""
        os.mkfifo(self.root / "fifo")
        self.assert_forbidden("fifo")

    def test_a_socket(self) -> None:
        """A socket is refused."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.root / "socket"))
            self.assert_forbidden("socket")

    def test_what_may_not_be_read(self) -> None:
        """A file without permission, or in a folder without, is refused."""
        self.write_file("readable")
        self.write_file("secret").chmod(0o000)
        self.write_file("closed/dogs").parent.chmod(0o000)
        self.addCleanup((self.root / "closed").chmod, 0o700)
        self.assertEqual(
            open_unprivileged(self.root, "readable", "secret", "closed/dogs"),
            ["opened", "DictionaryForbidden", "DictionaryForbidden"],
        )

    def test_refusals_leave_no_file_open(self) -> None:
        """However opening ends, nothing stays open behind it."""
        self.write_file("pets/dogs")
        library = self.make_library()
        before = os.listdir("/proc/self/fd")
        library.open("pets/dogs").close()
        self.assertRaises(DictionaryForbidden, library.open, "pets")
        self.assertRaises(DictionaryForbidden, library.open, "../outside")
        self.assertRaises(DictionaryNotFound, library.open, "pets/cats/tom")
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    def test_errors_of_the_machine_are_not_the_name_s_fault(self) -> None:
        """Where no file can be opened at all, that is what is raised."""
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


class FileStateTests(_LibraryTestCase):
    """Tests of looking at a dictionary from outside."""

    def file_state(self, name: str = "cats") -> PathState | None:
        """Look at one."""
        return self.make_library().path_state(name)

    def test_a_file_that_stays_as_it_is_has_one_version(self) -> None:
        """However often it is read, and if the library itself is a link."""
        before = self.file_state()
        (self.root / "cats").read_bytes()
        self.assertIsNotNone(before)
        self.assertEqual(self.file_state(), before)
        link = self.root.parent / "link"
        link.symlink_to(self.root)
        self.assertEqual(Library(FilePath(str(link))).path_state("cats"), before)

    def test_whatever_is_done_to_it_makes_another(self) -> None:
        """Even where its size and the time of its last change are put back."""
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
        """Make a change until it is seen: the kernel's clock goes on in steps."""
        before = self.file_state(name)
        for _ in range(100_000):
            change()
            if self.file_state(name) != before:
                break
        self.assertNotIn(self.file_state(name), (before, None))

    def test_so_does_what_is_done_to_the_folders_on_the_way(self) -> None:
        """Even where they are moved away and back, or may no longer be listed."""
        self.write_file("pets/small/mice", b"peep\n")
        pets, away = self.root / "pets", self.root.parent / "away"

        def move() -> None:
            pets.rename(away)
            away.rename(pets)

        for change in (move, lambda: (pets / "small").chmod(0o711)):
            self.check_change("pets/small/mice", change)

    def test_what_is_done_to_it_is_seen_beside_a_folder_of_the_future(self) -> None:
        """Such as a clock leaves behind that was set back."""
        real, future = os.stat, time() + 3600

        def stat(path: str) -> os.stat_result:
            found = real(path)
            return os.stat_result(found[:10], {"st_ctime_ns": int(future * 1e9)})

        self.patch(os, "stat", stat)
        path = self.root / "cats"
        self.check_change("cats", lambda: os.chmod(path, 0o600))

    def test_what_a_link_leads_to_has_none(self) -> None:
        """It could lead elsewhere meanwhile, and back."""
        self.write_file("pets/mice", b"peep\n")
        (self.root / "link").symlink_to("cats")
        (self.root / "folder").symlink_to("pets")
        (self.root / "leaving").symlink_to(self.outside)
        for name in ("link", "folder/mice", "leaving"):
            self.assertIsNone(self.file_state(name), name)

    def test_nothing_outside_is_looked_at(self) -> None:
        """Not even whether it is there."""
        self.write_file(".hidden", b"secret\n")
        for name in ("../outside", str(self.outside), ".hidden", "pets//mice", ""):
            self.assertIsNone(self.file_state(name), name)

    def test_what_is_not_there_has_none(self) -> None:
        """Nor has what could never be opened."""
        (self.root / "cats.dat").write_bytes(b"strfile's")
        os.mkfifo(self.root / "fifo")
        for name in (
            "fifo",
            "cats/cats",
            "nothing",
            "a" * 5000,
            "a\0b",
            "a\ud800",
            "cats.dat",
        ):
            self.assertIsNone(self.file_state(name), name)


class DictionaryTests(_LibraryTestCase):
    """A dictionary that is open."""

    def test_it_is_read_piece_by_piece(self) -> None:
        """Each read goes on where the last one ended."""
        with self.make_library().open("cats") as dictionary:
            pieces = [dictionary.read(4) for _ in range(3)]
        self.assertEqual(pieces, [b"miao", b"w\n", b""])

    def test_what_is_in_memory_is_read_at_once(self) -> None:
        """As far as the file goes, wherever it was last read."""
        with self.make_library().open("cats") as dictionary:
            dictionary.read(3)
            # There is nothing where the file system cannot tell.
            self.assertIn(dictionary.read_nowait(1, 4), (b"iao", None))
            self.assertIn(dictionary.read_nowait(4, 99), (b"w\n", None))
            self.assertEqual(dictionary.read(2), b"ow")

    def test_what_is_not_in_memory_is_not_waited_for(self) -> None:
        """Nor is half of it enough, nor a file system that cannot tell."""

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

    def test_it_can_be_read_from_a_position_of_its_own(self) -> None:
        """Wherever children, that have been killed perhaps, read on meanwhile."""
        self.write_file("marked", b"\xef\xbb\xbfone\ntwo\n")
        with self.make_library().open("marked") as dictionary:
            reading = DictionaryReader(dictionary, dictionary.rewind())
            self.assertEqual(reading.read(4), b"one\n")
            dictionary.seek(0)
            os.read(dictionary.fileno(), 5)
            self.assertEqual((reading.read(100), reading.read(100)), (b"two\n", b""))
            self.assertEqual(DictionaryReader(dictionary, 7).read(3), b"two")

    def test_it_can_be_read_again(self) -> None:
        """Rewound, it is read from its start."""
        with self.make_library().open("cats") as dictionary:
            dictionary.read(4)
            dictionary.rewind()
            self.assertEqual(dictionary.read(9), b"miaow\n")

    def test_a_byte_order_mark_is_passed_over(self) -> None:
        """A mark at the start is not read, here or by a child, at any time."""
        self.write_file("marked", b"\xef\xbb\xbfmiaow\n")
        with self.make_library().open("marked") as dictionary:
            for _ in range(2):
                seen = subprocess.run(
                    ["cat"], stdin=dictionary.fileno(), capture_output=True, check=True
                )
                self.assertEqual(seen.stdout, b"miaow\n")
                dictionary.rewind()
            self.assertEqual(dictionary.read(9), b"miaow\n")

    def test_one_mark_is_passed_over(self) -> None:
        """A second mark, half a mark, or one elsewhere is text."""
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

    def test_it_is_unchanged_until_it_is_written_to(self) -> None:
        """Replaced or removed, it stays what was opened; put back, it does not."""
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

    def test_it_is_closed_at_the_end(self) -> None:
        """Left, it holds no file descriptor any more."""
        with self.make_library().open("cats") as dictionary:
            descriptor = dictionary.fileno()
            os.fstat(descriptor)
        self.assertRaises(OSError, os.fstat, descriptor)

    def test_closed_it_reads_no_other_file(self) -> None:
        """One that is closed cannot take bytes from a file opened after it."""
        self.write_file("dogs", b"woof\n")
        library = self.make_library()
        dictionary = library.open("cats")
        dictionary.close()
        with library.open("dogs") as other:
            self.assertRaises(OSError, dictionary.read, 2)
            self.assertEqual(other.read(9), b"woof\n")


class LibraryTests(_LibraryTestCase):
    """The library as a whole."""

    def unusable_reason(self, default: str | None = None) -> str:
        """Why the library cannot be served."""
        message = str(self.assertRaises(LibraryUnusable, self.make_library, default))
        self.assertNotIn("\n", message)
        return message

    def test_the_default_is_the_first_by_name(self) -> None:
        """Where none is named, the first one is the default."""
        self.write_file("birds")
        self.write_file("zebras")
        self.assertEqual(self.make_library().default, "birds")

    def test_the_default_is_the_one_named(self) -> None:
        """One that is named need not be the first."""
        self.write_file("pets/dogs")
        self.assertEqual(self.make_library("pets/dogs").default, "pets/dogs")

    def test_no_such_folder(self) -> None:
        """A folder that is not there is named."""
        self.root = self.root / "nothing"
        message = self.unusable_reason()
        self.assertIn(str(self.root), message)
        self.assertIn("No such file or directory", message)

    def test_not_a_folder(self) -> None:
        """A file is no library."""
        self.root = self.root / "cats"
        self.assertIn("Not a directory", self.unusable_reason())

    def test_a_folder_that_may_not_be_read(self) -> None:
        """A library without permission cannot be served."""
        self.write_file("readable")
        self.root.chmod(0o000)
        self.addCleanup(self.root.chmod, 0o700)
        [line] = open_unprivileged(self.root)
        self.assertIn("LibraryUnusable cannot read the dictionaries in", line)
        self.assertIn("Permission denied", line)

    def test_an_empty_folder(self) -> None:
        """A library needs a dictionary."""
        (self.root / "cats").unlink()
        self.write_file(".hidden")
        self.assertIn("there is no dictionary in", self.unusable_reason())

    def test_no_such_default(self) -> None:
        """A default that is not there is named, with those that are."""
        message = self.unusable_reason("dogs")
        self.assertIn("the default dictionary: ", message)
        self.assertIn('no dictionary "dogs". There are: "cats"', message)

    def test_a_forbidden_default(self) -> None:
        """The default has to be inside like any other."""
        self.assertIn("may not be read", self.unusable_reason("../outside"))

    def test_names_are_in_order(self) -> None:
        """The names of all dictionaries, those in folders too, are sorted."""
        for name in ("zebras", "pets/dogs", "pets/big/cats", "Ants", "é"):
            self.write_file(name)
        self.assertEqual(
            self.make_library().names(),
            ["Ants", "cats", "pets/big/cats", "pets/dogs", "zebras", "é"],
        )

    def test_folders_may_be_nested_as_deep_as_a_path_goes(self) -> None:
        """What is deeper down is no dictionary, and stops nothing."""
        for name, depth in (("d", 1200), ("e", 2100)):
            self.make_nested_file(name, depth)
        deep = "d/" * 1200 + "tom"
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
        try:
            self.assertEqual(self.make_library().names(), ["cats", deep])
            self.assertEqual(self.read_dictionary(deep), b"x")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        self.assert_absent("e/" * 2100 + "tom")
        self.assertIsNone(self.make_library().path_state(deep))

    def make_nested_file(self, name: str, depth: int) -> None:
        """Make a folder in a folder in a folder, with a file in the last one."""
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

    def assert_absent(self, name: str) -> None:
        """There is no such dictionary."""
        self.assertRaises(DictionaryNotFound, self.make_library().open, name)

    def test_a_message_looks_at_a_part_of_a_large_library(self) -> None:
        """What names it gives costs the same, however many there are."""
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
        self.assertEqual(library.count, 1001)

    def test_names_are_of_what_can_be_opened(self) -> None:
        """What is hidden, no regular file, gone or no text is no name."""
        self.write_file(".hidden")
        self.write_file(".git/config")
        self.write_file("pets/.hidden")
        os.mkfifo(self.root / "fifo")
        (self.root / "gone").symlink_to("nothing")
        (self.root / "round").symlink_to("round")
        Path(os.fsdecode(os.fsencode(self.root) + b"/bad\xff")).touch()
        self.assertEqual(self.make_library().names(), ["cats"])

    def test_names_hold_links_that_stay_inside(self) -> None:
        """A link to a dictionary is a dictionary."""
        (self.root / "toms").symlink_to("cats")
        self.assertEqual(self.make_library().names(), ["cats", "toms"])

    def test_names_hold_no_link_that_is_refused(self) -> None:
        """A link that leaves the library, or uncovers something, is no name."""
        self.write_file(".hidden")
        (self.root / "out").symlink_to("../outside")
        (self.root / "shown").symlink_to(".hidden")
        self.assertEqual(self.make_library().names(), ["cats"])

    def test_companions_of_fortune_files_are_no_dictionaries(self) -> None:
        """What strfile and Debian put beside a file is neither listed nor opened."""
        for name in ("cats.dat", "pets/dogs", "pets/dogs.dat", "lone.dat"):
            self.write_file(name)
        (self.root / "cats.u8").symlink_to("cats")
        library = self.make_library()
        self.assertEqual(library.names(), ["cats", "lone.dat", "pets/dogs"])
        for name in ("cats.dat", "cats.u8", "pets/dogs.dat"):
            self.assertRaises(DictionaryNotFound, library.open, name)
        library.open("lone.dat").close()

    def test_names_are_of_what_may_be_read(self) -> None:
        """A file or a folder without permission is not listed, and stops nothing."""
        self.write_file("secret").chmod(0)
        self.write_file("closed/dogs")
        (self.root / "closed").chmod(0)
        self.addCleanup((self.root / "closed").chmod, 0o700)
        self.write_file("readable", b"x")
        self.assertEqual(open_unprivileged(self.root), ["cats", "readable"])
