"""
What a password file says: the users, each with a password or its hash.

This module does not import argon2, so that the options can be checked without it.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from re import compile

# The string format of Argon2 (https://github.com/P-H-C/phc-winner-argon2).
_ARGON2ID = compile(
    rb"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,2})"
    rb"\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)"
)

# Hashes of crypt(3) and of htpasswd, too: as a plain password, the hash itself would
# let its owner in.
_ANY_HASH = compile(rb"\$(?:argon2|(?:[1567y]|2[abxy]|gy|apr1)\$)")

# A verification with more would block a thread for very long, or never have the memory.
_MAX_KIBIBYTES, _MAX_PASSES = 1024 * 1024, 100

_MIN_SALT_BYTES, _MIN_HASH_BYTES = 8, 16


class MalformedHash(ValueError):
    """
    A line of a password file has a hash that cannot be used.

    @ivar line_number: its number, counted from 1. The message says no more of the line.
    """

    def __init__(self, line_number: int) -> None:
        super().__init__(
            f"the hash in line {line_number} is not a valid argon2id hash, such as "
            "$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH"
        )
        self.line_number = line_number


@dataclass(frozen=True)
class PasswordTable:
    """
    The users of a password file. A user has either a plain password or a hash.

    @ivar plain: the plain passwords by name.
    @ivar hashes: the hashes by name.
    """

    plain: Mapping[bytes, bytes]
    hashes: Mapping[bytes, bytes]


def parse_passwords(content: bytes) -> PasswordTable:
    """
    Parse a password file. The first line for a name counts.

    @raise MalformedHash: a line has a hash of another kind, or one that is damaged.
    """
    plain: dict[bytes, bytes] = {}
    hashes: dict[bytes, bytes] = {}
    for number, line in enumerate(content.removeprefix(BOM_UTF8).split(b"\n"), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        name, _, password = line.removesuffix(b"\r").partition(b":")
        is_hash = _ANY_HASH.match(password) is not None
        if is_hash and not _is_valid_hash(password := password.rstrip()):
            raise MalformedHash(number)
        if name not in plain and name not in hashes:
            (hashes if is_hash else plain)[name] = password
    return PasswordTable(plain, hashes)


def _is_valid_hash(text: bytes) -> bool:
    """Return whether argon2 can verify a password with a hash."""
    match = _ARGON2ID.fullmatch(text)
    if match is None:
        return False
    kibibytes, passes, lanes = map(int, match.groups()[:3])
    return (
        8 * lanes <= kibibytes <= _MAX_KIBIBYTES
        and passes <= _MAX_PASSES
        and _decoded_size(match[4]) >= _MIN_SALT_BYTES
        and _decoded_size(match[5]) >= _MIN_HASH_BYTES
    )


def _decoded_size(text: bytes) -> int:
    """Return the size of base64 without padding; 0 if no encoder would write it."""
    if len(text) % 4 == 1:
        return 0
    data = b64decode(text + b"=" * (-len(text) % 4))
    return len(data) if b64encode(data).rstrip(b"=") == text else 0
