"""
The base of the tests of the real process.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any, TypeVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .fake_grep import GatedGrep
from .server import WORKER_COUNT, Server, running_server

LOVE_QUERY = {"action": "search", "term": "love"}

Test = TypeVar("Test", bound=Callable[..., object])


def single_process_only(reason: str) -> Callable[[Test], Test]:
    """
    Skip a test, or the tests of a class, where servers have several workers. The reason
    says why the test is about one process.
    """

    def mark(test: Test) -> Test:
        if WORKER_COUNT > 1:
            test.skip = f"one process: {reason}"  # type: ignore[attr-defined]
        return test

    return mark


class LibraryTestCase(SynchronousTestCase):
    """
    A library, and servers that serve it.

    @ivar folder: a temporary folder.
    @ivar library: the folder of the library in it.
    """

    def setUp(self) -> None:
        """Make an empty library."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.library = self.folder / "library"
        self.library.mkdir()

    def serve_gated(self, *options: str, **kwargs: Any) -> tuple[GatedGrep, Server]:
        """Serve the library with a grep that waits until the test opens its gate."""
        gated = GatedGrep(self.folder)
        environment = kwargs.pop("environment", {}) | gated.environment
        return gated, self.serve(*options, environment=environment, **kwargs)

    def serve(self, *options: str, **kwargs: Any) -> Server:
        """Serve the library until the test ends."""
        server = running_server(f"--dictionaries={self.library}", *options, **kwargs)
        self.addCleanup(server.__exit__, None, None, None)
        return server.__enter__()


def find_program(name: str, package: str) -> str:
    """
    Return the path of a program. If it is missing, skip the test, or fail in CI.

    @param package: the Debian package of the program.
    """
    path = which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        reason = f"{name} is not installed (Debian has it in {package})"
        if os.environ.get("CI"):
            raise AssertionError(reason)
        raise SkipTest(reason)
    return path
