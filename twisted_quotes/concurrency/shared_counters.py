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

from .capacity import Room


class Column(IntEnum):
    """What a worker tells of itself."""

    SERVING = 0
    CONNECTIONS = 1
    WAITS = 2


ROWS_EACH = 4
"""How many rows there are for each worker: those that are ending need one, too."""

_CELL = 8


class Scoreboard:
    """
    The rows of all workers.

    @param descriptor: an open file, as L{make} makes one, which is mapped.
    @param rows: how many rows it has, 1 or more.
    """

    def __init__(self, descriptor: int, rows: int) -> None:
        self.descriptor = descriptor
        self.rows = rows
        # Eight bytes that lie together are written, and read, at once.
        self._cells = memoryview(mmap.mmap(descriptor, _size(rows))).cast("q")

    @classmethod
    def make(cls, rows: int) -> Scoreboard:
        """Make one of which nothing is left when all who know it are gone."""
        descriptor = os.memfd_create("scoreboard")
        os.truncate(descriptor, _size(rows))
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

    def fewest_elsewhere(self, row: int) -> int | None:
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


class SharedRoom(Room):
    """
    Room for so many in all workers together.

    @param scoreboard: has how many are in it.
    @param row: the row of the worker that this is part of.
    @param column: what is counted.
    """

    def __init__(
        self, most: int, scoreboard: Scoreboard, row: int, column: Column
    ) -> None:
        super().__init__(most)
        self._scoreboard = scoreboard
        self._row = row
        self._column = column

    def enter(self) -> bool:
        """Take room for one more; say whether there was any."""
        if self._scoreboard.total(self._column) >= self.most:
            return False
        self.taken += 1
        self._tell()
        return True

    def leave(self) -> None:
        """Give back the room of one."""
        super().leave()
        self._tell()

    def _tell(self) -> None:
        self._scoreboard.write(self._row, self._column, self.taken)


def _size(rows: int) -> int:
    return rows * len(Column) * _CELL
