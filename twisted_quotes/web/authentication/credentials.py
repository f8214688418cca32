"""
Credentials, and the checkers that verify them.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from twisted.cred.checkers import FilePasswordDB, ICredentialsChecker
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
    """A name and a password. The password is compared in constant time."""

    def checkPassword(self, password: bytes) -> bool:
        return compare_digest(self.password, password)


class PasswordFile(FilePasswordDB):
    """
    A file with a line C{NAME:PASSWORD} for each user, in UTF-8.

    Lines that start with C{#} and blank lines are ignored. Blanks at the end of a line
    are part of the password.

    The file is read for each check, so that a change takes effect at once. The base
    class has three faults: it reports a file that it cannot read as a wrong password,
    drops what follows a colon in a password, and takes longer for an unknown name.

    @param path: the path of the file.
    """

    _content = b""
    _passwords: Mapping[bytes, bytes] = {}

    def getUser(self, username: bytes) -> tuple[bytes, bytes]:
        """
        Return the name and the password of a user.

        @raise KeyError: there is no such user.
        @raise OSError: the file cannot be read.
        """
        with open(self.filename, "rb") as file:
            content = file.read()
        if content != self._content:
            self._passwords = _parse_passwords(content)
            self._content = content
        return username, self._passwords[username]


def _parse_passwords(content: bytes) -> dict[bytes, bytes]:
    """Return the passwords by name. The first line for a name counts."""
    passwords: dict[bytes, bytes] = {}
    for line in content.removeprefix(BOM_UTF8).split(b"\n"):
        if line.strip() and not line.startswith(b"#"):
            name, _, password = line.removesuffix(b"\r").partition(b":")
            passwords.setdefault(name, password)
    return passwords


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
