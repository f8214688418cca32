"""
Tests of what the start needs. What options name is tested with L{tests.test_tap}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import QuotesError
from twisted_quotes.startup import CannotStart


class CannotStartTests(SynchronousTestCase):
    """What the one who starts the program is told."""

    def test_it_ends_the_program_with_one_line(self) -> None:
        """The interpreter prints the line and exits with 1."""
        error = CannotStart("there is no grep")
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(error.code, "twist quotes: there is no grep")

    def test_it_is_not_answered_to_callers(self) -> None:
        """It is none of the errors that become an HTTP answer."""
        self.assertNotIsInstance(CannotStart("x"), QuotesError)
