"""
Programs that a server runs instead of the real grep.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shutil import which

from .server import wait_until


class FakeGrep:
    """
    A grep that is the real one until a test replaces it.

    @param folder: the folder for its files.
    @ivar environment: environment variables that make a server run it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "bin"
        self._folder.mkdir()
        self._real = which("grep") or ""
        self.path = self._folder / "grep"
        self._starts_file = folder / "starts"
        self.environment = {"PATH": f"{self._folder}:{os.environ['PATH']}"}
        self.restore_real_grep()

    def restore_real_grep(self) -> None:
        """Become the real grep again."""
        new = self._folder / "new"
        new.symlink_to(self._real)
        new.rename(self.path)

    def replace_with(self, *lines: str, name: str = "grep") -> None:
        """Become a Python program; C{os} and C{sys} are imported."""
        new = self._folder / "new"
        # Not a shell script: some shells unblock the signals that they inherit.
        code = "\n".join((f"#!{sys.executable} -IS", "import os, sys", *lines, ""))
        new.write_text(code)
        new.chmod(0o755)
        new.rename(self._folder / name)

    def replace_with_hanging(self) -> None:
        """Become a program that records its start and then hangs."""
        self._starts_file.write_text("")
        self.replace_with(
            f"open({str(self._starts_file)!r}, 'a').write('x')",
            "import time",
            "time.sleep(600)",
        )

    @property
    def hanging_count(self) -> int:
        """The number of hanging programs that have started."""
        return len(self._starts_file.read_text())

    def wait_for_hanging_count(self, count: int) -> None:
        """Wait until a number of hanging programs have started."""
        wait_until(lambda: self.hanging_count >= count, f"{count} greps")


class GatedPrograms(FakeGrep):
    """
    C{grep} and C{sleep} that wait until the test opens a gate, and then are the real
    ones.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._gate = folder / "gate"
        for name in ("grep", "sleep"):
            self.replace_with(
                "import time",
                f"while not os.path.exists({str(self._gate)!r}):",
                "    time.sleep(0.05)",
                f"os.execv({which(name)!r}, sys.argv)",
                name=name,
            )

    def open_gate(self) -> None:
        """Let all programs continue."""
        self._gate.touch()
