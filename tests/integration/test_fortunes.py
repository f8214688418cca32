"""
Debian's fortunes, served as they are installed, against C{fortune} itself.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .http_connection import TIMEOUT
from .server import Server

FORTUNES = Path("/usr/share/games/fortunes")
FORTUNE = "/usr/games/fortune"
FILES = ("computers", "law", "literature", "love", "paradoxum", "wisdom")
WORDS = 300


def run_fortune(name: str, *arguments: str) -> set[str]:
    """What C{fortune} prints of the quotes in a file that match."""
    # Its exit status says nothing: it is 1 now and then where quotes were found.
    printed = subprocess.run(
        [FORTUNE, *arguments, str(FORTUNES / name)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        timeout=TIMEOUT,
    ).stdout.decode("utf-8", "replace")
    return {quote.rstrip("\n") for quote in printed.split("\n%\n") if quote}


def last_quote(name: str) -> str | None:
    """The last quote of a file, where no C{%} follows it."""
    text = (FORTUNES / name).read_text("utf-8", "replace")
    return None if text.endswith("%\n") else text.rpartition("\n%\n")[2].rstrip("\n")


def sample_words(name: str, count: int) -> list[str]:
    """Words of a file, spread over all that there are."""
    text = (FORTUNES / name).read_text("utf-8", "replace")
    words = sorted(set(re.findall(r"(?<!\w)[A-Za-z]{3,}(?!\w)", text)))
    return words[:: max(1, len(words) // count)][:count]


class FortuneTests(SynchronousTestCase):
    """What the service finds in Debian's fortunes."""

    server: Server

    def setUp(self) -> None:
        """Serve the folder, where Debian's packages are installed."""
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

    def test_the_dictionaries_are_the_files_without_their_companions(self) -> None:
        """Neither the offsets of strfile nor the links for UTF-8 are served."""
        names = {
            each.name
            for each in FORTUNES.iterdir()
            if each.is_file() and each.suffix not in (".dat", ".u8")
        }
        self.assertEqual(set(self.server.query_results(action="list")), names)
        for companion in ("love.dat", "love.u8"):
            answer = self.server.post_query({"action": "all", "dictionary": companion})
            self.assertEqual(answer.status, 404)

    def test_each_file_has_as_many_quotes_as_strfile_counted(self) -> None:
        """The second number in a file's companion is how many strings it has."""
        listed = self.server.get("/api/v2/dictionaries").json()["dictionaries"]
        counts = {each["name"]: each["quotes"] for each in listed}
        counted = {
            name: int.from_bytes((FORTUNES / f"{name}.dat").read_bytes()[4:8], "big")
            for name in counts
        }
        self.assertEqual(counts, counted)

    def test_words_are_found_as_fortune_finds_them(self) -> None:
        """
        For hundreds of words, the quotes are the same, but for one: fortune
        overlooks the last quote of a file where no C{%} follows it.
        """
        looked_for = 0
        for name in FILES:
            overlooked = last_quote(name)
            for word in sample_words(name, WORDS // len(FILES)):
                found = {each.rstrip("\n") for each in self.search(name, word)}
                self.assertTrue(found)
                expected = run_fortune(name, "-m", word)
                if overlooked is not None:
                    self.assertNotIn(overlooked, expected)
                    expected |= {overlooked} if word in overlooked else set()
                self.assertEqual(found, expected, (name, word))
                looked_for += 1
        self.assertGreaterEqual(looked_for, 250)

    def test_case_is_ignored_as_fortune_ignores_it(self) -> None:
        """C{-i} does the same as C{ignore_case}."""
        for word in sample_words("love", 20):
            found = self.search("love", word.upper(), ignore_case=True)
            self.assertEqual(
                {quote.rstrip("\n") for quote in found},
                run_fortune("love", "-i", "-m", word),
                word,
            )

    def test_what_breaks_across_lines_is_found_here_alone(self) -> None:
        """That is the difference: fortune looks at the text as it stands."""
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
