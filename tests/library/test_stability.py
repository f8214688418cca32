"""
Tests for L{twisted_quotes.library.stability}.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.dictionary import Dictionary
from twisted_quotes.library.stability import wait_until_stable

WRITTEN_AT = 1_000_000.0


class WaitUntilStableTests(SynchronousTestCase):
    """Tests for L{wait_until_stable}."""

    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "book"
        self.write("one", WRITTEN_AT)
        self.dictionary = self.enterContext(Dictionary(os.open(self.path, os.O_RDONLY)))
        self.clock = Clock()
        self.clock.advance(WRITTEN_AT)

    def write(self, text: str, time: float) -> None:
        """Write the file, and set its modification time."""
        self.path.write_text(text)
        os.utime(self.path, (time, time))

    def wait_until_stable(self) -> Deferred[None]:
        return Deferred.fromCoroutine(
            wait_until_stable(self.clock, self.clock.seconds, self.dictionary)
        )

    def test_an_old_file_is_stable(self) -> None:
        self.clock.advance(1)
        self.successResultOf(self.wait_until_stable())

    def test_a_time_in_the_future_is_stable(self) -> None:
        """It comes from the clock of another machine."""
        self.write("one", WRITTEN_AT + 1)
        self.dictionary.refresh_state()
        self.successResultOf(self.wait_until_stable())

    def test_an_old_modification_time_with_a_new_ctime_is_not_stable(self) -> None:
        """Archives and copies restore modification times."""
        changed = self.dictionary.state.changed / 1e9
        self.clock.advance(changed + 0.005 - self.clock.seconds())
        settling = self.wait_until_stable()
        self.assertNoResult(settling)
        self.clock.advance(0.02)
        self.successResultOf(settling)

    def test_a_new_file_is_waited_for(self) -> None:
        """Its state is refreshed."""
        self.clock.advance(0.005)
        settling = self.wait_until_stable()
        self.assertNoResult(settling)
        self.write("one and two", WRITTEN_AT)
        self.clock.advance(0.02)
        self.successResultOf(settling)
        self.assertEqual(self.dictionary.state.size, len("one and two"))

    def test_a_further_write_prolongs_the_wait(self) -> None:
        settling = self.wait_until_stable()
        self.clock.advance(0.015)
        self.write("two", WRITTEN_AT + 0.015)
        self.clock.advance(0.01)
        self.assertNoResult(settling)
        self.clock.advance(0.02)
        self.successResultOf(settling)

    def test_the_wait_is_bounded(self) -> None:
        settling = self.wait_until_stable()
        for number in range(3):
            self.assertNoResult(settling)
            self.write("x" * number, self.clock.seconds() + 0.02)
            self.clock.advance(0.02)
        self.successResultOf(settling)
        self.assertEqual(self.dictionary.state.size, 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])
