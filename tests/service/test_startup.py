"""
Tests of the errors of the start. The options are tested in L{tests.test_tap}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import QuotesError
from twisted_quotes.service.startup import CannotStart, default_cache_folder


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


class CacheFolderTests(SynchronousTestCase):
    """Tests for the default cache folder."""

    def test_the_default_is_in_the_cache_folder_of_the_user(self) -> None:
        self.assertEqual(
            default_cache_folder("/home/me", None), "/home/me/.cache/twisted_quotes"
        )
        self.assertEqual(default_cache_folder("/home/me", "/x"), "/x/twisted_quotes")

    def test_a_relative_xdg_cache_home_is_ignored(self) -> None:
        """The specification demands it."""
        for relative in ("", "x"):
            self.assertEqual(
                default_cache_folder("/home/me", relative),
                "/home/me/.cache/twisted_quotes",
            )
