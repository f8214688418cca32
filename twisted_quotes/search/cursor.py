"""
Cursors: the numbers of the quotes that match, found as far as they are asked for.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from dataclasses import replace

from twisted_quotes.grep import arguments as grep
from twisted_quotes.grep import output as grep_output
from twisted_quotes.grep.arguments import GrepFailed
from twisted_quotes.grep.runner import Greps
from twisted_quotes.library.index import Columns, Index
from twisted_quotes.processes.process import Outcome
from twisted_quotes.query.queries import Pattern, Selection
from twisted_quotes.text.normalization import fold, fold_term

MOST_NUMBERS = 100_000
"""How many numbers are best taken at one time, at the most."""

_MOST_OUTPUT = 8 * 1024 * 1024
"""About how many bytes grep may print before what it found is read."""


def folded(pattern: Pattern) -> Pattern:
    """What to look for in folded texts, where a pattern is to be found."""
    return replace(pattern, term=fold_term(pattern.term, pattern.regex))


class Cursor(ABC):
    """
    The numbers of the quotes that match, in order, counted from 0.
    """

    @abstractmethod
    async def take(self, most: int) -> list[int]:
        """The next ones; fewer than C{most} only where no more follow."""

    @abstractmethod
    async def count(self) -> int:
        """How many are left. They count as taken."""

    async def skip(self, most: int) -> int:
        """
        Pass over the next ones.

        @return: how many they were; fewer than C{most} only where no more follow.
        """
        skipped = 0
        while skipped < most:
            wanted = min(most - skipped, MOST_NUMBERS)
            found = await self.take(wanted)
            skipped += len(found)
            if len(found) < wanted:
                break
        return skipped


class Every(Cursor):
    """
    All quotes.

    @param count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self._left = range(count)

    async def take(self, most: int) -> list[int]:
        """The next ones."""
        taken, self._left = self._left[:most], self._left[most:]
        return list(taken)

    async def count(self) -> int:
        """How many are left."""
        left, self._left = self._left, range(0)
        return len(left)


class Matching(Cursor):
    """
    The quotes whose line in a column matches.

    grep leaves the column's position after the last match it printed, and the
    next grep goes on there: between two of them nothing runs, and nothing is
    kept.

    @param greps: runs grep.
    @param column: the file descriptor of the column, at its start.
    @param mean_size: how many bytes a line has, on average.
    @param pattern: what is looked for, folded.
    """

    def __init__(
        self, greps: Greps, column: int, mean_size: int, pattern: Pattern
    ) -> None:
        self._greps = greps
        self._column = column
        self._most = max(1, _MOST_OUTPUT // mean_size)
        self._pattern = pattern
        self._passed = 0
        self._at_end = False

    async def take(self, most: int) -> list[int]:
        """The next ones."""
        taken: list[int] = []
        while len(taken) < most and not self._at_end:
            taken += await self._take(min(most - len(taken), self._most))
        return taken

    async def _take(self, wanted: int) -> list[int]:
        """The next ones; fewer than C{wanted} where their lines are long."""
        at = os.lseek(self._column, 0, os.SEEK_CUR)
        arguments = grep.number_arguments(self._pattern, wanted)
        outcome = await self._grep(arguments, 2 * _MOST_OUTPUT)
        if not outcome.is_whole:
            if wanted == 1:
                raise GrepFailed("grep printed more than there is")
            os.lseek(self._column, at, os.SEEK_SET)
            return await self._take(max(1, wanted // 8))
        found = grep_output.read_numbers(outcome.output)
        self._at_end = len(found) < wanted
        first = self._passed
        if found:
            self._passed += found[-1] + 1
        return [first + each for each in found]

    async def count(self) -> int:
        """How many are left."""
        if self._at_end:
            return 0
        self._at_end = True
        outcome = await self._grep(grep.count_arguments(self._pattern))
        return grep_output.read_count(outcome.output)

    async def _grep(
        self, arguments: tuple[str, ...], most_output: int | None = None
    ) -> Outcome:
        pattern, column = self._pattern, self._column
        environment = grep.environment(pattern)
        return await self._greps.run(
            arguments, environment, column, pattern.regex, most_output
        )


class Both(Cursor):
    """
    The quotes that match in two ways.

    @param cursor: those that match in one.
    @param flags: for each quote, whether it matches in the other: 1 or 0.
    """

    def __init__(self, cursor: Cursor, flags: bytearray) -> None:
        self._cursor = cursor
        self._flags = flags
        self._found: list[int] = []
        self._at_end = False

    async def take(self, most: int) -> list[int]:
        """The next ones."""
        while len(self._found) < most and not self._at_end:
            found = await self._cursor.take(MOST_NUMBERS)
            self._found += [each for each in found if self._flags[each]]
            self._at_end = len(found) < MOST_NUMBERS
        taken, self._found = self._found[:most], self._found[most:]
        return taken

    async def count(self) -> int:
        """How many are left."""
        return await self.skip(sys.maxsize)


async def open_cursor(
    greps: Greps, index: Index, columns: Columns, selection: Selection
) -> Cursor:
    """
    Look for what is selected.

    @param greps: runs grep.
    @param index: of the dictionary to look in.
    @param columns: its columns, just opened.
    """
    cursor: Cursor = Every(index.count)
    if selection.author is not None:
        author = Pattern(fold(selection.author), ignore_case=True)
        cursor = Matching(greps, columns.authors, index.mean_size, author)
    if selection.pattern is None:
        return cursor
    matching = Matching(
        greps, columns.texts, index.mean_size, folded(selection.pattern)
    )
    if selection.author is None:
        return matching
    flags = bytearray(index.count)
    while numbers := await cursor.take(MOST_NUMBERS):
        for each in numbers:
            flags[each] = 1
    return Both(matching, flags)
