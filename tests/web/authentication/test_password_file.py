"""
Tests for L{twisted_quotes.web.authentication.password_file}.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.errors import TooBusy, TooManyRequests
from twisted_quotes.web.authentication import password_file
from twisted_quotes.web.authentication.credentials import Credentials
from twisted_quotes.web.authentication.password_file import MEMORY_LIFETIME
from twisted_quotes.web.authentication.password_hash import verify_password
from twisted_quotes.web.authentication.password_table import MalformedHash

from .cases import hash_quickly, make_password_file


class PlainPasswordTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory()), "passwords")
        self.path.write_text("alice:secret\nbob:hunter2\n", "utf-8")
        self.checker = make_password_file(self.path)

    def check(self, name: str, password: str) -> Deferred[Any]:
        credentials = Credentials(name.encode(), password.encode())
        return self.checker.requestAvatarId(credentials)

    def accepts(self, name: str, password: str) -> bool:
        pending = self.check(name, password)
        pending.addErrback(lambda failure: failure.trap(UnauthorizedLogin) and None)
        accepted = self.successResultOf(pending)
        self.assertIn(accepted, (None, name.encode()))
        return accepted is not None

    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, self.checker)

    def test_other_names_and_passwords_are_rejected(self) -> None:
        self.assertTrue(self.accepts("alice", "secret"))
        for name, password in (
            ("alice", "hunter2"),
            ("alice", "secret "),
            ("Alice", "secret"),
            ("carol", "secret"),
            ("alice:secret", "secret"),
            ("secret", "alice"),
        ):
            self.assertFalse(self.accepts(name, password), (name, password))

    def test_a_comment_is_not_a_user(self) -> None:
        """Only a line that starts with C{#} is a comment."""
        self.path.write_text("#carol:pw\n# dan:pw\n\n  \nal#ice:pw#1\n")
        for name in ("#carol", "carol", "# dan", "dan", "", " "):
            self.assertFalse(self.accepts(name, "pw"), name)
        self.assertTrue(self.accepts("al#ice", "pw#1"))

    def test_the_format_of_a_line(self) -> None:
        """All after the first colon is the password, without the end of the line."""
        for content, name, password, wrong_password in (
            (b"alice:a \r\n", "alice", "a ", "a"),
            (b"x:x\nalice: a\t\n", "alice", " a\t", "a"),
            (b"alice:a\x0b\n", "alice", "a\x0b", "a"),
            # Without a line end, after a character at which str.splitlines splits.
            (b"alice:a\x1c", "alice", "a\x1c", "a"),
            (b"alice:a:b\n", "alice", "a:b", "a"),
            (b"\xef\xbb\xbfalice:a\n", "alice", "a", ""),
            ("zoë:pässwörd\n".encode(), "zoë", "pässwörd", "passwort"),
            (b"alice:one\nalice:two\n", "alice", "one", "two"),
            (b"alice\nbob:two\n", "bob", "two", ""),
        ):
            self.path.write_bytes(content)
            self.assertTrue(self.accepts(name, password), content)
            self.assertFalse(self.accepts(name, wrong_password), content)

    def test_a_line_without_a_password_is_not_a_user(self) -> None:
        self.path.write_text("# comment\nalice\n")
        for name in ("alice", "# comment"):
            self.assertFalse(self.accepts(name, name))

    def test_a_change_takes_effect_at_once(self) -> None:
        """Even if the size and the times of the file stay the same."""
        times = (self.path.stat().st_atime_ns, self.path.stat().st_mtime_ns)
        self.assertTrue(self.accepts("alice", "secret"))
        self.path.write_text("alice:terces\nbob:hunter2\n")
        os.utime(self.path, ns=times)
        self.assertFalse(self.accepts("alice", "secret"))
        self.assertTrue(self.accepts("alice", "terces"))
        self.path.write_text("bob:hunter2\n")
        self.assertFalse(self.accepts("alice", "terces"))

    def test_a_missing_file_is_an_error_until_it_is_back(self) -> None:
        self.assertTrue(self.accepts("alice", "secret"))
        away = self.path.rename(self.path.with_name("away"))
        for _ in range(2):
            self.failureResultOf(self.check("alice", "secret"), FileNotFoundError)
        self.path.mkdir()
        for _ in range(2):
            self.failureResultOf(self.check("alice", "secret"), IsADirectoryError)
        self.path.rmdir()
        away.rename(self.path)
        self.assertTrue(self.accepts("alice", "secret"))


class FakeThreads:
    """
    Runs verifications when a test says so.

    @ivar calls: those that have started, each a hash and a password.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[bytes, bytes]] = []
        self._running: list[tuple[Deferred[Any], Callable[..., Any]]] = []

    def __call__(
        self, function: Callable[..., Any], /, *arguments: Any
    ) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.calls.append(arguments)
        self._running.append((result, function))
        return result

    @property
    def running(self) -> int:
        return len(self._running)

    def finish(self) -> None:
        """End the verification that started first."""
        result, function = self._running.pop(0)
        result.callback(function(*self.calls[-1 - self.running]))


class HashedPasswordTests(SynchronousTestCase):
    """Tests of a file with hashes, whose verifications end when a test says so."""

    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory()), "passwords")
        self.hashes = {name: hash_quickly(name[::-1]) for name in ("alice", "bob")}
        self.write("carol:plain")
        self.threads = FakeThreads()
        self.time = 1000.0
        self.limiter = ConcurrencyLimiter(2, 3)
        self.checker = make_password_file(
            self.path, self.threads, self.limiter, lambda: self.time
        )

    def write(self, *lines: str) -> None:
        """Write the hashes of C{alice} and C{bob}, and further lines."""
        hashed = [f"{name}:{each}" for name, each in self.hashes.items()]
        self.path.write_text("\n".join([*hashed, *lines]))

    def check(
        self, name: str, password: str, client: str | None = None
    ) -> Deferred[Any]:
        """Start a check of the credentials that a client sends."""
        credentials = Credentials(name.encode(), password.encode())
        credentials.client_key = client
        return self.checker.requestAvatarId(credentials)

    def verify(self, name: str, password: str) -> bool:
        """Return the result of a check that needs one verification."""
        pending = self.check(name, password)
        self.assertNoResult(pending)
        self.threads.finish()
        return self.is_accepted(pending, name)

    def is_accepted(self, pending: Deferred[Any], name: str) -> bool:
        """Return the result of a check."""
        pending.addErrback(lambda failure: failure.trap(UnauthorizedLogin) and None)
        accepted = self.successResultOf(pending)
        self.assertIn(accepted, (None, name.encode()))
        return accepted is not None

    def test_the_right_password_is_accepted(self) -> None:
        self.assertTrue(self.verify("alice", "ecila"))
        self.assertTrue(self.verify("bob", "bob"))

    def test_verified_credentials_are_remembered(self) -> None:
        """They need no thread, until their lifetime ends."""
        self.assertTrue(self.verify("alice", "ecila"))
        self.time += MEMORY_LIFETIME - 1
        self.assertTrue(self.is_accepted(self.check("alice", "ecila"), "alice"))
        self.time += 1
        self.assertTrue(self.verify("alice", "ecila"))
        self.assertEqual(len(self.threads.calls), 2)

    def test_wrong_credentials_are_remembered(self) -> None:
        """So that they cost nothing in the second of several password files."""
        for name in ("alice", "carol", "dan"):
            self.assertFalse(self.verify(name, "x"))
            self.assertFalse(self.is_accepted(self.check(name, "x"), name))
        self.hashes["dan"] = hash_quickly("x")
        self.write()
        self.assertTrue(self.verify("dan", "x"))

    def test_wrong_credentials_do_not_displace_right_ones(self) -> None:
        self.patch(password_file, "MAX_REMEMBERED", 2)
        self.assertTrue(self.verify("alice", "ecila"))
        for number in range(5):
            self.assertFalse(self.verify("alice", f"{number}"))
        self.assertTrue(self.is_accepted(self.check("alice", "ecila"), "alice"))
        self.assertFalse(self.verify("alice", "0"))

    def test_other_credentials_than_those_remembered_are_wrong(self) -> None:
        self.assertTrue(self.verify("alice", "ecila"))
        for name, password in (
            *(("alice", "bob"), ("alice", "ecila "), ("alic", "eecila")),
            *(("bob", "ecila"), ("alice", self.hashes["alice"])),
        ):
            self.assertFalse(self.verify(name, password), (name, password))

    def test_the_number_of_remembered_credentials_is_limited(self) -> None:
        """Those that were used longest ago are forgotten."""
        self.patch(password_file, "MAX_REMEMBERED", 2)
        self.hashes["dan"] = hash_quickly("nad")
        self.write()
        for name in ("alice", "bob"):
            self.assertTrue(self.verify(name, name[::-1]))
        self.assertTrue(self.is_accepted(self.check("alice", "ecila"), "alice"))
        self.assertTrue(self.verify("dan", "nad"))
        self.assertTrue(self.is_accepted(self.check("alice", "ecila"), "alice"))
        self.assertTrue(self.verify("bob", "bob"))

    def test_a_change_of_the_file_forgets_all(self) -> None:
        self.assertTrue(self.verify("alice", "ecila"))
        self.hashes["alice"] = hash_quickly("other")
        self.write()
        self.assertFalse(self.verify("alice", "ecila"))
        self.assertTrue(self.verify("alice", "other"))
        del self.hashes["alice"]
        self.write()
        self.assertFalse(self.verify("alice", "other"))

    def test_a_verification_does_not_outlast_a_change_of_the_file(self) -> None:
        pending = self.check("alice", "ecila")
        del self.hashes["alice"]
        self.write()
        self.threads.finish()
        self.assertTrue(self.is_accepted(pending, "alice"))
        self.assertFalse(self.verify("alice", "ecila"))

    def test_all_wrong_credentials_cost_one_verification(self) -> None:
        """Of unknown users, and of users with plain passwords, too."""
        for number, (name, password) in enumerate(
            (("alice", "x"), ("carol", "x"), ("dan", "x"), ("dan", "ecila")), 1
        ):
            self.assertFalse(self.verify(name, password))
            self.assertEqual(len(self.threads.calls), number)

    def test_an_unknown_name_always_costs_the_same(self) -> None:
        """All names together cost what the users cost."""
        verified: dict[str, set[bytes]] = {}
        for name, password in product(map("nobody{}".format, range(40)), "xy"):
            self.assertFalse(self.verify(name, password))
            verified.setdefault(name, set()).add(self.threads.calls[-1][0])
        self.assertEqual({len(each) for each in verified.values()}, {1})
        expected = {each.encode() for each in self.hashes.values()}
        self.assertEqual(set().union(*verified.values()), expected)

    def test_the_password_of_another_user_is_wrong(self) -> None:
        """An unknown name is verified against the hash of some user."""
        for number in range(40):
            for password in ("ecila", "bob"):
                self.assertFalse(self.verify(f"nobody{number}", password))

    def test_a_right_plain_password_needs_no_thread(self) -> None:
        self.assertTrue(self.is_accepted(self.check("carol", "plain"), "carol"))
        self.assertEqual(self.threads.calls, [])

    def test_a_hash_is_not_a_password(self) -> None:
        self.assertFalse(self.verify("alice", self.hashes["alice"]))

    def test_equal_requests_share_a_verification(self) -> None:
        self.limiter = ConcurrencyLimiter(1, 10)
        self.checker = make_password_file(
            self.path, self.threads, self.limiter, lambda: self.time
        )
        pending = [self.check("alice", "ecila") for _ in range(5)]
        self.threads.finish()
        for each in pending:
            self.assertTrue(self.is_accepted(each, "alice"))
        self.assertEqual(len(self.threads.calls), 1)

    def test_verifications_are_limited(self) -> None:
        """Of those that wait, one client cannot have all."""
        guesses = [self.check("alice", f"{n}", "guesser") for n in range(5)]
        self.assertEqual(self.threads.running, 2)
        self.failureResultOf(self.check("alice", "5", "guesser"), TooBusy)
        known = self.check("bob", "bob", "other")
        self.failureResultOf(guesses[-1], TooManyRequests)
        self.threads.finish()
        self.threads.finish()
        self.assertIn((self.hashes["bob"].encode(), b"bob"), self.threads.calls)
        while self.threads.running:
            self.threads.finish()
        self.assertTrue(self.is_accepted(known, "bob"))
        for each in guesses[:4]:
            self.failureResultOf(each, UnauthorizedLogin)
        self.assertEqual(self.limiter.in_use, 0)

    def test_remembered_credentials_are_accepted_during_a_flood(self) -> None:
        self.assertTrue(self.verify("alice", "ecila"))
        guesses = [self.check("alice", f"{number}") for number in range(5)]
        self.assertTrue(self.is_accepted(self.check("alice", "ecila"), "alice"))
        while self.threads.running:
            self.threads.finish()
        for each in guesses:
            self.failureResultOf(each, UnauthorizedLogin)

    def test_a_disconnected_client_waits_no_more(self) -> None:
        pending = [self.check("alice", f"{number}") for number in range(3)]
        pending[2].cancel()
        self.failureResultOf(pending[2], CancelledError)
        self.assertEqual(self.limiter.queue_length, 0)
        for each in pending[:2]:
            self.threads.finish()
            self.failureResultOf(each, UnauthorizedLogin)

    def test_a_malformed_hash_is_an_error_until_it_is_corrected(self) -> None:
        """Nobody is let in, as if the file could not be read."""
        self.assertTrue(self.verify("alice", "ecila"))
        self.write("dan:$argon2id$nonsense")
        self.failureResultOf(self.check("alice", "ecila"), MalformedHash)
        self.write()
        self.assertTrue(self.verify("alice", "ecila"))

    def test_a_verification_is_that_of_the_hash(self) -> None:
        self.verify("alice", "x")
        [(hashed, password)] = self.threads.calls
        self.assertEqual((hashed, password), (self.hashes["alice"].encode(), b"x"))
        self.assertTrue(verify_password(hashed, b"ecila"))
