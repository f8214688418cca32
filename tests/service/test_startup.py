"""
Tests of the errors of the start. The options are tested in L{tests.test_tap}.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.errors import QuotesError
from twisted_quotes.service.startup import (
    CannotStart,
    default_cache_folder,
    warn_of_plain_passwords,
)
from twisted_quotes.web.authentication.password_hash import hash_password


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


class PlainPasswordTests(SynchronousTestCase):
    """Tests of the warning of plain passwords."""

    def setUp(self) -> None:
        """Make a folder for password files."""
        self.folder = Path(self.enterContext(TemporaryDirectory()))

    def warnings_of(self, **files: str) -> list[LogEvent]:
        """Return the warnings of password files with some contents."""
        auth = ["others:nowhere"]
        for name, content in files.items():
            (self.folder / name).write_text(content)
            auth.append(f"file:{self.folder / name}")
        with capturedLogs() as events:
            warn_of_plain_passwords({"auth": auth})
        return list(events)

    def test_each_file_with_plain_passwords_has_one_warning(self) -> None:
        """With its base name and their number, and nothing of its content."""
        hashed = hash_password("hunter2")
        first, second = self.warnings_of(
            one=f"alice:secret\n# x:y\nbob:{hashed}\ncarol:secret\nalice:again\n",
            two="dan:x",
            three=f"bob:{hashed}\n",
        )
        self.assertEqual(first["log_level"], LogLevel.warn)
        for event, name, count in ((first, "'one'", "2"), (second, "'two'", "1")):
            text = formatEvent(event)
            self.assertIn(name, text)
            self.assertIn(f": {count}.", text)
            self.assertNotIn(str(self.folder), text)
            for word in ("alice", "secret", "carol", "bob", "dan", hashed):
                self.assertNotIn(word, str(event))

    def test_hashes_cause_no_warning(self) -> None:
        content = f"# none\nbob:{hash_password('hunter2')}\n"
        self.assertEqual(self.warnings_of(one=content, two=""), [])
