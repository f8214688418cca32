"""
Tests of who may ask.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject

from twisted_quotes.web.authentication.credentials import (
    AnyChecker,
    Credentials,
    IPrincipal,
    PasswordFile,
    PrincipalRealm,
    make_portal,
)


class Uncomparable(bytes):
    """A password that tells when it is compared in the usual way."""

    __hash__ = bytes.__hash__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared in a time that tells something")

    def __ne__(self, other: object) -> bool:
        raise AssertionError("compared in a time that tells something")


@implementer(ICredentialsChecker)
class FakeChecker:
    """
    A checker that says what a test has it say.

    @param result: a name, an error, or a Deferred.
    @ivar checked_credentials: what it was asked to check.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, result: Any) -> None:
        self._result = result
        self.checked_credentials: list[Any] = []

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """Say it."""
        self.checked_credentials.append(credentials)
        if isinstance(self._result, Deferred):
            return self._result
        if isinstance(self._result, Exception):
            return fail(self._result)
        return succeed(self._result)


def rejecting_checker() -> FakeChecker:
    """A checker that believes nobody."""
    return FakeChecker(UnauthorizedLogin())


class CredentialsTests(SynchronousTestCase):
    """Tests of a name and a password."""

    def test_only_the_whole_password_is_right(self) -> None:
        """A part of it, more than it, and none are wrong."""
        for password in (b"", b"s", b"secre", b"secret ", b"Secret", b"terces"):
            self.assertFalse(Credentials(b"a", b"secret").checkPassword(password))
        self.assertTrue(Credentials(b"a", b"secret").checkPassword(b"secret"))
        self.assertTrue(
            Credentials(b"a", "sécrét".encode()).checkPassword("sécrét".encode())
        )

    def test_the_time_tells_nothing(self) -> None:
        """A password is not compared byte by byte up to the first wrong one."""
        for password, right in ((b"secret", True), (b"secrex", False)):
            credentials = Credentials(b"a", Uncomparable(password))
            known = Uncomparable(b"secret")
            self.assertEqual(credentials.checkPassword(known), right)

    def test_a_password_is_not_shown(self) -> None:
        """Where credentials are shown, neither the name nor the password is."""
        shown = repr(Credentials(b"alice", b"secret"))
        self.assertNotIn("secret", shown)
        self.assertNotIn("alice", shown)


class PasswordFileTests(SynchronousTestCase):
    """Tests of passwords in a file."""

    def setUp(self) -> None:
        """Write a file with two users."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.path = Path(temporary_directory.name, "passwords")
        self.path.write_text("alice:secret\nbob:hunter2\n", "utf-8")
        self.checker = PasswordFile(str(self.path))

    def accepts(self, name: str, password: str) -> bool:
        """Whether the checker believes someone."""
        credentials = Credentials(name.encode(), password.encode())
        pending = self.checker.requestAvatarId(credentials)
        believed: list[Any] = []
        pending.addCallback(believed.append)
        pending.addErrback(lambda failure: failure.trap(UnauthorizedLogin))
        self.assertIn(believed, ([], [name.encode()]))
        return bool(believed)

    def test_who_is_in_the_file_is_believed(self) -> None:
        """Each user has a line."""
        self.assertTrue(self.accepts("alice", "secret"))
        self.assertTrue(self.accepts("bob", "hunter2"))

    def test_who_is_not_in_the_file_is_not_believed(self) -> None:
        """Nor is who has another one's password."""
        for name, password in (
            ("alice", "hunter2"),
            ("alice", "secret "),
            ("Alice", "secret"),
            ("carol", "secret"),
            ("alice:secret", "secret"),
            ("secret", "alice"),
        ):
            self.assertFalse(self.accepts(name, password), (name, password))

    def test_a_comment_is_no_user(self) -> None:
        """A line that begins with C{#} is one; a C{#} elsewhere is not."""
        self.path.write_text("#carol:pw\n# dan:pw\n\n  \nal#ice:pw#1\n")
        for name in ("#carol", "carol", "# dan", "dan", "", " "):
            self.assertFalse(self.accepts(name, "pw"), name)
        self.assertTrue(self.accepts("al#ice", "pw#1"))

    def test_blanks_are_part_of_the_password(self) -> None:
        """Only the end of the line is not, whichever system wrote it."""
        self.path.write_bytes(b"alice:a \r\nbob: b\t\ncarol:c\x0b\ndan:d\x1c")
        for name, password in (
            ("alice", "a "),
            ("bob", " b\t"),
            ("carol", "c\x0b"),
            ("dan", "d\x1c"),
        ):
            self.assertTrue(self.accepts(name, password), name)
            self.assertFalse(self.accepts(name, password.strip()), name)

    def test_a_byte_order_mark_is_no_part_of_a_name(self) -> None:
        """Some editors put one at the beginning."""
        self.path.write_bytes(b"\xef\xbb\xbfalice:secret\n")
        self.assertTrue(self.accepts("alice", "secret"))

    def test_all_after_the_first_colon_is_the_password(self) -> None:
        """A password may have colons, and no part of it will do."""
        self.path.write_text("alice:a:b\n")
        self.assertTrue(self.accepts("alice", "a:b"))
        self.assertFalse(self.accepts("alice", "a"))

    def test_letters_outside_ascii(self) -> None:
        """The file is in UTF-8."""
        self.path.write_text("zoë:pässwörd\n", "utf-8")
        self.assertTrue(self.accepts("zoë", "pässwörd"))

    def test_line_ends_of_any_kind(self) -> None:
        """A file from another system is read as well, and one without a last end."""
        self.path.write_bytes(b"alice:one\r\nbob:two")
        self.assertTrue(self.accepts("alice", "one"))
        self.assertTrue(self.accepts("bob", "two"))

    def test_a_line_that_is_no_user_lets_nobody_in(self) -> None:
        """Blank lines and comments are no users."""
        self.path.write_text("\n# comment\nalice\nbob:two\n")
        self.assertFalse(self.accepts("alice", "alice"))
        self.assertFalse(self.accepts("# comment", "# comment"))
        self.assertTrue(self.accepts("bob", "two"))

    def test_the_first_line_of_a_name_counts(self) -> None:
        """As it does in the class that this one extends."""
        self.path.write_text("alice:one\nalice:two\n")
        self.assertTrue(self.accepts("alice", "one"))
        self.assertFalse(self.accepts("alice", "two"))

    def test_a_change_counts_at_once(self) -> None:
        """Though the file has the same size, and claims to be no newer."""
        times = (self.path.stat().st_atime_ns, self.path.stat().st_mtime_ns)
        self.assertTrue(self.accepts("alice", "secret"))
        self.path.write_text("alice:terces\nbob:hunter2\n")
        os.utime(self.path, ns=times)
        self.assertFalse(self.accepts("alice", "secret"))
        self.assertTrue(self.accepts("alice", "terces"))
        self.path.write_text("bob:hunter2\n")
        self.assertFalse(self.accepts("alice", "terces"))

    def test_a_file_that_is_gone_is_no_wrong_password(self) -> None:
        """It is an error, though the users were known before; and it may come back."""
        self.assertTrue(self.accepts("alice", "secret"))
        away = self.path.rename(self.path.with_name("away"))
        for _ in range(2):
            self.assertRaises(FileNotFoundError, self.accepts, "alice", "secret")
        self.path.mkdir()
        for _ in range(2):
            self.assertRaises(IsADirectoryError, self.accepts, "alice", "secret")
        self.path.rmdir()
        away.rename(self.path)
        self.assertTrue(self.accepts("alice", "secret"))


class AnyCheckerTests(SynchronousTestCase):
    """Tests of several checkers that are asked as one."""

    def check_with(self, *checkers: Any) -> Deferred[Any]:
        """Ask several checkers."""
        self.credentials = Credentials(b"a", b"b")
        return AnyChecker(checkers).requestAvatarId(self.credentials)

    def test_it_is_a_checker(self) -> None:
        """It can be registered with a portal."""
        verifyObject(ICredentialsChecker, AnyChecker([]))

    def test_the_first_that_believes_decides(self) -> None:
        """Those after it are not asked."""
        last = rejecting_checker()
        pending = self.check_with(rejecting_checker(), FakeChecker(b"alice"), last)
        self.assertEqual(self.successResultOf(pending), b"alice")
        self.assertEqual(last.checked_credentials, [])

    def test_whom_nobody_believes_is_not_believed(self) -> None:
        """All are asked first."""
        checkers = [rejecting_checker(), rejecting_checker()]
        self.failureResultOf(self.check_with(*checkers), UnauthorizedLogin)
        self.assertEqual(
            [c.checked_credentials for c in checkers], [[self.credentials]] * 2
        )

    def test_with_no_checker_nobody_is_believed(self) -> None:
        """There is no way in that nobody watches."""
        self.failureResultOf(self.check_with(), UnauthorizedLogin)

    def test_where_one_fails_nobody_further_is_asked(self) -> None:
        """What it would have said is not known."""
        last = FakeChecker(b"alice")
        pending = self.check_with(FakeChecker(OSError("gone")), last)
        self.failureResultOf(pending, OSError)
        self.assertEqual(last.checked_credentials, [])

    def test_a_checker_may_take_its_time(self) -> None:
        """It is waited for."""
        slow: Deferred[Any] = Deferred()
        pending = self.check_with(rejecting_checker(), FakeChecker(slow))
        self.assertNoResult(pending)
        slow.callback(b"alice")
        self.assertEqual(self.successResultOf(pending), b"alice")

    def test_a_checker_that_takes_its_time_can_be_given_up(self) -> None:
        """Where nobody waits any more, it is cancelled."""
        given_up: list[object] = []
        slow: Deferred[Any] = Deferred(given_up.append)
        pending = self.check_with(FakeChecker(slow), rejecting_checker())
        pending.cancel()
        self.failureResultOf(pending, CancelledError)
        self.assertEqual(given_up, [slow])


class PortalTests(SynchronousTestCase):
    """Tests of the way in."""

    def log_in(self, avatar_id: Any) -> Deferred[Any]:
        """Log in where a checker gives a certain name."""
        portal = make_portal([rejecting_checker(), FakeChecker(avatar_id)])
        return portal.login(Credentials(b"a", b"b"), None, IPrincipal)

    def test_a_caller_has_the_name_that_the_checker_gave(self) -> None:
        """In UTF-8, whether it gave bytes or text."""
        for avatar_id in ("zoë", "zoë".encode()):
            interface, principal, log_out = self.successResultOf(self.log_in(avatar_id))
            self.assertIs(interface, IPrincipal)
            verifyObject(IPrincipal, principal)
            self.assertEqual(principal.name, "zoë".encode())
            log_out()

    def test_nobody_is_let_in_without_a_name(self) -> None:
        """A checker that knows no name is not believed."""
        for avatar_id in (ANONYMOUS, b"", ""):
            self.failureResultOf(self.log_in(avatar_id), LoginDenied)

    def test_a_caller_is_all_that_there_is(self) -> None:
        """The realm has nothing else for anyone."""
        realm = PrincipalRealm()
        verifyObject(IRealm, realm)
        self.assertRaises(NotImplementedError, realm.requestAvatar, b"a", None)
        self.assertRaises(
            NotImplementedError, realm.requestAvatar, b"a", None, Interface
        )
