"""
Tests for L{twisted_quotes.grep.matches}, with the real grep.
"""

from __future__ import annotations

import re
from itertools import islice
from random import Random
from unittest.mock import patch

from twisted.trial.unittest import TestCase

from twisted_quotes.grep import matches
from twisted_quotes.query.selection import Pattern

from ..cases import acquire_real_session
from ..fakes import run_immediately

ANCHORS = ("", "", "^", r"\b")


def is_word(character: str) -> bool:
    """Return whether a character is part of a word."""
    return character.isalnum() or character == "_"


def expected_matches(pattern: Pattern, text: str) -> list[str]:
    """Return the matches of a pattern with their positions: leftmost, then longest."""
    term = pattern.term.replace("$", r"\Z")
    found, start = [], 0
    while start < len(text):
        for end in range(len(text), start, -1):
            left = len(text) - end
            is_bounded = not pattern.whole_word or not (
                is_word(text[start - 1 : start]) or is_word(text[end : end + 1])
            )
            here = re.compile(rf"(?:{term})(?=.{{{left}}}\Z)")
            if is_bounded and here.match(text, start):
                found.append(f"{start}:{text[start:end]}")
                start = end
                break
        else:
            start += 1
    return found


def random_expression(source: Random, depth: int = 0) -> str:
    """Return an expression that does not match the empty string."""
    atoms = (
        "a",
        "b",
        "-",
        " ",
        "\u00e9",
        ".",
        "[ab]",
        "[^a]",
        "ab",
        "a-b",
    )
    kind = source.randrange(7)
    if depth > 2 or kind == 0:
        return source.choice(atoms)
    inner = random_expression(source, depth + 1)
    other = random_expression(source, depth + 1)
    match kind:
        case 1 | 2:
            return f"({inner}|{other})"
        case 3:
            return f"{inner}({other})?"
        case 4:
            return f"({inner})+"
        case 5:
            return f"{inner}({other})*"
        case _:
            return inner + other


class MatchesTests(TestCase):
    """Tests for L{matches.find_matches}, with the real grep."""

    async def find_matches(
        self, pattern: Pattern, *texts: str, limit: int = 1000
    ) -> list[list[str]]:
        """Return the matches in each text, with their positions."""
        lines = [text.encode() + b"\n" for text in texts]
        with await acquire_real_session() as greps:
            found = await matches.find_matches(
                greps, pattern, lines, limit, run_immediately
            )
        self.truncated = [here.is_truncated for here in found]
        return [
            [f"{len(line[:a].decode())}:{line[a:b].decode()}" for a, b in here.spans]
            for line, here in zip(lines, found, strict=True)
        ]

    async def test_a_whole_word_may_be_shorter_than_the_longest_match(self) -> None:
        pattern = Pattern("a(-b)?|xx", whole_word=True, regex=True)
        self.assertEqual(
            await self.find_matches(pattern, "xx a-bc a-bc a-bc", "a-b", "a-bc xx"),
            [["0:xx", "3:a", "8:a", "13:a"], ["0:a-b"], ["0:a", "5:xx"]],
        )

    async def test_word_characters_are_those_of_grep(self) -> None:
        """They include marks that are no letters for Python."""
        pattern = Pattern("(a(-b)?|\u05b8|-)", whole_word=True, regex=True)
        self.assertEqual(
            await self.find_matches(pattern, "a-bc \u05b8- a-bc", "-- a-bc -a-bc"),
            [["0:a", "5:\u05b8", "8:a"], ["0:-", "1:-", "3:a", "9:a"]],
        )

    async def test_random_expressions_match_as_in_python(self) -> None:
        source = Random(20261128)
        for _ in range(120):
            texts = [
                "".join(source.choices("ab-- \u00e9", k=source.randrange(14)))
                for _ in range(20)
            ]
            # Anchors only outside of repetitions, where the C library knows them.
            start, end = source.choice(ANCHORS), source.choice(("", "", "$"))
            term = (
                f"{start}({random_expression(source)}){end}|{random_expression(source)}"
            )
            for whole_word in (False, True):
                pattern = Pattern(term, whole_word=whole_word, regex=True)
                self.assertEqual(
                    await self.find_matches(pattern, *texts),
                    [expected_matches(pattern, text) for text in texts],
                    (pattern, texts),
                )

    async def test_fixed_strings_match_as_in_grep(self) -> None:
        """Although no grep runs for most of them."""
        source = Random(2)
        letters = "aAbB- \u00e9\u00c9i\u0131kK\u212asS\u017f"
        texts = ["".join(source.choices(letters, k=30)) for _ in range(40)]
        for _ in range(60):
            term = "".join(source.choices(letters, k=source.randint(1, 2)))
            pattern = Pattern(term, ignore_case=source.random() < 0.5)
            found = await self.find_matches(pattern, *texts, limit=3)
            with patch.object(matches, "is_matched_as_bytes", lambda _: False):
                expected = await self.find_matches(pattern, *texts, limit=3)
            self.assertEqual(found, expected, pattern)

    async def test_the_number_of_matches_in_a_line_is_limited(self) -> None:
        for pattern in (
            Pattern("x"),
            Pattern("x|y", regex=True),
            Pattern("x(-y)?", whole_word=True, regex=True),
        ):
            found = await self.find_matches(pattern, "x x x", "", "x-yz x x", limit=2)
            self.assertEqual([len(each) for each in found], [2, 0, 2])
            self.assertEqual(self.truncated, [True, False, True])

    async def test_the_number_of_greps_is_limited(self) -> None:
        """Lines with further matches are truncated."""
        pattern = Pattern("a(-b)?", whole_word=True, regex=True)
        found = await self.find_matches(pattern, "a-bc " * 100, "a-bc")
        self.assertEqual(self.truncated, [True, False])
        self.assertEqual(len(found[0]), 1 + matches.MAX_ROUNDS)

    async def test_a_match_may_be_longer_than_the_maximum_output(self) -> None:
        """In each line."""
        pattern, long = Pattern("a+", regex=True), "a" * 300_000
        texts = ("b", long, long, f"aa{long}", "a b a", "b", f"a b {long}", "a a a")
        with patch.object(matches, "_MAX_OUTPUT", 10):
            found = await self.find_matches(pattern, *texts, limit=2)
        expected = [re.finditer("a+", text) for text in texts]
        self.assertEqual(
            found,
            [[f"{m.start()}:{m[0]}" for m in islice(each, 2)] for each in expected],
        )
        self.assertEqual(self.truncated, [False] * 7 + [True])
