"""
Base classes and helpers for tests that run the real process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import which
from typing import Any, ClassVar, TypeVar

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .fake_grep import GatedPrograms
from .http_connection import TIMEOUT
from .server import ROOT, WORKER_COUNT, Server, running_server

LOVE_QUERY = {"action": "search", "term": "love"}

Test = TypeVar("Test", bound=Callable[..., object])


def single_process_only(reason: str) -> Callable[[Test], Test]:
    """
    Skip a test, or all tests of a class, if servers have several workers.

    @param reason: why the test needs a single process.
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
    @cvar dictionaries: the texts of its dictionaries by name.
    """

    dictionaries: ClassVar[Mapping[str, str]] = {}

    def setUp(self) -> None:
        """Write the library."""
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.library = self.folder / "library"
        self.library.mkdir()
        for name, text in self.dictionaries.items():
            (self.library / name).write_text(text)

    def serve_gated(self, *options: str, **kwargs: Any) -> tuple[GatedPrograms, Server]:
        """Serve the library with a grep that waits until the test opens its gate."""
        gated = GatedPrograms(self.folder)
        environment = kwargs.pop("environment", {}) | gated.environment
        return gated, self.serve(*options, environment=environment, **kwargs)

    def serve(self, *options: str, **kwargs: Any) -> Server:
        """Serve the library until the test ends."""
        return self.enterContext(
            running_server(f"--dictionaries={self.library}", *options, **kwargs)
        )


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


def run_twist(*arguments: str) -> str:
    """Run C{twist} to its end; return its output."""
    return subprocess.check_output(
        [sys.executable, "-m", "twisted", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        text=True,
        timeout=TIMEOUT,
    )


def build_wheel(source: Path, folder: Path) -> Path:
    """Build a wheel from a copy of the source."""
    subprocess.run(
        [
            *(sys.executable, "setup.py", "--quiet", "bdist_wheel"),
            *(f"--dist-dir={folder}", f"--bdist-dir={folder}/bdist"),
        ],
        cwd=source,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        check=True,
        capture_output=True,
        timeout=TIMEOUT,
    )
    [wheel] = folder.glob("*.whl")
    return wheel
