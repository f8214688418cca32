"""
Tests of the errors of the start. The options are tested in L{tests.test_tap}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import QuotesError
from twisted_quotes.service.startup import CannotStart


class CannotStartTests(SynchronousTestCase):
    """Tests of L{CannotStart}."""

    def test_it_ends_the_program_with_one_line(self) -> None:
        """The interpreter prints it and exits with status 1."""
        error = CannotStart("there is no grep")
        self.assertIsInstance(error, SystemExit)
        self.assertEqual(error.code, "twist quotes: there is no grep")

    def test_it_is_never_a_response(self) -> None:
        """It is not one of the errors for clients."""
        self.assertNotIsInstance(CannotStart("x"), QuotesError)
