"""
What the tests of the real process have in common.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

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
