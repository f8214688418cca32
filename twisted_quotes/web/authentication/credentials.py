"""
Credentials, and the portal that checks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginDenied, Unauthorized, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import Attribute, Interface, implementer


class IPrincipal(Interface):
    """What the portal returns for the credentials of a user."""

    name: bytes = Attribute("The user name, in UTF-8.")


@implementer(IPrincipal)
@dataclass(frozen=True)
class Principal:
    """An authenticated user."""

    name: bytes


@implementer(IRealm)
class PrincipalRealm:
    """The realm of all users, who have the same rights."""

    def requestAvatar(
        self, avatarId: Any, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Any]:
        """
        Return the principal for a user name.

        @raise LoginDenied: the checker returned no name.
        """
        if IPrincipal not in interfaces:
            raise NotImplementedError("the realm has principals only")
        if not avatarId:
            raise LoginDenied()
        # Some checkers return text, although they are given bytes.
        name = avatarId.encode() if isinstance(avatarId, str) else avatarId
        return IPrincipal, Principal(name), lambda: None


class Credentials(UsernamePassword):
    """
    A name and a password. The password is compared in constant time.

    @ivar client_key: identifies the client that sent them, for fair queueing.
    """

    client_key: str | None = None

    def checkPassword(self, password: bytes) -> bool:
        return compare_digest(self.password, password)


@implementer(ICredentialsChecker)
class AnyChecker:
    """
    Accepts credentials that one of several checkers accepts.

    A portal has only one checker for each kind of credentials.

    @param checkers: the checkers, in order. If one of them fails with another error
        than L{Unauthorized}, those after it are not used.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, checkers: Sequence[ICredentialsChecker]) -> None:
        self._checkers = checkers

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Check credentials.

        @return: fires with the user name, or fails with L{UnauthorizedLogin}.
        """
        return Deferred.fromCoroutine(self._try_checkers(credentials))

    async def _try_checkers(self, credentials: Any) -> Any:
        for checker in self._checkers:
            try:
                return await maybeDeferred(checker.requestAvatarId, credentials)
            except Unauthorized:
                continue
        raise UnauthorizedLogin()


def make_portal(checkers: Sequence[ICredentialsChecker]) -> Portal:
    """Make a portal that accepts the L{IUsernamePassword} of any of the checkers."""
    return Portal(PrincipalRealm(), [AnyChecker(checkers)])
