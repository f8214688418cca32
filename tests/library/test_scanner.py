"""
Tests of the memory that L{twisted_quotes.library.scanner} takes.

Its results are tested with the library.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.library import Library

from ..memory import peak_memory

COUNT = 1000
MAX_PEAK = 500
"""In bytes for each file. The result of L{os.stat} takes a kilobyte."""


class MemoryTests(SynchronousTestCase):
    """Tests with a library of many files."""

    def setUp(self) -> None:
        self.root = Path(self.enterContext(TemporaryDirectory()))
        for number in range(COUNT):
            (self.root / f"{number}").write_text("one")
        self.library = Library(self.root)

    def states(self, known: dict[str, FileState]) -> dict[str, FileState]:
        """Return the states of all files."""
        return self.library.states(lambda _: None, known)

    def test_a_state_that_has_not_changed_is_in_memory_once(self) -> None:
        known = self.states({})
        (self.root / "7").write_text("three")
        states = self.states(known)
        changed = {name for name in states if states[name] is not known[name]}
        self.assertEqual(changed, {"7"})
        self.assertEqual(states["7"].size, 5)

    def test_a_scan_takes_little_memory(self) -> None:
        """Also the first one."""
        for function in (
            lambda: Library(self.root),
            lambda: Library(self.root).states(lambda _: None, {}),
            lambda: self.states({}),
        ):
            self.assertLess(peak_memory(function), COUNT * MAX_PEAK)
