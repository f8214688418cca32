"""
What the tests with the real grep have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import Any

from twisted.python.filepath import FilePath
from twisted.trial.unittest import TestCase

from twisted_quotes.library.library import Library
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import QuoteResults
from twisted_quotes.text.quotes import Quote

from .fakes import make_test_finder

LOVE_TEXT = """\
Love looks not
with the eyes.
-- Helena

\tThe course of true  love
never did run smooth.
-- Lysander

Brevity is the
soul of wit.
-- Polonius
"""
FORTUNES_TEXT = "No love\n\nlost.\n%\n%\nLove\nis blind.\n%\n"


def letter_case_groups() -> list[list[str]]:
    """The letters that are the same but for their case, each with its others."""
    groups: dict[str, set[str]] = {}
    for letter in map(chr, range(0x110000)):
        # Simple folding has one letter for one, and where full folding has more
        # the lower case.
        folded = letter.casefold()
        if len(folded) > 1:
            folded = letter.lower()
        if len(folded) == 1:
            groups.setdefault(folded, {folded}).add(letter)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def letter_case_variants() -> list[list[str]]:
    """Lines that are the same but for the case of their letters, all of a group."""
    groups = letter_case_groups()
    return [
        [
            ".".join(each[rank % len(each)] for each in groups[at : at + 150])
            for rank in range(4)
        ]
        for at in range(0, len(groups), 150)
    ]


def run_real_grep(
    arguments: tuple[str, ...], stdin: bytes, *inherited_fds: int
) -> bytes:
    """
    What the real grep prints.

    @param stdin: what it reads.
    @param inherited_fds: open files that it has, under the numbers that they have here.
    """
    return run(
        ["grep", *arguments],
        input=stdin,
        env={"LC_ALL": "C"},
        capture_output=True,
        pass_fds=inherited_fds,
    ).stdout


class CollectedQuotes(QuoteResults):
    """
    Quotes that are collected.

    @ivar quotes: what was taken so far.
    @ivar free_space: how many more are taken.
    """

    def __init__(self, limit: int | None = None, max_quotes: int = 1000) -> None:
        super().__init__(limit)
        self.quotes: list[Quote] = []
        self.free_space = max_quotes

    async def write(self, quotes: Sequence[Quote]) -> None:
        """Take quotes, as far as there is room."""
        accepted = list(quotes)[: self.free_space]
        self.free_space -= len(accepted)
        self.quotes += accepted
        self.returned += len(accepted)
        self.limit_reached = not self.free_space

    def restart(self) -> bool:
        """Forget what was taken."""
        self.free_space += len(self.quotes)
        self.quotes.clear()
        self.total = self.returned = 0
        self.limit_reached = False
        return True

    @property
    def texts(self) -> list[str]:
        """Their texts."""
        return [each.text for each in self.quotes]


class RealGrepTestCase(TestCase):
    """
    Has a library, and a finder that runs the real grep on it.

    @ivar folder: the library's folder.
    """

    def setUp(self) -> None:
        """Make a library of three dictionaries."""
        temporary_directory = TemporaryDirectory()
        self.addCleanup(temporary_directory.cleanup)
        self.folder = Path(temporary_directory.name, "library")
        self.folder.mkdir()
        self.cache = Path(temporary_directory.name, "cache")
        self.write("dreams", LOVE_TEXT)
        self.write("empty", "")
        self.write("fortunes", FORTUNES_TEXT)

    def write(self, name: str, text: str | bytes) -> None:
        """Write a dictionary."""
        data = text if isinstance(text, bytes) else text.encode()
        (self.folder / name).write_bytes(data)

    def make_finder(self, **kwargs: Any) -> Finder:
        """A finder on the library."""
        from twisted.internet import reactor

        library = Library(FilePath(str(self.folder)))
        finder = make_test_finder(reactor, library, self.cache, 2, **kwargs)
        # A grep that was killed may still be dying.
        self.addCleanup(finder.outstanding.when_done)
        return finder
