"""
Callers: who may ask, where not everyone may.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Sequence
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
    """Someone who may ask."""

    name: bytes = Attribute("The caller's name, in UTF-8.")


@implementer(IPrincipal)
@dataclass(frozen=True)
class Principal:
    """Someone who may ask, and for anything."""

    name: bytes


@implementer(IRealm)
class PrincipalRealm:
    """All who may ask. They differ in their names alone."""

    def requestAvatar(
        self, avatarId: Any, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Any]:
        """
        Make a caller of whom a checker knows.

        @raise LoginDenied: the checker gave no name.
        """
        if IPrincipal not in interfaces:
            raise NotImplementedError("a caller is all that there is")
        if not avatarId:
            raise LoginDenied()
        # Some checkers give text, though they are given bytes.
        name = avatarId.encode() if isinstance(avatarId, str) else avatarId
        return IPrincipal, Principal(name), lambda: None


class Credentials(UsernamePassword):
    """
    A name and a password that a caller sent.

    The base class compares in a time that tells how much of a password is right.
    """

    def checkPassword(self, password: bytes) -> bool:
        """Whether the password is this one."""
        return compare_digest(self.password, password)


class PasswordFile(FilePasswordDB):
    """
    A file with a line C{NAME:PASSWORD} for each user, in UTF-8.

    A line that begins with C{#} is a comment, and one of blanks alone is ignored.
    Blanks at the end of a line are part of the password.

    It is read at each look, so that a change counts at once, and taken apart
    where it has changed. The base class takes a file that it cannot read for a
    wrong password, or with its C{cache} goes on with what it read before; it
    passes over what follows a colon in a password, and a name that it does not
    know takes it longer than one that it does.

    @param path: the file.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._content = b""
        self._passwords: dict[bytes, bytes] = {}

    def getUser(self, username: bytes) -> tuple[bytes, bytes]:
        """
        Look up a user.

        @return: the name and the password.
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
    """The passwords by name. The first line of a name counts."""
    passwords: dict[bytes, bytes] = {}
    for line in content.removeprefix(BOM_UTF8).split(b"\n"):
        if not line.strip() or line.startswith(b"#"):
            continue
        name, _, password = line.removesuffix(b"\r").partition(b":")
        passwords.setdefault(name, password)
    return passwords


@implementer(ICredentialsChecker)
class AnyChecker:
    """
    Believes whom any of several checkers believes.

    A portal asks no more than one checker of a kind.

    @param checkers: are asked in their order. Where one fails, nobody further
        is asked.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, checkers: Sequence[ICredentialsChecker]) -> None:
        self._checkers = checkers

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Find out whose credentials these are.

        @return: fires with the name, or fails with
            L{twisted.cred.error.UnauthorizedLogin}.
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
    """
    Make the way in for callers.

    @param checkers: any of them may let a caller in; they check
        L{IUsernamePassword}.
    """
    return Portal(PrincipalRealm(), [AnyChecker(checkers)])
