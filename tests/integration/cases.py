"""
What the tests of the real process have in common.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any, TypeVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .server import WORKER_COUNT, Server, running_server

Test = TypeVar("Test", bound=Callable[..., object])


def single_process_only(reason: str) -> Callable[[Test], Test]:
    """
    Mark a test that can be about one process alone, and is left out where servers
    have several workers.

    @param reason: why that is so.
    """

    def mark(test: Test) -> Test:
        if WORKER_COUNT > 1:
            test.skip = f"one process: {reason}"  # type: ignore[attr-defined]
        return test

    return mark


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

    def serve(self, *options: str, **kwargs: Any) -> Server:
        """Serve the library until the test is over."""
        server = running_server(f"--dictionaries={self.library}", *options, **kwargs)
        self.addCleanup(server.__exit__, None, None, None)
        return server.__enter__()


def find_program(name: str, package: str) -> str:
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
