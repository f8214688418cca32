"""
Tests for L{twisted_quotes.library.indexes.process}.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.indexes.format import load_index
from twisted_quotes.quotes.formats import QuoteFormat

ROOT = Path(__file__).parents[2]
LOADED_MODULES_SCRIPT = """
import sys, twisted_quotes.library.indexes.process
print([each for each in ("twisted", "msgspec") if each in sys.modules])
"""


def run_python(
    *arguments: str, stdin: BinaryIO | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run Python with this package, and without the current folder in its path."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        stdin=stdin,
        capture_output=True,
        env={"PYTHONPATH": str(ROOT)},
    )


class BuildTests(SynchronousTestCase):
    """Tests of the process that writes an index."""

    def setUp(self) -> None:
        """Make a folder to write in."""
        self.temporary_folder = Path(self.enterContext(TemporaryDirectory()))

    def build(
        self, folder: str, header: str = "null"
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the process with a dictionary of which a part has been read."""
        path = self.temporary_folder / "book"
        path.write_bytes(b"one\n\ntwo\n")
        with path.open("rb") as file:
            os.read(file.fileno(), 5)
            program = "twisted_quotes.library.indexes.process"
            return run_python("-m", program, header, folder, stdin=file)

    def test_the_index_of_standard_input_is_written_to_the_folder(self) -> None:
        """The file is read from its start."""
        done = self.build(str(self.temporary_folder))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertEqual(load_index(str(self.temporary_folder)).count, 2)

    def test_the_format_is_that_of_the_header(self) -> None:
        self.build(str(self.temporary_folder), '["%", true]').check_returncode()
        self.assertEqual(
            load_index(str(self.temporary_folder)).quote_format,
            QuoteFormat("percent", "%", rot13=True),
        )

    def test_an_error_is_reported_on_standard_error(self) -> None:
        done = self.build(str(self.temporary_folder / "none"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(b"No such file or directory", done.stderr)

    def test_neither_twisted_nor_msgspec_is_imported(self) -> None:
        """So it starts quickly and stays small."""
        loaded = run_python("-c", LOADED_MODULES_SCRIPT)
        loaded.check_returncode()
        self.assertEqual(loaded.stdout, b"[]\n")
