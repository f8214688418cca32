"""
What the workers know of each other: a scoreboard, in memory that they share.

Each worker writes a row of its own, and reads those of all. There is no lock,
for one that is stopped while it holds it would stop all. So two workers that
take the last room in the same microsecond may both have it: of what is limited
for all of them together, there may be one more for each further worker.
"""

from __future__ import annotations

import mmap
import os
from enum import IntEnum

from .capacity import Capacity


class Column(IntEnum):
    """What a worker tells of itself."""

    SERVING = 0
    CONNECTIONS = 1
    WAITS = 2


ROWS_PER_WORKER = 4
"""How many rows there are for each worker: those that are ending need one, too."""

_CELL_SIZE = 8


class SharedCounters:
    """
    The rows of all workers.

    @param descriptor: an open file, as L{create} makes one, which is mapped.
    @param rows: how many rows it has, 1 or more.
    """

    def __init__(self, descriptor: int, rows: int) -> None:
        self.descriptor = descriptor
        self.rows = rows
        # Eight bytes that lie together are written, and read, at once.
        self._cells = memoryview(mmap.mmap(descriptor, _size_in_bytes(rows))).cast("q")

    @classmethod
    def create(cls, rows: int) -> SharedCounters:
        """Make one of which nothing is left when all who know it are gone."""
        descriptor = os.memfd_create("scoreboard")
        os.truncate(descriptor, _size_in_bytes(rows))
        return cls(descriptor, rows)

    def read(self, row: int, column: Column) -> int:
        """Read what a worker tells."""
        return self._cells[row * len(Column) + column]

    def write(self, row: int, column: Column, value: int) -> None:
        """Tell something, in a row of one's own."""
        self._cells[row * len(Column) + column] = value

    def total(self, column: Column) -> int:
        """The sum of what all workers tell."""
        return sum(self.read(row, column) for row in range(self.rows))

    def minimum_connections_elsewhere(self, row: int) -> int | None:
        """
        How many connections the worker has that has fewest.

        @param row: the row of the one who asks, which does not count.
        @return: L{None} where no other one serves.
        """
        return min(
            (
                self.read(other, Column.CONNECTIONS)
                for other in range(self.rows)
                if other != row and self.read(other, Column.SERVING)
            ),
            default=None,
        )

    def clear(self, row: int) -> None:
        """Forget a worker that is gone."""
        for column in Column:
            self.write(row, column, 0)


class SharedCapacity(Capacity):
    """
    Room for so many in all workers together.

    @param shared_counters: has how many are in it.
    @param row: the row of the worker that this is part of.
    @param column: what is counted.
    """

    def __init__(
        self, limit: int, shared_counters: SharedCounters, row: int, column: Column
    ) -> None:
        super().__init__(limit)
        self._shared_counters = shared_counters
        self._row = row
        self._column = column

    def try_acquire(self) -> bool:
        """Take room for one more; say whether there was any."""
        if self._shared_counters.total(self._column) >= self.limit:
            return False
        self.in_use += 1
        self._publish()
        return True

    def release(self) -> None:
        """Give back the room of one."""
        super().release()
        self._publish()

    def _publish(self) -> None:
        self._shared_counters.write(self._row, self._column, self.in_use)


def _size_in_bytes(rows: int) -> int:
    return rows * len(Column) * _CELL_SIZE
