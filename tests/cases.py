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
from twisted_quotes.search.results import Results
from twisted_quotes.text.quotes import Quote

from .fakes import make_test_finder

LOVE = """\
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
FORTUNES = "No love\n\nlost.\n%\n%\nLove\nis blind.\n%\n"


def case_groups() -> list[list[str]]:
    """The letters that are the same but for their case, each with its others."""
    groups: dict[str, set[str]] = {}
    for letter in map(chr, range(0x110000)):
        # Simple folding has one letter for one, and where full folding has more
        # the lower case.
        same = letter.casefold()
        if len(same) > 1:
            same = letter.lower()
        if len(same) == 1:
            groups.setdefault(same, {same}).add(letter)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def case_lines() -> list[list[str]]:
    """Lines that are the same but for the case of their letters, all of a group."""
    groups = case_groups()
    return [
        [
            ".".join(each[rank % len(each)] for each in groups[at : at + 150])
            for rank in range(4)
        ]
        for at in range(0, len(groups), 150)
    ]


def printed(arguments: tuple[str, ...], text: bytes, *files: int) -> bytes:
    """
    What the real grep prints.

    @param text: what it reads.
    @param files: open files that it has, under the numbers that they have here.
    """
    return run(
        ["grep", *arguments],
        input=text,
        env={"LC_ALL": "C"},
        capture_output=True,
        pass_fds=files,
    ).stdout


class Collected(Results):
    """
    Quotes that are collected.

    @ivar quotes: what was taken so far.
    @ivar room: how many more are taken.
    """

    def __init__(self, limit: int | None = None, room: int = 1000) -> None:
        super().__init__(limit)
        self.quotes: list[Quote] = []
        self.room = room

    async def take(self, quotes: Sequence[Quote]) -> None:
        """Take quotes, as far as there is room."""
        taken = list(quotes)[: self.room]
        self.room -= len(taken)
        self.quotes += taken
        self.returned += len(taken)
        self.full = not self.room

    def begin_anew(self) -> bool:
        """Forget what was taken."""
        self.room += len(self.quotes)
        self.quotes.clear()
        self.total = self.returned = 0
        self.full = False
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
        room = TemporaryDirectory()
        self.addCleanup(room.cleanup)
        self.folder = Path(room.name, "library")
        self.folder.mkdir()
        self.cache = Path(room.name, "cache")
        self.write("dreams", LOVE)
        self.write("empty", "")
        self.write("fortunes", FORTUNES)

    def write(self, name: str, text: str | bytes) -> None:
        """Write a dictionary."""
        data = text if isinstance(text, bytes) else text.encode()
        (self.folder / name).write_bytes(data)

    def make_finder(self, **how: Any) -> Finder:
        """A finder on the library."""
        from twisted.internet import reactor

        library = Library(FilePath(str(self.folder)))
        finder = make_test_finder(reactor, library, self.cache, 2, **how)
        # A grep that was killed may still be dying.
        self.addCleanup(finder.outstanding.when_over)
        return finder
