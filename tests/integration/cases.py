"""
What the tests of the real process have in common.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from shutil import which
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .server import Server, running


class LibraryTestCase(SynchronousTestCase):
    """
    A folder with a library in it, and servers that serve it.

    @ivar folder: what is in it, but not in the library, is outside.
    @ivar library: the library's folder.
    """

    def setUp(self) -> None:
        """Make an empty library."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.library = self.folder / "library"
        self.library.mkdir()

    def serve(self, *options: str, **how: Any) -> Server:
        """Serve the library until the test is over."""
        server = running(f"--dictionaries={self.library}", *options, **how)
        self.addCleanup(server.__exit__, None, None, None)
        return server.__enter__()


def program(name: str, package: str) -> str:
    """
    Find a program; without it a test is skipped, but fails where all is tested.

    @param package: Debian's package that has it.
    """
    found = which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        reason = f"{name} is not installed (Debian has it in {package})"
        if os.environ.get("CI"):
            raise AssertionError(reason)
        raise SkipTest(reason)
    return found
