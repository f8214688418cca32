"""
Fixtures for tests of searches with greps that a test controls.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.library.library import Library
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.query.queries import Search
from twisted_quotes.search.finder import Finder

from ...cases import as_text
from ...fakes import FakeProcess, FakeReactor, find_entries, make_test_finder

TEXT = b"love and life\nlove\nlife\nlove of life\nnothing\n"

# Few bytes, so that terms are found, with all that is not text among them.
ANY_TEXT = st.lists(
    st.sampled_from(list(b"aab \n\n\r\0\xc3\xa9\xff\\.*")), max_size=60
).map(lambda values: as_text(bytes(values)))
ANY_TERM = st.text("ab \r\u00e9\\.*-", min_size=1, max_size=3)


class FakeGrepTestCase(SynchronousTestCase):
    """
    Has a library of small dictionaries, and greps that a test controls.

    @ivar finder: what L{start_search} uses.
    """

    finder: Finder
    reactor: FakeReactor

    def setUp(self) -> None:
        temporary_folder = Path(self.enterContext(TemporaryDirectory()))
        self.folder, self.cache = (
            temporary_folder / "library",
            temporary_folder / "cache",
        )
        self.folder.mkdir()
        for name in ("alpha", "beta", "delta"):
            (self.folder / name).write_bytes(TEXT)
        self.metrics = Metrics()

    def make_finder(self, **kwargs: Any) -> Finder:
        """Return a finder, whose searches are cancelled at the end of the test."""
        library = Library(self.folder)
        finder = make_test_finder(
            self.reactor, library, self.cache, metrics=self.metrics, **kwargs
        )
        self.addCleanup(self.end_all, finder)
        return finder

    def end_all(self, finder: Finder) -> None:
        """Cancel all searches, and end all greps."""
        finder.grep_pool.stop()
        finder.outstanding.cancel()
        for process in self.running_greps():
            process.end(signal=9)

    def running_greps(self) -> list[FakeProcess]:
        """Return the greps that have not ended."""
        return [each for each in self.reactor.processes if each.pid is not None]

    def start_search(
        self, term: str, dictionary: str = "alpha", **fields: Any
    ) -> Deferred[list[str]]:
        """Search for a term."""
        query = Search(term=term, dictionary=dictionary, **fields)
        found = find_entries(self.finder, query)
        self.addCleanup(found.addErrback, lambda failure: None)
        return found
