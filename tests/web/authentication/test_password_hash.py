"""
Tests for L{twisted_quotes.web.authentication.password_hash}.
"""

from __future__ import annotations

from errno import ENOMEM

from argon2 import extract_parameters
from argon2.exceptions import VerificationError
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.authentication import password_hash
from twisted_quotes.web.authentication.password_hash import (
    hash_password,
    verify_password,
)

# Made by another program: argon2 of the reference implementation.
KNOWN = (
    b"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"
    b"$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
)


class HashPasswordTests(SynchronousTestCase):
    def test_a_hash_is_that_of_its_password_only(self) -> None:
        hashed = hash_password("pässwörd").encode()
        self.assertTrue(verify_password(hashed, "pässwörd".encode()))
        for password in ("pässword", "pässwörd ", "", "pässwörd\0"):
            self.assertFalse(verify_password(hashed, password.encode()), password)

    def test_two_hashes_of_a_password_differ(self) -> None:
        """Each has a salt of its own."""
        self.assertNotEqual(hash_password("secret"), hash_password("secret"))

    def test_a_verification_uses_one_core(self) -> None:
        self.assertEqual(extract_parameters(hash_password("secret")).parallelism, 1)

    def test_a_password_that_no_client_can_send_is_refused(self) -> None:
        for password in ("", "a\nb", "a\0", "\x7f", "\ud800"):
            self.assertRaises(ValueError, hash_password, password)


class VerifyPasswordTests(SynchronousTestCase):
    def test_hashes_of_other_programs_are_verified(self) -> None:
        self.assertTrue(verify_password(KNOWN, b"password"))
        self.assertFalse(verify_password(KNOWN, b"Password"))

    def test_a_lack_of_memory_is_not_a_wrong_password(self) -> None:
        def fail(*_: object) -> None:
            raise VerificationError("Memory allocation error")

        self.patch(password_hash, "verify_secret", fail)
        error = self.assertRaises(OSError, verify_password, KNOWN, b"password")
        self.assertEqual(error.errno, ENOMEM)
