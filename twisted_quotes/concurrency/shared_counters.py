"""
Counters that all worker processes share, in memory.

Each worker writes a row of its own and reads the rows of all. There is no lock, because
a worker that is stopped while it holds one would stop all. So two workers may acquire
the last unit of a shared capacity in the same microsecond: the limit may be exceeded by
one for each further worker.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from .capacity import Capacity


class Column(IntEnum):
    """What a worker counts."""

    SERVING = 0
    CONNECTIONS = 1
    WAITS = 2


ROWS_PER_WORKER = 4
"""The number of rows for each worker: workers that are shutting down need one, too."""


class SharedCounters:
    """
    The counters of all workers.

    @param descriptor: an open file, created by L{create}.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        # Aligned groups of eight bytes are read and written atomically.
        self._cells = memoryview(mmap.mmap(descriptor, 0)).cast("q")
        self.rows = len(self._cells) // len(Column)

    @classmethod
    def create(cls, rows: int) -> SharedCounters:
        """Create counters in an anonymous file, which inheriting processes share."""
        descriptor = os.memfd_create("scoreboard")
        os.truncate(descriptor, rows * len(Column) * 8)
        return cls(descriptor)

    def read(self, row: int, column: Column) -> int:
        """Return one counter."""
        return self._cells[row * len(Column) + column]

    def write(self, row: int, column: Column, value: int) -> None:
        """Set one counter."""
        self._cells[row * len(Column) + column] = value

    def total(self, column: Column) -> int:
        """Return the sum of a counter over all workers."""
        return sum(self.read(row, column) for row in range(self.rows))

    def minimum_connections_elsewhere(self, row: int) -> int | None:
        """
        Return the lowest number of connections of the serving workers, except one.

        @param row: the row of the worker that does not count.
        """
        others = (
            self.read(other, Column.CONNECTIONS)
            for other in range(self.rows)
            if other != row and self.read(other, Column.SERVING)
        )
        return min(others, default=None)

    def clear(self, row: int) -> None:
        """Reset the row of a worker that has ended."""
        for column in Column:
            self.write(row, column, 0)


@dataclass
class SharedCapacity(Capacity):
    """
    A capacity that all workers share.

    @ivar in_use: the number of units that this worker has acquired.
    @ivar row: the row of this worker.
    @ivar column: what is counted.
    @ivar on_release: called when this worker has released a unit.
    """

    shared_counters: SharedCounters
    row: int
    column: Column
    on_release: Callable[[], object] | None = field(default=None, init=False)

    def try_acquire(self) -> bool:
        """Acquire a unit; return L{False} if all are in use."""
        if self.shared_counters.total(self.column) >= self.limit:
            return False
        self._set_in_use(self.in_use + 1)
        return True

    def release(self) -> None:
        """Release a unit."""
        self._set_in_use(self.in_use - 1)
        if self.on_release is not None:
            self.on_release()

    def _set_in_use(self, value: int) -> None:
        self.in_use = value
        self.shared_counters.write(self.row, self.column, value)
