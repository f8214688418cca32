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

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.pauses import CooperativeScheduler
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import (
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    ServiceNotReady,
    Unavailable,
)
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.library.dictionary import Dictionary, FileState, PathState
from twisted_quotes.library.index import IndexDamaged
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import (
    MAX_ATTEMPTS,
    is_recently_changed,
    wait_until_stable,
)
from twisted_quotes.query.queries import ALL_DICTIONARIES

from .indexed_dictionary import IndexedDictionary, IndexNotReady

T = TypeVar("T")

_MAX_WITHOUT_THREAD = 50
"""How many dictionaries take less time to look at than a thread to start."""


class IndexedLibrary:
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
        in_thread: DeferToThread,
        now: Callable[[], float],
    ) -> None:
        self._runner = runner
        self._library = library
        self._indexes = indexes
        self._in_thread = in_thread
        self._now = now
        self._pauses = CooperativeScheduler(runner.reactor)

    async def list_names(self) -> list[str]:
        """The names of the dictionaries that may be read, in order."""
        return await self._library.resolve_names(ALL_DICTIONARIES, self._in_thread)

    def iterate_cooperatively(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Go through dictionaries, and let others have their turns in between."""
        return self._pauses.iterate(items)

    async def _iterate_names(self, dictionary_name: str) -> AsyncIterator[str]:
        """Go through the names of the dictionaries that are asked for."""
        async for name in self.iterate_cooperatively(
            await self._library.resolve_names(dictionary_name, self._in_thread)
        ):
            yield name

    async def read_states(self, dictionary_name: str) -> dict[str, FileState]:
        """
        The states of the dictionaries that are asked for, by name, in order.

        @param dictionary_name: a name, or C{"*"} for every dictionary that may be read.
        """
        states = {}
        async for name in self._iterate_names(dictionary_name):
            if dictionary := await self._open_stable(name, dictionary_name):
                with dictionary:
                    states[name] = dictionary.state
        return states

    def versions(self, dictionary_name: str) -> tuple[PathState, ...] | None:
        """
        What tells whether anything has changed that an answer depends on.

        @param dictionary_name: the name of one dictionary.
        @return: its version; L{None} where that is not to be seen, or could change
            unseen, as it was changed just now.
        """
        path_state = self._library.path_state(dictionary_name)
        if path_state is None or is_recently_changed(
            self._now(), *[changed for _, _, changed in path_state]
        ):
            return None
        return (path_state,)

    async def read_all_versions(self) -> tuple[PathState, ...] | None:
        """
        The same of every dictionary that may be read.

        @return: the versions, in the order of the names.
        """
        if 0 < self._library.count <= _MAX_WITHOUT_THREAD:
            return self._read_all_versions()
        versions: tuple[PathState, ...] | None = await self._in_thread(
            self._read_all_versions
        )
        return versions

    def _read_all_versions(self) -> tuple[PathState, ...] | None:
        collected: list[PathState] = []
        for name in self._library.names():
            versions = self.versions(name)
            if versions is None:
                return None
            collected += versions
        return tuple(collected)

    async def ensure_indexes(self, dictionary_name: str) -> tuple[list[str], bool]:
        """
        Wait until dictionaries have indexes. No file stays open meanwhile.

        @param dictionary_name: the name of a dictionary, or C{"*"} for all
            dictionaries that may be read.
        @return: the names of those with an index, and whether these are all.
        @raise DictionaryChanging: if the dictionary, or each of them, is being
            written to.
        @raise ServiceNotReady: if none has an index.
        """
        ready = []
        last_error: Unavailable | None = None
        async for name in self._iterate_names(dictionary_name):
            dictionary = await self._open_stable(name, dictionary_name)
            if dictionary is None:
                continue
            with dictionary:
                index = self._indexes.get(
                    dictionary, dictionary_name != ALL_DICTIONARIES
                )
            try:
                await index
            except (DictionaryChanging, ServiceNotReady) as error:
                last_error = error
                if dictionary_name == ALL_DICTIONARIES:
                    self._log.warn(
                        "{name!a} is left out: {reason}",
                        name=name,
                        reason=error.message,
                    )
            else:
                ready.append(name)
        if last_error is not None and not ready:
            raise last_error
        return ready, last_error is None

    async def _open_stable(self, name: str, requested_name: str) -> Dictionary | None:
        """Open a dictionary. Of every one, those that may not be read are L{None}."""
        try:
            dictionary = self._library.open(name)
        except (DictionaryForbidden, DictionaryNotFound):
            if requested_name == ALL_DICTIONARIES:
                return None
            raise
        try:
            return await wait_until_stable(self._runner.reactor, self._now, dictionary)
        except BaseException:
            dictionary.close()
            raise

    @contextmanager
    def open(
        self, name: str, state: FileState | None = None
    ) -> Iterator[IndexedDictionary]:
        """
        Open a dictionary with its index.

        @param state: the state that it must be in; L{None} for any.
        @raise IndexNotReady: it has no index as it is now, is no longer there, or is
            in another state.
        """
        with ExitStack() as stack:
            try:
                dictionary = stack.enter_context(self._library.open(name))
            except (DictionaryForbidden, DictionaryNotFound):
                raise IndexNotReady() from None
            index = self._indexes.find(dictionary)
            if index is None or state not in (None, dictionary.state):
                raise IndexNotReady()
            try:
                index_files = stack.enter_context(index.open())
            except (FileNotFoundError, IndexDamaged):
                # It will be made anew, by whoever asks next.
                self._indexes.invalidate(dictionary)
                raise IndexNotReady() from None
            yield IndexedDictionary(
                name, dictionary, index, index_files, self._in_thread
            )

    async def search(
        self,
        dictionary_name: str,
        slot_request: SlotRequest,
        operation: Callable[[GrepSession, list[str], bool], Awaitable[T]],
        can_restart: Callable[[], bool] = lambda: True,
    ) -> T:
        """
        Do something with the dictionaries that are asked for, anew where one of
        them is replaced or written to meanwhile.

        @param dictionary_name: the name of a dictionary, or C{"*"} for every one.
        @param slot_request: whose place it takes.
        @param operation: is called with the session for its greps, the names of the
            dictionaries with an index, and whether these are all.
        @param can_restart: whether it may be done once more.
        @raise DictionaryChanging: one of them was written to again and again.
        """
        for _ in range(MAX_ATTEMPTS):
            try:
                names, is_complete = await self.ensure_indexes(dictionary_name)
                with await self._runner.acquire_session(slot_request) as grep_session:
                    return await operation(grep_session, names, is_complete)
            except (IndexNotReady, DictionaryChanging):
                if not can_restart():
                    break
        raise DictionaryChanging()
