"""
Tests that compare searches of Debian's fortunes with the program C{fortune}.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .http_connection import TIMEOUT
from .server import Server, wait_until

FORTUNES = Path("/usr/share/games/fortunes")
FORTUNE = "/usr/games/fortune"
FILES = ("computers", "law", "literature", "love", "paradoxum", "wisdom")
WORDS = 300


def run_fortune(name: str, *arguments: str) -> set[str]:
    """Return the matching quotes that C{fortune} prints."""
    # The exit status is sometimes 1 although there are matches.
    printed = subprocess.run(
        [FORTUNE, *arguments, str(FORTUNES / name)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        timeout=TIMEOUT,
    ).stdout.decode("utf-8", "replace")
    # Overstrikes are not part of the text of a quote: these underline, or are accents.
    printed = re.sub(r"_+\x08+", "", printed).replace("'\be", "\xe9")
    return {quote.rstrip("\n") for quote in printed.split("\n%\n") if quote}


def last_quote(name: str) -> str | None:
    """Return the last quote of a file, if no C{%} follows it."""
    text = (FORTUNES / name).read_text("utf-8", "replace")
    return None if text.endswith("%\n") else text.rpartition("\n%\n")[2].rstrip("\n")


def sample_words(name: str, count: int) -> list[str]:
    """Return words of a file, evenly spread in alphabetical order."""
    text = (FORTUNES / name).read_text("utf-8", "replace")
    words = sorted(set(re.findall(r"(?<!\w)[A-Za-z]{3,}(?!\w)", text)))
    return words[:: max(1, len(words) // count)][:count]


class FortuneTests(SynchronousTestCase):
    server: Server

    def setUp(self) -> None:
        """Serve the folder; skip the test if the packages are missing."""
        if not (FORTUNES / "paradoxum").exists() or not os.path.exists(FORTUNE):
            reason = "Debian's fortunes, fortunes-min and fortune-mod are not installed"
            if os.environ.get("CI"):
                self.fail(reason)
            raise SkipTest(reason)
        self.server = Server(f"--dictionaries={FORTUNES}")
        self.addCleanup(self.server.kill)

    def search(self, name: str, term: str, **fields: object) -> list[str]:
        """Search a file for whole quotes."""
        return self.server.query_results(
            action="search", term=term, dictionary=name, unit="quote", **fields
        )

    def test_files_of_strfile_are_not_dictionaries(self) -> None:
        """The links for UTF-8 are not dictionaries either."""
        names = {
            each.name
            for each in FORTUNES.iterdir()
            if each.is_file() and each.suffix not in (".dat", ".u8")
        }
        self.assertEqual(set(self.server.query_results(action="list")), names)
        for companion in ("love.dat", "love.u8"):
            response = self.server.post_query(
                {"action": "all", "dictionary": companion}
            )
            self.assertEqual(response.status, 404)

    def test_the_number_of_quotes_is_that_of_strfile(self) -> None:
        """It is the second number in the file of strfile."""
        url = "/api/v2/dictionaries"
        # On a busy machine, the indexes are built for longer than a request waits.
        wait_until(lambda: self.server.get(url).status == 200, "all indexes")
        listed = self.server.get(url).json()["dictionaries"]
        counts = {each["name"]: each["quotes"] for each in listed}
        counted = {
            name: int.from_bytes((FORTUNES / f"{name}.dat").read_bytes()[4:8], "big")
            for name in counts
        }
        self.assertEqual(counts, counted)

    def test_searches_find_the_same_quotes_as_fortune(self) -> None:
        """The only exception is a last quote without a C{%}, which fortune ignores."""
        looked_for = 0
        for name in FILES:
            overlooked = last_quote(name)
            for word in sample_words(name, WORDS // len(FILES)):
                results = {each.rstrip("\n") for each in self.search(name, word)}
                self.assertTrue(results)
                expected = run_fortune(name, "-m", word)
                if overlooked is not None:
                    self.assertNotIn(overlooked, expected)
                    expected |= {overlooked} if word in overlooked else set()
                self.assertEqual(results, expected, (name, word))
                looked_for += 1
        self.assertGreaterEqual(looked_for, 250)

    def test_ignore_case_finds_the_same_quotes_as_fortune(self) -> None:
        """C{fortune} has the option C{-i} for this."""
        for word in sample_words("love", 20):
            results = self.search("love", word.upper(), ignore_case=True)
            self.assertEqual(
                {quote.rstrip("\n") for quote in results},
                run_fortune("love", "-i", "-m", word),
                word,
            )

    def test_phrases_are_found_across_line_breaks(self) -> None:
        """fortune does not find them."""
        phrases = 0
        for quote in self.server.query_results(
            action="all", dictionary="wisdom", unit="quote", nresults=40
        ):
            broken = re.search(r"([A-Za-z]+ [A-Za-z]+)\n([A-Za-z]+ [A-Za-z]+)", quote)
            if broken is None:
                continue
            phrase = f"{broken[1]} {broken[2]}"
            self.assertIn(quote, self.search("wisdom", phrase))
            self.assertNotIn(quote.rstrip("\n"), run_fortune("wisdom", "-m", phrase))
            phrases += 1
        self.assertGreater(phrases, 5)
