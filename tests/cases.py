"""
Fixtures for tests with the real grep.
"""

from __future__ import annotations

from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import TestCase

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter, SlotRequest
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.library.library import Library
from twisted_quotes.quotes.encodings import START_SIZE, detect_encoding
from twisted_quotes.quotes.quote import Quote
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import QuoteResults

from .fakes import apply_no_limits, make_test_finder

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
    """Return the groups of letters that differ only in case."""
    groups: dict[str, set[str]] = {}
    for letter in map(chr, range(0x110000)):
        # Simple case folding: if full folding gives several letters, the lower case.
        folded = letter.casefold()
        if len(folded) > 1:
            folded = letter.lower()
        if len(folded) == 1:
            groups.setdefault(folded, {folded}).add(letter)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def letter_case_variants() -> list[list[str]]:
    """Return groups of lines that differ only in case, with all such letters."""
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
    Return the output of grep.

    @param inherited_fds: the file descriptors that it inherits.
    """
    return run(
        ["grep", *arguments],
        input=stdin,
        env={"LC_ALL": "C"},
        capture_output=True,
        pass_fds=inherited_fds,
    ).stdout


async def acquire_real_session() -> GrepSession:
    """Return a session that runs the real grep."""
    from twisted.internet import reactor

    given: Any = reactor
    runner = GrepRunner(
        *(given, "/bin/grep", ConcurrencyLimiter(1, 0), 30.0),
        *(Outstanding(), apply_no_limits),
    )
    return await runner.acquire_session(SlotRequest())


class CollectedQuotes(QuoteResults):
    """
    Collects quotes.

    @param max_quotes: the number of quotes after which the limit is reached.
    """

    def __init__(self, limit: int | None = None, max_quotes: int = 1000) -> None:
        super().__init__(limit)
        self.quotes: list[Quote] = []
        self.max_quotes = max_quotes

    async def write(self, quotes: list[Quote]) -> None:
        """Collect the quotes that fit."""
        self.quotes = (self.quotes + quotes)[: self.max_quotes]
        self.returned = len(self.quotes)
        self.limit_reached = self.returned == self.max_quotes

    def restart(self) -> bool:
        """Discard all quotes."""
        self.quotes = []
        self.total = self.returned = 0
        self.limit_reached = False
        return True

    @property
    def texts(self) -> list[str]:
        """Return the texts of the quotes."""
        return [quote.text for quote in self.quotes]


def as_text(data: bytes) -> bytes:
    """Return data with a start that makes it a dictionary in UTF-8 if it is none."""
    if detect_encoding(data[:START_SIZE]) == "utf-8":
        return data
    return b"a long start\n" * (START_SIZE // 12) + data


class RealGrepTestCase(TestCase):
    """
    Has a library, and a finder that runs the real grep on it.

    @ivar folder: the folder of the library.
    """

    def setUp(self) -> None:
        """Create a library of three dictionaries."""
        temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.folder = temporary_folder / "library"
        self.folder.mkdir()
        self.cache = temporary_folder / "cache"
        self.write("dreams", LOVE_TEXT)
        self.write("empty", "")
        self.write("fortunes", FORTUNES_TEXT)

    def write(self, name: str, text: str | bytes) -> None:
        """Write a dictionary."""
        data = text if isinstance(text, bytes) else text.encode()
        (self.folder / name).write_bytes(data)

    def make_finder(self, slots: int = 2, **kwargs: Any) -> Finder:
        """Return a finder on the library, with some slots."""
        from twisted.internet import reactor

        library = Library(self.folder)
        finder = make_test_finder(reactor, library, self.cache, slots, **kwargs)
        # A killed grep may still be running.
        self.addCleanup(finder.outstanding.when_done)
        self.addCleanup(finder.searchable_library.monitor.stop)
        return finder
