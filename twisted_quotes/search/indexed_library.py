"""
The dictionaries of a library together with their indexes.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from twisted.logger import Logger

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.scheduler import CooperativeScheduler
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import (
    DictionaryChanging,
    DictionaryForbidden,
    DictionaryNotFound,
    DictionaryNotText,
    ServiceNotReady,
    Unavailable,
)
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.library.dictionary import Dictionary, FileState, PathState
from twisted_quotes.library.indexes.format import IndexDamaged
from twisted_quotes.library.indexes.provider import IndexProvider
from twisted_quotes.library.library import Library
from twisted_quotes.library.stability import (
    MAX_ATTEMPTS,
    is_recently_changed,
    wait_until_stable,
)
from twisted_quotes.query.queries import EVERY_DICTIONARY, DictionaryNames

from .indexed_dictionary import IndexedDictionary
from .results import Results

T = TypeVar("T")

Versions: TypeAlias = tuple[PathState, ...] | None

_MAX_WITHOUT_THREAD = 50
"""The number of dictionaries up to which a thread costs more than it saves."""


@dataclass
class IndexedLibrary:
    """
    The dictionaries of a library together with their indexes.

    The C{requested} names are those of dictionaries, in order, or only C{"*"} for all
    dictionaries that may be read.

    @ivar in_thread: runs what may block.
    @ivar now: returns the time, in seconds since 1970.
    @ivar warnings: the warnings about dictionaries, by name, from their latest indexes.
    """

    _log = Logger()

    runner: GrepRunner
    library: Library
    indexes: IndexProvider
    in_thread: DeferToThread
    now: Callable[[], float]
    warnings: dict[str, Sequence[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._scheduler = CooperativeScheduler(self.runner.reactor)

    def iterate(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Iterate over dictionaries; let the reactor run from time to time."""
        return self._scheduler.iterate(items)

    async def resolve_names(
        self, requested: DictionaryNames = EVERY_DICTIONARY
    ) -> list[str]:
        """Return the names of the dictionaries that a query names, in order."""
        if requested != EVERY_DICTIONARY:
            return [*requested]
        names: list[str] = await self.in_thread(self.library.names)
        return names

    def open_requested(
        self, name: str, requested: DictionaryNames
    ) -> Dictionary | None:
        """
        Open one of the dictionaries that a query names.

        @return: L{None} if the query names all dictionaries and this one is gone.
        """
        try:
            return self.library.open(name)
        except (DictionaryForbidden, DictionaryNotFound, DictionaryNotText):
            if requested == EVERY_DICTIONARY:
                return None
            raise

    def reopen(self, name: str, state: FileState | None) -> Dictionary:
        """
        Open a dictionary that existed before.

        @param state: the state that it must have; L{None} for any.
        @raise DictionaryChanging: if it has another state, or no longer exists.
        """
        try:
            dictionary = self.library.open(name)
        except (DictionaryForbidden, DictionaryNotFound, DictionaryNotText):
            raise DictionaryChanging() from None
        if state not in (None, dictionary.state):
            dictionary.close()
            raise DictionaryChanging()
        return dictionary

    async def _open_each(
        self, requested: DictionaryNames
    ) -> AsyncIterator[tuple[str, Dictionary]]:
        """Open the dictionaries that a query names, when nobody writes to them."""
        async for name in self.iterate(await self.resolve_names(requested)):
            dictionary = self.open_requested(name, requested)
            if dictionary is None:
                continue
            try:
                await wait_until_stable(self.runner.reactor, self.now, dictionary)
            except BaseException:
                dictionary.close()
                raise
            yield name, dictionary

    async def read_states(self, requested: DictionaryNames) -> dict[str, FileState]:
        """Return the states of dictionaries, by name, in order."""
        states = {}
        async for name, dictionary in self._open_each(requested):
            with dictionary:
                states[name] = dictionary.state
        return states

    def versions(self, requested: DictionaryNames, of_quotes: bool) -> Versions:
        """
        Return what changes whenever the response to a query could change.

        With C{"*"} this may block: L{read_versions} does not.

        @param of_quotes: whether the response has quotes, not lines.
        @return: L{None} if a dictionary could change without a change of this.
        """
        names = requested
        if requested == EVERY_DICTIONARY:
            names = tuple(self.library.names())
        versions = []
        for name in names:
            version = self.library.path_state(name, of_quotes)
            if version is None or is_recently_changed(
                self.now(), *[ctime for _, _, ctime in version]
            ):
                return None
            versions.append(version)
        return tuple(versions)

    async def read_versions(
        self, requested: DictionaryNames, of_quotes: bool
    ) -> Versions:
        """Return the L{versions} of dictionaries; use a thread if they are many."""
        is_named = requested != EVERY_DICTIONARY
        count = len(requested) if is_named else self.library.count
        if 0 < count <= _MAX_WITHOUT_THREAD:
            return self.versions(requested, of_quotes)
        versions: Versions = await self.in_thread(self.versions, requested, of_quotes)
        return versions

    async def ensure_indexes(
        self, requested: DictionaryNames
    ) -> tuple[list[str], bool]:
        """
        Wait until dictionaries have indexes. No file stays open meanwhile.

        @return: the names of those with an index, and whether these are all.
        @raise DictionaryChanging: if one that the query names is being written to.
        @raise ServiceNotReady: if one that it names has no index, or none at all has.
        """
        ready = []
        last_error: Unavailable | None = None
        is_named = requested != EVERY_DICTIONARY
        async for name, dictionary in self._open_each(requested):
            with dictionary:
                index = self.indexes.get(dictionary, is_named)
            try:
                self.warnings[name] = (await index).warnings
                ready.append(name)
            except (DictionaryChanging, ServiceNotReady) as error:
                if is_named:
                    raise
                last_error, reason = error, error.message
                self._log.warn(
                    "{name!a} is left out: {reason}", name=name, reason=reason
                )
        if last_error is not None and not ready:
            raise last_error
        return ready, last_error is None

    @contextmanager
    def open(
        self, name: str, state: FileState | None = None
    ) -> Iterator[IndexedDictionary]:
        """
        Open a dictionary with its index.

        @param state: the state that it must have; L{None} for any.
        @raise DictionaryChanging: if it has another state or no index, or no
            longer exists.
        """
        with ExitStack() as stack:
            dictionary = stack.enter_context(self.reopen(name, state))
            index = self.indexes.find(dictionary)
            if index is None:
                raise DictionaryChanging()
            try:
                index_files = stack.enter_context(index.open())
            except (FileNotFoundError, IndexDamaged):
                # The next search builds it again.
                self.indexes.invalidate(dictionary)
                raise DictionaryChanging() from None
            yield IndexedDictionary(
                name, dictionary, index, index_files, self.in_thread
            )

    async def search(
        self,
        requested: DictionaryNames,
        slot_request: SlotRequest,
        operation: Callable[[GrepSession, list[str]], Awaitable[T]],
        results: Results,
    ) -> T:
        """
        Search dictionaries; start again when one of them changes meanwhile.

        @param operation: is called with the session for its greps and the names of the
            dictionaries with an index.
        @param results: what the operation writes to.
        @raise DictionaryChanging: if a dictionary changes in each attempt, or when the
            results cannot be discarded.
        """
        for _ in range(MAX_ATTEMPTS):
            try:
                names, results.is_complete = await self.ensure_indexes(requested)
                with await self.runner.acquire_session(slot_request) as grep_session:
                    return await operation(grep_session, names)
            except DictionaryChanging:
                if not results.restart():
                    raise
        raise DictionaryChanging()
