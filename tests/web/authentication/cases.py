"""
What the tests of password files share.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from argon2 import PasswordHasher

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.web.authentication.password_file import PasswordFile

from ...fakes import run_immediately

_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def hash_quickly(password: str) -> str:
    """Return a hash that takes no time to verify."""
    return _HASHER.hash(password)


def make_password_file(
    path: Path,
    in_thread: DeferToThread = run_immediately,
    limiter: ConcurrencyLimiter | None = None,
    now: Callable[[], float] = lambda: 1000.0,
) -> PasswordFile:
    """Return the checker of a password file."""
    return PasswordFile(str(path), in_thread, limiter or ConcurrencyLimiter(1, 10), now)
