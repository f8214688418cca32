"""
All dictionaries of a library together with their indexes.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from twisted.logger import Logger

from twisted_quotes.concurrency.limiter import Claim
from twisted_quotes.concurrency.pauses import Pauses
from twisted_quotes.errors import (
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    NotReadyNow,
    Unavailable,
)
from twisted_quotes.grep.runner import GrepRunner, Greps
from twisted_quotes.library.dictionary import Dictionary, State, Steps
from twisted_quotes.library.index import IndexDamaged
from twisted_quotes.library.indexes import Indexes, InThread
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import ATTEMPTS, is_fresh, settled
from twisted_quotes.query.queries import EVERY_DICTIONARY

from .indexed_dictionary import NotReady, Volume

T = TypeVar("T")

_FEW = 50
"""How many dictionaries take less time to look at than a thread to start."""


class Volumes:
    """
    The dictionaries of a library, with their indexes.

    @param runner: runs grep.
    @param now: tells the time, in seconds since 1970.
    @param in_thread: runs what may block.
    """

    _log = Logger()

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
        self.left_out = 0
        self._pauses = Pauses(runner.reactor)

    async def names(self) -> list[str]:
        """The names of the dictionaries that may be read, in order."""
        return await self._library.named(EVERY_DICTIONARY, self._in_thread)

    def each(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Go through dictionaries, and let others have their turns in between."""
        return self._pauses.each(items)

    async def _named(self, asked: str) -> AsyncIterator[str]:
        """Go through the names of the dictionaries that are asked for."""
        async for name in self.each(await self._library.named(asked, self._in_thread)):
            yield name

    async def states(self, asked: str) -> dict[str, State]:
        """
        The states of the dictionaries that are asked for, by name, in order.

        @param asked: a name, or C{"*"} for every dictionary that may be read.
        """
        states = {}
        async for name in self._named(asked):
            if dictionary := await self._open(name, asked):
                with dictionary:
                    states[name] = dictionary.state
        return states

    def versions(self, name: str) -> tuple[Steps, ...] | None:
        """
        What tells whether anything has changed that an answer depends on.

        @param name: the name of one dictionary.
        @return: its version; L{None} where that is not to be seen, or could change
            unseen, as it was changed just now.
        """
        version = self._library.version(name)
        if version is None or is_fresh(self._now(), *version.changes):
            return None
        return (version.steps,)

    async def all_versions(self) -> tuple[Steps, ...] | None:
        """
        The same of every dictionary that may be read.

        @return: the versions, in the order of the names.
        """
        if 0 < self._library.count <= _FEW:
            return self._all_versions()
        seen: tuple[Steps, ...] | None = await self._in_thread(self._all_versions)
        return seen

    def _all_versions(self) -> tuple[Steps, ...] | None:
        found: list[Steps] = []
        for name in self._library.names():
            versions = self.versions(name)
            if versions is None:
                return None
            found += versions
        return tuple(found)

    async def prepare(self, asked: str) -> list[str]:
        """
        Have indexes for what is asked for. No file is open meanwhile.

        @param asked: a name, or C{"*"} for every dictionary that may be read.
        @return: the names.
        @raise DictionaryChanging: it is being written to; of every one, all are.
        @raise NotReadyNow: there is no index; of every one, of none in time.
        """
        ready = []
        problem: Unavailable | None = None
        async for name in self._named(asked):
            dictionary = await self._open(name, asked)
            if dictionary is None:
                continue
            with dictionary:
                index = self._indexes.get(dictionary, asked != EVERY_DICTIONARY)
            try:
                await index
            except (DictionaryChanging, NotReadyNow) as error:
                problem = error
                # Of every dictionary, a bad one holds up none of the rest.
                if asked == EVERY_DICTIONARY:
                    self._leave_out(name, problem)
            else:
                ready.append(name)
        if problem is not None and not ready:
            raise problem
        return ready

    def _leave_out(self, name: str, error: Unavailable) -> None:
        """Note that an answer about every dictionary leaves one out."""
        self.left_out += 1
        self._log.warn(
            "{name!a} is left out: {reason}", name=name, reason=error.message
        )

    async def _open(self, name: str, asked: str) -> Dictionary | None:
        """Open a dictionary. Of every one, those that may not be read are L{None}."""
        try:
            dictionary = self._library.open(name)
        except (DictionaryForbidden, DictionaryNotFound):
            if asked == EVERY_DICTIONARY:
                return None
            raise
        try:
            return await settled(self._runner.reactor, self._now, dictionary)
        except BaseException:
            dictionary.close()
            raise

    @contextmanager
    def open(self, name: str, state: State | None = None) -> Iterator[Volume]:
        """
        Open a dictionary with its index.

        @param state: the state that it must be in; L{None} for any.
        @raise NotReady: it has no index as it is now, is no longer there, or is
            in another state.
        """
        with ExitStack() as stack:
            try:
                dictionary = stack.enter_context(self._library.open(name))
            except (DictionaryForbidden, DictionaryNotFound):
                raise NotReady() from None
            index = self._indexes.find(dictionary)
            if index is None or state not in (None, dictionary.state):
                raise NotReady()
            try:
                columns = stack.enter_context(index.open())
            except (FileNotFoundError, IndexDamaged):
                # It will be made anew, by whoever asks next.
                self._indexes.forget(dictionary)
                raise NotReady() from None
            yield Volume(name, dictionary, index, columns, self._in_thread)

    async def search(
        self,
        asked: str,
        claim: Claim,
        work: Callable[[Greps, list[str]], Awaitable[T]],
        may_begin_anew: Callable[[], bool] = lambda: True,
    ) -> T:
        """
        Do something with the dictionaries that are asked for, anew where one of
        them is replaced or written to meanwhile.

        @param asked: the name of a dictionary, or C{"*"} for every one.
        @param claim: whose place it takes.
        @param work: is given a place for its greps, and the names.
        @param may_begin_anew: whether it may be done once more.
        @raise DictionaryChanging: one of them was written to again and again.
        """
        for _ in range(ATTEMPTS):
            try:
                names = await self.prepare(asked)
                with await self._runner.take_place(claim) as greps:
                    return await work(greps, names)
            except (NotReady, DictionaryChanging):
                if not may_begin_anew():
                    break
        raise DictionaryChanging()
