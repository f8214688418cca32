"""
Tests for L{twisted_quotes.library.packs.building.process}.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from twisted_quotes.library.packs.building.process import (
    Task,
    read_progress,
    time_limit,
)
from twisted_quotes.library.packs.pack import Pack

from ..cases import PackTestCase

ROOT = Path(__file__).parents[4]
PROGRAM = "twisted_quotes.library.packs.building.process"
LOADED_MODULES_SCRIPT = f"""
import sys, {PROGRAM}
print("twisted" in sys.modules)
"""
# The first dictionary is never indexed to its end; not even a signal handler in Python
# would be called.
ENDLESS_SCRIPT = """
import re, sys
from twisted_quotes.library.packs.building import pack_writer, process
process.BASE_TIME_LIMIT = 0.1
real = pack_writer.find_attribution
def find_attribution(text):
    if "endless" in text:
        re.match("(a+)+b", "a" * 40)
    return real(text)
pack_writer.find_attribution = find_attribution
process.main()
"""


def run_python(
    *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run Python with this package, and without the current folder in its path."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        input=stdin,
        capture_output=True,
        env={"PYTHONPATH": str(ROOT)},
    )


class ProcessTests(PackTestCase):
    """Tests of the process that writes a pack."""

    def setUp(self) -> None:
        super().setUp()
        self.pack_folder = self.temporary_folder / "pack"
        self.pack_folder.mkdir()

    def build(
        self, *sources: str, arguments: tuple[str, ...] = ("-m", PROGRAM)
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the process for all dictionaries."""
        task = Task(
            os.fsencode(self.folder),
            self.make_plan().dictionaries,
            tuple(map(os.fsencode, sources)),
        )
        folder = str(self.pack_folder)
        return run_python(*arguments, folder, stdin=msgspec.json.encode(task))

    def test_a_pack_is_written_to_the_folder(self) -> None:
        self.write({"a": "1\n\n2", "\u00e9 b": "3"})
        done = self.build()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"[]", b""))
        pack = Pack.load(str(self.pack_folder), {})
        self.assertEqual([x.name for x in pack.dictionaries], ["a", "\u00e9 b"])
        self.assertEqual(pack.quote_count, 3)
        self.assertIsNone(read_progress(str(self.pack_folder)))

    def test_dictionaries_are_copied_from_sources(self) -> None:
        """Damaged ones are ignored."""
        old = self.pack_files({"a": "1", "b": "2"})
        self.write({"b": "new"})
        self.build(old.folder, str(self.folder)).check_returncode()
        self.assertEqual(
            Pack.load(str(self.pack_folder), {}).directory, self.write_pack().directory
        )

    def test_an_error_is_reported_on_standard_error(self) -> None:
        self.write({"a": "1"})
        self.pack_folder.rmdir()
        done = self.build()
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"No such file or directory", done.stderr)

    def test_a_dictionary_that_takes_too_long_ends_the_process(self) -> None:
        """Its number is known then."""
        self.write({"a": "1", "b": "endless", "c": "3"})
        done = self.build(arguments=("-c", ENDLESS_SCRIPT))
        self.assertEqual(done.returncode, -signal.SIGPROF, done)
        self.assertEqual(read_progress(str(self.pack_folder)), 1)
        self.assertRaises(FileNotFoundError, Pack.load, str(self.pack_folder), {})

    def test_a_dictionary_may_take_longer_if_it_is_large_or_alone(self) -> None:
        self.assertLess(time_limit(0, False), time_limit(0, True))
        self.assertLess(time_limit(0, False), time_limit(10**7, False))

    def test_twisted_is_not_imported(self) -> None:
        """So it starts quickly and stays small."""
        loaded = run_python("-c", LOADED_MODULES_SCRIPT)
        loaded.check_returncode()
        self.assertEqual(loaded.stdout, b"False\n")
