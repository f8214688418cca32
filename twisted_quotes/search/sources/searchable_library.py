"""
The library as searches see it: dictionaries, and packs with their quotes.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from twisted.internet.defer import Deferred, TimeoutError

from twisted_quotes.concurrency.limiter import SlotRequest
from twisted_quotes.concurrency.scheduler import CooperativeScheduler
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import DictionaryChanging, IndexNotReady
from twisted_quotes.grep.runner import GrepRunner, GrepSession
from twisted_quotes.library.dictionary import (
    Dictionary,
    FileState,
    PathState,
    is_recently_changed,
)
from twisted_quotes.library.library import Library
from twisted_quotes.library.monitor import LibraryMonitor
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.files import PackFiles
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.parts import PackPart, merge_parts
from twisted_quotes.library.packs.provider import IndexedParts, PackProvider
from twisted_quotes.library.stability import MAX_ATTEMPTS, wait_until_stable
from twisted_quotes.query.queries import EVERY_DICTIONARY, DictionaryNames
from twisted_quotes.search.results import Results

from .quote_source import QuoteSource

T = TypeVar("T")

Versions: TypeAlias = tuple[PathState, ...] | str | None
"""The versions of named dictionaries, or the digest of a snapshot."""

_MAX_WITHOUT_THREAD = 50
"""The number of dictionaries up to which a thread costs more than it saves."""

INDEX_TIME_LIMIT = 2.0
"""How long a search waits for an index, in seconds."""


@dataclass
class SearchableLibrary:
    """
    The library as searches see it.

    The C{requested} names are those of dictionaries, in order, or only C{"*"} for all
    dictionaries that may be read.

    @ivar in_thread: runs what may block.
    @ivar now: returns the time, in seconds since 1970.
    """

    runner: GrepRunner
    library: Library
    monitor: LibraryMonitor
    packs: PackProvider
    in_thread: DeferToThread
    now: Callable[[], float]

    def __post_init__(self) -> None:
        self._scheduler = CooperativeScheduler(self.runner.reactor)

    def stop(self) -> Deferred[None]:
        """Stop watching the library, and all builds; see L{PackBuilds.stop}."""
        self.monitor.stop()
        return self.packs.builds.stop()

    def iterate(self, items: Iterable[T]) -> AsyncIterator[T]:
        """Iterate over items; let the reactor run from time to time."""
        return self._scheduler.iterate(items)

    async def list_names(self) -> list[str]:
        """Return the names of all dictionaries, in order."""
        return list((await self.monitor.snapshot()).states)

    async def read_states(
        self, requested: DictionaryNames
    ) -> Mapping[str, FileState] | str:
        """Return the states of dictionaries, by name, or what stands for all."""
        if requested == EVERY_DICTIONARY:
            return (await self.monitor.snapshot()).digest
        states = {}
        async for name in self.iterate(requested):
            with await self._open_stable(name) as dictionary:
                states[name] = dictionary.state
        return states

    async def _open_stable(self, name: str) -> Dictionary:
        """Open a dictionary, when nobody writes to it."""
        dictionary = self.library.open(name)
        try:
            await wait_until_stable(self.runner.reactor, self.now, dictionary)
        except BaseException:
            dictionary.close()
            raise
        return dictionary

    def versions(self, names: DictionaryNames, of_quotes: bool) -> Versions:
        """
        Return what changes whenever the response to a query could change.

        @param names: the names of dictionaries, without C{"*"}.
        @param of_quotes: whether the response has quotes, not lines.
        @return: L{None} if a dictionary could change without a change of this.
        """
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
        """Return the L{versions} of dictionaries, of which there may be many."""
        if requested == EVERY_DICTIONARY:
            snapshot = await self.monitor.snapshot()
            return snapshot.digest if snapshot.is_stable else None
        if len(requested) <= _MAX_WITHOUT_THREAD:
            return self.versions(requested, of_quotes)
        versions: Versions = await self.in_thread(self.versions, requested, of_quotes)
        return versions

    async def find_parts(
        self, requested: DictionaryNames, time_limit: float | None = INDEX_TIME_LIMIT
    ) -> IndexedParts:
        """
        Wait until dictionaries have indexes.

        @param time_limit: for how long, in seconds; L{None} for as long as it takes.
        @raise DictionaryChanging: if one that the query names is being written to.
        @raise ServiceNotReady: if one that it names has no index, or none at all has.
        @raise IndexNotReady: if it takes longer.
        """
        finding = Deferred.fromCoroutine(self._find_parts(requested))
        if time_limit is not None:
            finding.addTimeout(time_limit, self.runner.reactor)
        try:
            return await finding
        except TimeoutError:
            raise IndexNotReady(str(self.packs.progress)) from None

    async def _find_parts(self, requested: DictionaryNames) -> IndexedParts:
        if requested == EVERY_DICTIONARY:
            return await self.packs.find_all()
        parts = []
        async for name in self.iterate(requested):
            with await self._open_stable(name) as dictionary:
                state = dictionary.state
            # No file stays open meanwhile.
            parts.append(await self.packs.find(name, state))
        return IndexedParts(list(merge_parts(parts)), True)

    async def read_parts(
        self,
        parts: Sequence[PackPart],
        read: Callable[[Iterator[tuple[PackPart, PackFiles]]], T],
    ) -> T:
        """
        Call a function in a thread, with each part and its files while they are open.

        @raise DictionaryChanging: if a pack is damaged. The next search builds it
            again.
        """
        opened: list[Pack] = []

        def open_parts() -> Generator[tuple[PackPart, PackFiles], None, None]:
            for part in parts:
                opened[:] = [part.pack]
                with part.pack.open() as files:
                    yield part, files

        def read_all() -> T:
            with closing(open_parts()) as iterator:
                return read(iterator)

        try:
            result: T = await self.in_thread(read_all)
            return result
        except PackDamaged:
            self.packs.discard_damaged(opened[0])
            raise DictionaryChanging() from None

    @contextmanager
    def open_quotes(self, part: PackPart) -> Iterator[QuoteSource]:
        """
        Open a part of a pack for searches of quotes.

        @raise DictionaryChanging: if it is damaged. The next search builds it again.
        """
        try:
            with (
                part.pack.open("lines", "spans", "ids") as files,
                QuoteSource(part, files, self.in_thread) as source,
            ):
                yield source
                if not files.are_unchanged():
                    raise PackDamaged("it was written to")
        except PackDamaged:
            self.packs.discard_damaged(part.pack)
            raise DictionaryChanging() from None

    async def search(
        self,
        requested: DictionaryNames,
        slot_request: SlotRequest,
        operation: Callable[[GrepSession, Sequence[PackPart]], Awaitable[T]],
        results: Results,
        index_time_limit: float | None = INDEX_TIME_LIMIT,
    ) -> T:
        """
        Search the quotes of dictionaries; start again when a pack is damaged.

        @param operation: is called with the session for its greps and the parts of
            packs with the dictionaries.
        @param results: what the operation writes to.
        @param index_time_limit: see L{find_parts}.
        @raise DictionaryChanging: if that is so in each attempt, or when the results
            cannot be discarded.
        """
        time_left = self.runner.time_limit
        for _ in range(MAX_ATTEMPTS):
            parts, results.is_complete = await self.find_parts(
                requested, index_time_limit
            )
            with (
                self.packs.collection.in_use(part.pack for part in parts),
                await self.runner.acquire_session(slot_request) as grep_session,
            ):
                grep_session.time_left = time_left
                try:
                    return await operation(grep_session, parts)
                except DictionaryChanging:
                    # All attempts together have one time limit.
                    time_left = grep_session.time_left
                    if not results.restart():
                        raise
        raise DictionaryChanging()
