"""
Tests for L{twisted_quotes.web.authentication.credentials}.
"""

from __future__ import annotations

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
    PrincipalRealm,
    make_portal,
)


class Uncomparable(bytes):
    """A password that may only be compared in constant time."""

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
        self.checked_credentials.append(credentials)
        if isinstance(self._result, Deferred):
            return self._result
        if isinstance(self._result, Exception):
            return fail(self._result)
        return succeed(self._result)


def rejecting_checker() -> FakeChecker:
    return FakeChecker(UnauthorizedLogin())


class CredentialsTests(SynchronousTestCase):
    def test_only_the_whole_password_is_right(self) -> None:
        for password in (b"", b"s", b"secre", b"secret ", b"Secret", b"terces"):
            self.assertFalse(Credentials(b"a", b"secret").checkPassword(password))
        self.assertTrue(Credentials(b"a", b"secret").checkPassword(b"secret"))
        self.assertTrue(
            Credentials(b"a", "sécrét".encode()).checkPassword("sécrét".encode())
        )

    def test_passwords_are_compared_in_constant_time(self) -> None:
        for password, right in ((b"secret", True), (b"secrex", False)):
            credentials = Credentials(b"a", Uncomparable(password))
            known = Uncomparable(b"secret")
            self.assertEqual(credentials.checkPassword(known), right)

    def test_the_repr_shows_no_credentials(self) -> None:
        shown = repr(Credentials(b"alice", b"secret"))
        self.assertNotIn("secret", shown)
        self.assertNotIn("alice", shown)


class AnyCheckerTests(SynchronousTestCase):
    def check_with(self, *checkers: Any) -> Deferred[Any]:
        self.credentials = Credentials(b"a", b"b")
        return AnyChecker(checkers).requestAvatarId(self.credentials)

    def test_it_is_a_checker(self) -> None:
        verifyObject(ICredentialsChecker, AnyChecker([]))

    def test_the_first_checker_that_accepts_decides(self) -> None:
        last = rejecting_checker()
        pending = self.check_with(rejecting_checker(), FakeChecker(b"alice"), last)
        self.assertEqual(self.successResultOf(pending), b"alice")
        self.assertEqual(last.checked_credentials, [])

    def test_credentials_that_no_checker_accepts_are_rejected(self) -> None:
        checkers = [rejecting_checker(), rejecting_checker()]
        self.failureResultOf(self.check_with(*checkers), UnauthorizedLogin)
        self.assertEqual(
            [c.checked_credentials for c in checkers], [[self.credentials]] * 2
        )

    def test_without_checkers_all_credentials_are_rejected(self) -> None:
        self.failureResultOf(self.check_with(), UnauthorizedLogin)

    def test_after_an_error_no_further_checker_is_used(self) -> None:
        last = FakeChecker(b"alice")
        pending = self.check_with(FakeChecker(OSError("gone")), last)
        self.failureResultOf(pending, OSError)
        self.assertEqual(last.checked_credentials, [])

    def test_a_checker_may_be_asynchronous(self) -> None:
        slow: Deferred[Any] = Deferred()
        pending = self.check_with(rejecting_checker(), FakeChecker(slow))
        self.assertNoResult(pending)
        slow.callback(b"alice")
        self.assertEqual(self.successResultOf(pending), b"alice")

    def test_cancelling_cancels_the_checker(self) -> None:
        given_up: list[object] = []
        slow: Deferred[Any] = Deferred(given_up.append)
        pending = self.check_with(FakeChecker(slow), rejecting_checker())
        pending.cancel()
        self.failureResultOf(pending, CancelledError)
        self.assertEqual(given_up, [slow])


class PortalTests(SynchronousTestCase):
    def log_in(self, avatar_id: Any) -> Deferred[Any]:
        """Log in with a checker that returns the avatar ID."""
        portal = make_portal([rejecting_checker(), FakeChecker(avatar_id)])
        return portal.login(Credentials(b"a", b"b"), None, IPrincipal)

    def test_a_principal_has_the_name_from_the_checker(self) -> None:
        """As UTF-8, if the checker returns text."""
        for avatar_id in ("zoë", "zoë".encode()):
            interface, principal, log_out = self.successResultOf(self.log_in(avatar_id))
            self.assertIs(interface, IPrincipal)
            verifyObject(IPrincipal, principal)
            self.assertEqual(principal.name, "zoë".encode())
            log_out()

    def test_a_checker_without_a_name_is_rejected(self) -> None:
        for avatar_id in (ANONYMOUS, b"", ""):
            self.failureResultOf(self.log_in(avatar_id), LoginDenied)

    def test_the_realm_has_principals_only(self) -> None:
        realm = PrincipalRealm()
        verifyObject(IRealm, realm)
        self.assertRaises(NotImplementedError, realm.requestAvatar, b"a", None)
        self.assertRaises(
            NotImplementedError, realm.requestAvatar, b"a", None, Interface
        )
