"""
Hashes of passwords, with Argon2 (RFC 9106).
"""

from __future__ import annotations

from errno import ENOMEM
from re import compile

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import verify_secret

# The OWASP Password Storage Cheat Sheet recommends these. One lane, so that a
# verification uses one core: clients can cause as many as they like.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

# No client can send these in HTTP Basic credentials (RFC 7617, section 2).
_CONTROL_CHARACTER = compile(r"[\x00-\x1f\x7f]")


def hash_password(password: str) -> str:
    """
    Return a hash of a password for a password file.

    @raise ValueError: no client could send the password; the message says why.
    """
    if not password:
        raise ValueError("the password is empty")
    if _CONTROL_CHARACTER.search(password):
        raise ValueError("the password has control characters")
    return _HASHER.hash(password)


def verify_password(hashed: bytes, password: bytes) -> bool:
    """
    Return whether a hash is that of a password. This takes a while on purpose.

    @param hashed: a valid argon2id hash.
    @raise OSError: the system has not enough memory.
    """
    try:
        return verify_secret(hashed, password, Type.ID)
    except VerifyMismatchError:
        return False
    except VerificationError as error:
        raise OSError(ENOMEM, str(error)) from None
