"""
Volumes: dictionaries open together with their indexes, to find whole quotes in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TypeVar

from . import grep
from .cursor import Cursor, open_cursor
from .dictionary import Dictionary, State
from .errors import DictionaryChanging, DictionaryForbidden, DictionaryNotFound
from .greps import GrepRunner, Greps
from .index import Columns, Index, runs
from .indexes import Indexes, InThread
from .library import Library
from .query import EVERY_DICTIONARY, Selection
from .quotes import Quote, Span, text_of
from .settle import ATTEMPTS, settled

T = TypeVar("T")

_READ_AT_ONCE = 256 * 1024
"""About how many bytes of quotes are read, and dealt with, at one time."""


class NotReady(Exception):
    """A dictionary has no index as it is now, or is no longer there."""


class Volume:
    """
    A dictionary, open together with its index.

    @param name: the dictionary's name.
    @param in_thread: runs what may block.
    """

    def __init__(
        self,
        name: str,
        dictionary: Dictionary,
        index: Index,
        columns: Columns,
        in_thread: InThread,
    ) -> None:
        self.name = name
        self.state = dictionary.state
        self.count = index.count
        self._dictionary = dictionary
        self._index = index
        self._columns = columns
        self._in_thread = in_thread

    async def open_cursor(self, greps: Greps, selection: Selection) -> Cursor:
        """Look for the quotes that are selected; once for each volume."""
        return await open_cursor(greps, self._index, self._columns, selection)

    async def number_of(self, greps: Greps, identity: str) -> int | None:
        """The number of the first quote with an id, if there is one."""
        outcome = await greps.run(
            grep.whole_line_arguments(identity),
            grep.environment(None),
            self._columns.ids,
        )
        return next(iter(grep.read_numbers(outcome.output)), None)

    async def read(
        self, numbers: Sequence[int], before: int = 0, after: int = 0
    ) -> list[Quote]:
        """
        Read quotes.

        @param numbers: their numbers, in ascending order, one at least.
        @param before: how many quotes before each to read with it, as they
            stand in the file.
        @param after: how many after each.
        @return: the first ones of them, one at least, as many as are read at
            one time.
        @raise DictionaryChanging: the file has been written to.
        """
        read: list[tuple[Span, bytes]] = await self._in_thread(
            self._read, numbers, before, after
        )
        if not self._dictionary.is_unchanged():
            raise DictionaryChanging()
        return [Quote(self.name, span.line, text_of(data)) for span, data in read]

    def _read(
        self, numbers: Sequence[int], before: int, after: int
    ) -> list[tuple[Span, bytes]]:
        found: list[tuple[Span, bytes]] = []
        room = _READ_AT_ONCE
        for span in self._spans(numbers, before, after):
            room -= span.end - span.start
            if found and room < 0:
                break
            found.append((span, self._dictionary.read_at(span.start, span.end)))
        return found

    def _spans(self, numbers: Sequence[int], before: int, after: int) -> Iterator[Span]:
        if not (before or after):
            for first, last in runs(numbers):
                yield from self._columns.read_spans(first, last)
            return
        for number in numbers:
            first = max(0, number - before)
            last = min(self.count, number + after + 1)
            [start] = self._columns.read_spans(first, first + 1)
            [end] = self._columns.read_spans(last - 1, last)
            yield Span(start.start, end.end, start.line)


class Volumes:
    """
    The dictionaries of a library, with their indexes.

    @param runner: runs grep.
    @param now: tells the time, in seconds since 1970.
    @param in_thread: runs what may block.
    """

    def __init__(
        self,
        runner: GrepRunner,
        library: Library,
        indexes: Indexes,
        in_thread: InThread,
        now: Callable[[], float],
    ) -> None:
        self._runner = runner
        self._library = library
        self._indexes = indexes
        self._in_thread = in_thread
        self._now = now

    def names(self, asked: str) -> list[str]:
        """
        The dictionaries that are asked for.

        @param asked: a name, or C{"*"} for every dictionary.
        """
        return self._library.names() if asked == EVERY_DICTIONARY else [asked]

    async def states(self, asked: str) -> dict[str, State]:
        """
        The states of the dictionaries that are asked for, by name, in order.

        @param asked: a name, or C{"*"} for every dictionary that may be read.
        """
        states = {}
        for name in self.names(asked):
            with await self._open(name, asked) as dictionary:
                if dictionary is not None:
                    states[name] = dictionary.state
        return states

    async def prepare(self, asked: str) -> list[str]:
        """
        Have indexes for what is asked for. No file is open meanwhile.

        @param asked: a name, or C{"*"} for every dictionary that may be read.
        @return: the names.
        """
        ready = []
        for name in self.names(asked):
            with await self._open(name, asked) as dictionary:
                if dictionary is None:
                    continue
                index = self._indexes.get(dictionary)
            await index
            ready.append(name)
        return ready

    async def _open(self, name: str, asked: str) -> Dictionary | nullcontext[None]:
        """Open a dictionary. Of every one, none that may not be read is missed."""
        try:
            dictionary = self._library.open(name)
        except (DictionaryForbidden, DictionaryNotFound):
            if asked == EVERY_DICTIONARY:
                return nullcontext()
            raise
        try:
            return await settled(self._runner.reactor, self._now, dictionary)
        except BaseException:
            dictionary.close()
            raise

    @contextmanager
    def open(self, name: str) -> Iterator[Volume]:
        """
        Open a dictionary with its index.

        @raise NotReady: it has none as it is now, or is no longer there.
        """
        with ExitStack() as stack:
            try:
                dictionary = stack.enter_context(self._library.open(name))
                index = self._indexes.find(dictionary)
                if index is None:
                    raise NotReady()
                columns = stack.enter_context(index.open())
            except (DictionaryForbidden, DictionaryNotFound, FileNotFoundError):
                raise NotReady() from None
            yield Volume(name, dictionary, index, columns, self._in_thread)

    async def search(
        self,
        asked: str,
        work: Callable[[Greps, list[str]], Awaitable[T]],
        may_begin_anew: Callable[[], bool] = lambda: True,
    ) -> T:
        """
        Do something with the dictionaries that are asked for, anew where one of
        them is replaced or written to meanwhile.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        @param work: is given a place for its greps, and the names.
        @param may_begin_anew: whether it may be done once more.
        @raise DictionaryChanging: one of them was written to again and again.
        """
        for _ in range(ATTEMPTS):
            try:
                names = await self.prepare(asked)
                with await self._runner.take_place() as greps:
                    return await work(greps, names)
            except (NotReady, DictionaryChanging):
                if not may_begin_anew():
                    break
        raise DictionaryChanging()
