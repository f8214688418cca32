"""
Tests for L{twisted_quotes.build}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.index import load_index

from .integration.server import is_gone, until

ROOT = Path(__file__).parents[1]
LOADED = """
import sys, twisted_quotes.build
print([each for each in ("twisted", "msgspec") if each in sys.modules])
"""

# Starts a process that waits as the real one works, says which, and does nothing.
PARENT = """
import subprocess, sys
code = (
    "import sys, pathlib; from twisted_quotes.build import end_with_parent; "
    "end_with_parent(); pathlib.Path(sys.argv[1], 'ready').touch(); sys.stdin.read()"
)
with open(sys.argv[1]) as file:
    command = [sys.executable, "-P", "-c", code, sys.argv[2]]
    child = subprocess.Popen(command, stdin=file)
    print(child.pid, flush=True)
    child.wait()
"""


class BuildTests(SynchronousTestCase):
    """Tests of the process that writes an index."""

    def setUp(self) -> None:
        """Make a folder to write in."""
        room = TemporaryDirectory()
        self.addCleanup(room.cleanup)
        self.room = Path(room.name)

    def build(self, folder: str) -> subprocess.CompletedProcess[bytes]:
        """Run it, with a dictionary that was partly read."""
        path = self.room / "book"
        path.write_bytes(b"one\n\ntwo\n")
        with path.open("rb") as file:
            os.read(file.fileno(), 5)
            return subprocess.run(
                [sys.executable, "-P", "-m", "twisted_quotes.build", folder],
                stdin=file,
                capture_output=True,
                env={"PYTHONPATH": str(ROOT)},
            )

    def test_it_writes_the_index_of_its_standard_input(self) -> None:
        """From the start of the file, into the folder it is told."""
        done = self.build(str(self.room))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertEqual(load_index(str(self.room)).count, 2)

    def test_it_says_why_it_failed(self) -> None:
        """A folder that cannot be written is named on standard error."""
        done = self.build(str(self.room / "none"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"No such file or directory", done.stderr)

    def test_it_loads_nothing_of_twisted(self) -> None:
        """It starts quickly, and stays small."""
        loaded = subprocess.run(
            [
                sys.executable,
                "-P",
                "-c",
                LOADED,
            ],
            capture_output=True,
            check=True,
            env={"PYTHONPATH": str(ROOT)},
        )
        self.assertEqual(loaded.stdout, b"[]\n")

    def test_it_ends_with_the_service(self) -> None:
        """Even where that was killed, and could tell nobody."""
        path = self.room / "book"
        os.mkfifo(path)
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(path), str(self.room)],
            stdout=subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT)},
        )
        assert parent.stdout is not None
        self.addCleanup(parent.stdout.close)
        with path.open("wb"):
            child = int(parent.stdout.readline())
            until(lambda: (self.room / "ready").exists(), "the child at work")
            parent.kill()
            parent.wait()
            until(lambda: is_gone(child), "the child's end")
