"""
How much of a library has an index.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.monitor import LibraryMonitor

from .collection import PackCollection


class IndexingProgress:
    """How much of a library has an index."""

    def __init__(self, monitor: LibraryMonitor, collection: PackCollection) -> None:
        self._monitor = monitor
        self._collection = collection
        self._indexed_size = self._total_size = 0
        # For what the sizes were computed.
        self._computed_for: tuple[Mapping[str, FileState], int] | None = None

    def ratio(self) -> float:
        """Return the part with an index, 0 to 1."""
        self._update()
        return self._indexed_size / self._total_size if self._total_size else 0.0

    def __str__(self) -> str:
        """Return the progress for a client."""
        self._update()
        if not self._total_size:
            return "it has just begun"
        return f"{self.ratio():.0%} of {self._total_size / 1e6:.1f} MB are done"

    def _update(self) -> None:
        """Compute the sizes, if another dictionary or index has become known."""
        states, locations = self._monitor.latest_states, self._collection.locations
        version = self._collection.version
        if self._computed_for != (states, version):
            self._computed_for = states, version
            self._total_size = sum(x.size for x in states.values())
            self._indexed_size = sum(x.size for x in states.values() if x in locations)
