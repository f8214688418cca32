"""
Indexes: found where they are, made where they are not, once for all who ask.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.defer import Deferred, DeferredList, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import DictionaryChanging, ServiceNotReady, TooBusy

from .dictionary import Dictionary, FileState
from .index import Index
from .index_builder import BuildFailed, IndexBuilder, ReactorForBuilder
from .index_cache import IndexCache

_RETRY_FACTOR = 10
"""After how many times as long as it took a slow failure is tried again."""

_SLOW_FAILURE_SECONDS = 5.0
"""What fails sooner, in seconds, is tried again as soon as somebody asks."""


@dataclass
class _Build:
    """
    One index being made.

    @ivar done: fires with L{None} when that is over, well or badly.
    @ivar waiters: who waits for the index.
    """

    done: Deferred[None] = field(default_factory=Deferred)
    waiters: list[Deferred[Index]] = field(default_factory=list)

    def wait(self) -> Deferred[Index]:
        """Wait for the index, or until the wait is cancelled."""
        waiter: Deferred[Index] = Deferred(self.waiters.remove)
        self.waiters.append(waiter)
        return waiter

    def resolve(self, result: Index | Failure) -> None:
        """Tell all who wait."""
        waiters, self.waiters = self.waiters, []
        for each in waiters:
            each.callback(result)


class Indexes:
    """
    The indexes of all dictionaries.

    @param reactor: starts the processes that write them, and tells time.
    @param in_thread: runs what may block.
    @param cache: where indexes are kept.
    @param max_waiting: how many may wait for indexes to be made, 0 or more.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: ReactorForBuilder,
        in_thread: DeferToThread,
        cache: IndexCache,
        max_waiting: int,
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._cache = cache
        self._max_waiting = max_waiting
        self._loaded: dict[str, tuple[FileState, Index]] = {}
        self._builds: dict[tuple[str, FileState], _Build] = {}
        self._builder = IndexBuilder(reactor, in_thread)
        # The states whose indexes failed slowly, and when they are tried again.
        self._failed: dict[str, tuple[FileState, float]] = {}

    @property
    def building(self) -> int:
        """How many indexes are being made."""
        return len(self._builds)

    def get(
        self, dictionary: Dictionary, wait_for_retry: bool = True
    ) -> Deferred[Index]:
        """
        Get the index of a dictionary in the state in which it was opened.

        @param wait_for_retry: whether to wait for one that is made once more, as it
            took
            too long the last time.
        @return: fires with the index when there is one. Cancelling it gives up
            the wait; the index is made all the same, for who asks next. It
            fails with L{DictionaryChanging} where the file was written to
            meanwhile, with L{ServiceNotReady} where no index could be made; the log
            tells why.
        @raise TooBusy: as many wait as may.
        """
        index = self.find(dictionary)
        if index is not None:
            return succeed(index)
        key = path, state = dictionary.path, dictionary.state
        failed_state, retry_at = self._failed.get(path, (None, 0.0))
        if failed_state == state:
            can_retry = self._reactor.seconds() >= retry_at
            if can_retry and not wait_for_retry and key not in self._builds:
                self._start_build(dictionary, key).addErrback(lambda _: None)
            if not (can_retry and wait_for_retry):
                return fail(_index_not_ready())
        if key not in self._builds:
            return self._start_build(dictionary, key)
        waiting_count = sum(len(each.waiters) for each in self._builds.values())
        # Each index has one to wait for it that made it be made.
        if waiting_count - len(self._builds) >= self._max_waiting:
            raise TooBusy()
        return self._builds[key].wait()

    def _start_build(
        self, dictionary: Dictionary, key: tuple[str, FileState]
    ) -> Deferred[Index]:
        """Begin to make an index, for one who waits for it."""
        duplicate = dictionary.duplicate()
        build = self._builds[key] = _Build()
        waiter = build.wait()
        built = Deferred.fromCoroutine(self._build_index(duplicate))
        built.addBoth(self._build_finished, key).chainDeferred(build.done)
        return waiter

    def find(self, dictionary: Dictionary) -> Index | None:
        """The index of a dictionary in its state, if it has been made."""
        path, state = dictionary.path, dictionary.state
        known_state, index = self._loaded.get(path, (None, None))
        if index is None or known_state != state:
            index = self._cache.find(path, state)
            if index is not None:
                self._loaded[path] = (state, index)
        return index

    def invalidate(self, dictionary: Dictionary) -> None:
        """Look at the cache again, and make the index anew if it is not there."""
        self._loaded.pop(dictionary.path, None)

    def stop(self) -> Deferred[None]:
        """
        Make no more indexes: the processes are killed, and the thread gives up
        after the quote that it is at.

        @return: fires when nothing of this is left.
        """
        self._builder.stop()
        done = DeferredList([build.done for build in self._builds.values()])
        return done.addCallback(lambda _: self._cache.close())

    def _build_finished(
        self, result: Index | Failure, key: tuple[str, FileState]
    ) -> None:
        build = self._builds.pop(key)
        if isinstance(result, Failure):
            if result.check(OSError, BuildFailed):
                # Whatever it is, a full disk most likely: it may be mended.
                self._log.failure("No index was made.", failure=result)
                result = Failure(self._record_failure(key, result.value))
            elif not build.waiters:
                reason = str(result.value)
                self._log.warn("No index was made: {reason!a}", reason=reason)
        else:
            self._failed.pop(key[0], None)
        build.resolve(result)

    def _record_failure(self, key: tuple[str, FileState], error: object) -> Exception:
        """What to tell those who wait; a slow failure is not repeated too soon."""
        if isinstance(error, BuildFailed) and error.seconds >= _SLOW_FAILURE_SECONDS:
            path, state = key
            retry_at = self._reactor.seconds() + _RETRY_FACTOR * error.seconds
            self._failed[path] = state, retry_at
        return _index_not_ready()

    async def _build_index(self, dictionary: Dictionary) -> Index:
        """Make the index of a dictionary, which is closed at the end."""
        with dictionary:
            folder = await self._in_thread(self._cache.create_build_folder)
            try:
                await self._builder.write(dictionary, folder)
                if not dictionary.is_unchanged():
                    raise DictionaryChanging()
                index: Index = await self._in_thread(
                    self._cache.store, folder, dictionary.path, dictionary.state
                )
            finally:
                await self._in_thread(self._cache.drop, folder)
        return index


def _index_not_ready() -> ServiceNotReady:
    return ServiceNotReady("an index of that dictionary")
