"""
Tests for L{twisted_quotes.web.authentication.password_table}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.web.authentication.password_hash import hash_password
from twisted_quotes.web.authentication.password_table import (
    MalformedHash,
    PasswordTable,
    parse_passwords,
)

SALT, HASH = "c2FsdHNhbHQ", "aGFzaGhhc2hoYXNoaGFzaA"
VALID = f"$argon2id$v=19$m=19456,t=2,p=1${SALT}${HASH}"


def parse(*lines: str) -> PasswordTable:
    return parse_passwords("\n".join(lines).encode())


class ParsePasswordsTests(SynchronousTestCase):
    def test_a_line_has_a_plain_password_or_a_hash(self) -> None:
        table = parse("alice:secret", f"bob:{VALID}", "# carol:x", "", "dan:$ecret$1")
        self.assertEqual(table.plain, {b"alice": b"secret", b"dan": b"$ecret$1"})
        self.assertEqual(table.hashes, {b"bob": VALID.encode()})

    def test_the_first_line_for_a_name_counts(self) -> None:
        """A user never has both a password and a hash."""
        for lines in ((f"a:{VALID}", "a:x"), ("a:x", f"a:{VALID}")):
            table = parse(*lines)
            self.assertEqual(len({**table.plain, **table.hashes}), 1)
            self.assertEqual(b"a" in table.hashes, lines[0] == f"a:{VALID}")

    def test_blanks_after_a_hash_are_ignored(self) -> None:
        self.assertEqual(parse(f"a:{VALID} \t\r").hashes, {b"a": VALID.encode()})

    def test_our_own_hashes_are_valid(self) -> None:
        hashed = hash_password("secret")
        self.assertEqual(parse(f"a:{hashed}").hashes, {b"a": hashed.encode()})

    def test_the_limits_of_the_parameters(self) -> None:
        for parameters in (
            *("m=8,t=1,p=1", "m=1048576,t=1,p=1", "m=64,t=100,p=8"),
            "m=65536,t=3,p=4",
        ):
            table = parse(f"a:$argon2id$v=19${parameters}${SALT}${HASH}")
            self.assertEqual(len(table.hashes), 1, parameters)

    def test_a_hash_that_cannot_be_verified_is_an_error_with_its_line(self) -> None:
        """The message has nothing of the line."""
        for password in (
            "$argon2id$x",
            VALID[:-1],
            f"{VALID}=",
            f"{VALID}$",
            f"x {VALID}"[2:-12],
            VALID.replace("argon2id", "argon2i"),
            VALID.replace("argon2id", "argon2d"),
            VALID.replace("argon2id", "argon2"),
            VALID.replace("v=19", "v=16"),
            VALID.replace("v=19$", ""),
            VALID.replace("m=19456", "m=7"),
            VALID.replace("m=19456", "m=019456"),
            VALID.replace("m=19456", "m=1048577"),
            VALID.replace("m=19456,t=2", "t=2,m=19456"),
            VALID.replace("t=2", "t=0"),
            VALID.replace("t=2", "t=101"),
            VALID.replace("p=1$", "p=0$"),
            VALID.replace("p=1$", "p=1,keyid=x$"),
            VALID.replace("m=19456,t=2,p=1", "m=15,t=2,p=2"),
            VALID.replace(SALT, "c2FsdA"),
            VALID.replace(SALT, "c2Fsd-NhbHQ"),
            # Bits after the last byte.
            VALID.replace(SALT, "c2FsdHNhbHR"),
            VALID.replace(HASH, "aGFzaGhhc2hoYXNo"),
            "$2y$05$abcdefghijklmnopqrstuu5s5s5s5s5s5s5s5s5s5s5s5s5s5s5s5",
            "$2b$12$x",
            "$6$salt$hash",
            "$1$salt$hash",
            "$y$j9T$salt$hash",
            "$apr1$salt$hash",
        ):
            with self.assertRaises(MalformedHash) as raised:
                parse("# comment", "alice:plain", f"bob:{password}", "carol:x")
            self.assertEqual(raised.exception.line_number, 3, password)
            message = str(raised.exception)
            self.assertIn("line 3", message)
            self.assertNotIn("bob", message)
            self.assertNotIn(password, message)

    @given(st.text(alphabet="$argon2id=v19mtp,:#\n AZ+/", max_size=80))
    def test_any_content_is_parsed_or_an_error(self, text: str) -> None:
        try:
            table = parse_passwords(text.encode())
        except MalformedHash as error:
            line = text.split("\n")[error.line_number - 1]
            self.assertIn(":$", line)
        else:
            self.assertFalse(table.plain.keys() & table.hashes.keys())
