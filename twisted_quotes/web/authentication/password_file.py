"""
The checker of C{--auth file:PATH}: a file of names with passwords or their hashes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_bytes
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from zope.interface import implementer

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter, SlotRequest
from twisted_quotes.concurrency.threads import DeferToThread

from .credentials import Credentials
from .password_hash import verify_password
from .password_table import PasswordTable, parse_passwords

MAX_REMEMBERED = 4096
"""The maximum number of right credentials that are remembered, and of wrong ones."""

MEMORY_LIFETIME = 600.0
"""How long credentials are remembered, in seconds."""


class CheckedCredentials:
    """
    The credentials that were last found to be right or wrong, for a limited time.

    Wrong ones cannot displace right ones.

    @param now: returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._expiry_times: dict[bool, OrderedDict[bytes, float]] = {
            True: OrderedDict(),
            False: OrderedDict(),
        }

    def recall(self, digest: bytes) -> bool | None:
        """Return whether credentials are right; L{None} if that is not known."""
        for is_right, expiry_times in self._expiry_times.items():
            if expiry_times.get(digest, 0.0) > self._now():
                expiry_times.move_to_end(digest)
                return is_right
        return None

    def remember(self, digest: bytes, is_right: bool) -> None:
        """Remember credentials, and forget those that were used longest ago."""
        expiry_times = self._expiry_times[is_right]
        expiry_times[digest] = self._now() + MEMORY_LIFETIME
        expiry_times.move_to_end(digest)
        if len(expiry_times) > MAX_REMEMBERED:
            expiry_times.popitem(last=False)


@dataclass(frozen=True)
class _FileState:
    """
    One state of the file.

    @ivar hashes: all hashes in it.
    @ivar checked: the credentials that were checked with it.
    """

    content: bytes
    table: PasswordTable
    hashes: Sequence[bytes]
    checked: CheckedCredentials


@implementer(ICredentialsChecker)
class PasswordFile:
    """
    A file with a line C{NAME:PASSWORD} or C{NAME:HASH} for each user, in UTF-8.

    Lines that start with C{#} and blank lines are ignored. Blanks at the end of a line
    are part of the password.

    The file is read for each check, so that a change takes effect at once.

    Hashes are verified in threads. The result is remembered until the file changes. In
    a file with hashes, all wrong credentials cost the verification of one hash, so that
    the time does not tell whether the user exists.

    @param path: the path of the file.
    @param in_thread: runs verifications.
    @param limiter: limits the verifications that run and that wait.
    @param now: returns the time in seconds.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self,
        path: str,
        in_thread: DeferToThread,
        limiter: ConcurrencyLimiter,
        now: Callable[[], float],
    ) -> None:
        self._path = path
        self._in_thread = in_thread
        self._limiter = limiter
        self._now = now
        self._state = self._parse(b"")
        # A digest tells nothing without the key, wherever it is compared.
        self._key = token_bytes(32)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        """
        Check credentials.

        @param credentials: L{Credentials}.
        @return: fires with the user name. It fails with L{UnauthorizedLogin}, or with
            L{TooBusy<twisted_quotes.errors.TooBusy>} or L{TooManyRequests
            <twisted_quotes.errors.TooManyRequests>} if too many verifications wait, or
            with an L{OSError} or L{MalformedHash
            <twisted_quotes.web.authentication.password_table.MalformedHash>} if the
            file cannot be used.
        """
        return Deferred.fromCoroutine(self._check(credentials))

    async def _check(self, credentials: Credentials) -> bytes:
        state = self._read_state()
        name, password = credentials.username, credentials.password
        plain, hashes = state.table.plain, state.table.hashes
        if credentials.checkPassword(plain.get(name, b"")) and name in plain:
            return name
        if not hashes:
            raise UnauthorizedLogin()
        digest = self._digest(b"%d:%b%b" % (len(name), name, password))
        is_right = state.checked.recall(digest)
        if is_right is None:
            hashed = hashes.get(name, self._decoy(state, name))
            with await self._limiter.acquire(SlotRequest(credentials.client_key)):
                # An equal request may have been checked meanwhile.
                is_right = state.checked.recall(digest)
                if is_right is None:
                    matches = await self._in_thread(verify_password, hashed, password)
                    is_right = matches and name in hashes
                    state.checked.remember(digest, is_right)
        if not is_right:
            raise UnauthorizedLogin()
        return name

    def _read_state(self) -> _FileState:
        with open(self._path, "rb") as file:
            content = file.read()
        if content != self._state.content:
            self._state = self._parse(content)
        return self._state

    def _parse(self, content: bytes) -> _FileState:
        table = parse_passwords(content)
        checked = CheckedCredentials(self._now)
        return _FileState(content, table, [*table.hashes.values()], checked)

    def _decoy(self, state: _FileState, name: bytes) -> bytes:
        """Return the hash of some user, always the same for a name."""
        hashes = state.hashes
        return hashes[int.from_bytes(self._digest(name)) % len(hashes)]

    def _digest(self, data: bytes) -> bytes:
        return blake2b(data, key=self._key, digest_size=32).digest()
