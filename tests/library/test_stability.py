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
    """Tests of waiting for the end of a writing."""

    def setUp(self) -> None:
        """Open a file that was written at a certain time."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.path = Path(temporary_directory.name) / "book"
        self.write("one", WRITTEN_AT)
        self.dictionary = Dictionary(os.open(self.path, os.O_RDONLY))
        self.addCleanup(self.dictionary.close)
        self.clock = Clock()
        self.clock.advance(WRITTEN_AT)

    def write(self, text: str, time: float) -> None:
        """Write the file, and say when."""
        self.path.write_text(text)
        os.utime(self.path, (time, time))

    def wait_until_stable(self) -> Deferred[Dictionary]:
        """Wait until nobody writes to it."""
        return Deferred.fromCoroutine(
            wait_until_stable(self.clock, self.clock.seconds, self.dictionary)
        )

    def test_what_was_written_long_ago_is_settled(self) -> None:
        """There is nothing to wait for."""
        self.clock.advance(1)
        self.assertIs(self.successResultOf(self.wait_until_stable()), self.dictionary)

    def test_what_was_written_in_the_future_is_settled(self) -> None:
        """Another machine's clock is not waited for."""
        self.write("one", WRITTEN_AT + 1)
        self.dictionary.refresh_state()
        self.successResultOf(self.wait_until_stable())

    def test_a_time_that_was_put_back_is_not_believed(self) -> None:
        """Archives and copies bring old times along; the ctime tells."""
        changed = self.dictionary.state.changed / 1e9
        self.clock.advance(changed + 0.005 - self.clock.seconds())
        settling = self.wait_until_stable()
        self.assertNoResult(settling)
        self.clock.advance(0.02)
        self.successResultOf(settling)

    def test_what_was_written_just_now_is_waited_for(self) -> None:
        """After a moment it is settled, in the state in which it then is."""
        self.clock.advance(0.005)
        settling = self.wait_until_stable()
        self.assertNoResult(settling)
        self.write("one and two", WRITTEN_AT)
        self.clock.advance(0.02)
        self.successResultOf(settling)
        self.assertEqual(self.dictionary.state.size, len("one and two"))

    def test_a_further_writing_is_waited_for_too(self) -> None:
        """The moment counts from the last one."""
        settling = self.wait_until_stable()
        self.clock.advance(0.015)
        self.write("two", WRITTEN_AT + 0.015)
        self.clock.advance(0.01)
        self.assertNoResult(settling)
        self.clock.advance(0.02)
        self.successResultOf(settling)

    def test_what_is_written_all_the_time_is_not_waited_for_without_end(self) -> None:
        """It is taken as it is."""
        settling = self.wait_until_stable()
        for number in range(3):
            self.assertNoResult(settling)
            self.write("x" * number, self.clock.seconds() + 0.02)
            self.clock.advance(0.02)
        self.assertEqual(self.successResultOf(settling).state.size, 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])
