"""
Provides the index of a dictionary: from the cache, or from a build that all requests
for it share.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import DictionaryChanging, ServiceNotReady, TooBusy
from twisted_quotes.library.dictionary import Dictionary, FileState
from twisted_quotes.processes.process import ReactorForProcesses

from .builder import BuildFailed, IndexBuilder
from .cache import IndexCache
from .format import Index

_SLOW_FAILURE = 5.0
"""After a build that failed in fewer seconds, the next request starts another one."""

_RETRY_FACTOR = 10
"""After a slow failure, the next build waits for its duration times this factor."""


class IndexProvider:
    """
    Provides the indexes of all dictionaries.

    @param cache: where indexes are stored.
    @param max_waiting: the maximum number of requests that wait for builds that other
        requests started, 0 or more.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: ReactorForProcesses,
        in_thread: DeferToThread,
        cache: IndexCache,
        max_waiting: int,
    ) -> None:
        self._reactor = reactor
        self._in_thread = in_thread
        self._cache = cache
        self._max_waiting = max_waiting
        self._builder = IndexBuilder(reactor, in_thread)
        self._outstanding = Outstanding()
        self._loaded: dict[str, tuple[FileState, Index]] = {}
        # The builds in progress, with the Deferreds that wait for each.
        self._builds: dict[tuple[str, FileState], list[Deferred[Index]]] = {}
        # The states whose builds failed slowly, and when to start another.
        self._failed: dict[str, tuple[FileState, float]] = {}

    @property
    def building(self) -> int:
        """The number of builds in progress."""
        return len(self._builds)

    def get(
        self, dictionary: Dictionary, wait_for_retry: bool = True
    ) -> Deferred[Index]:
        """
        Get the index of a dictionary in the state in which it was opened.

        @param wait_for_retry: whether to wait for the build if an earlier one failed
            slowly. If not, the build is only started.
        @return: fires with the index. Cancelling it stops the wait but not the build.
            It fails with L{DictionaryChanging} if the file is written to meanwhile,
            with L{ServiceNotReady} if the build fails; the log has the reason.
        @raise TooBusy: too many requests wait.
        """
        index = self.find(dictionary)
        if index is not None:
            return succeed(index)
        key = path, state = dictionary.path, dictionary.state
        index_ready: Deferred[Index]
        failed_state, retry_at = self._failed.get(path, (None, 0.0))
        has_failed = failed_state == state
        if has_failed and self._reactor.seconds() < retry_at:
            return fail(_index_not_ready())
        duplicate = None if key in self._builds else dictionary.duplicate()
        waiters = self._builds.setdefault(key, [])
        waiting_count = sum(map(len, self._builds.values())) - self.building
        if has_failed and not wait_for_retry:
            index_ready = fail(_index_not_ready())
        elif duplicate is None and waiting_count >= self._max_waiting:
            raise TooBusy()
        else:
            index_ready = Deferred(waiters.remove)
            waiters.append(index_ready)
        if duplicate is not None:
            # After the waiter is added, because the build may finish at once.
            self._outstanding.add(Deferred.fromCoroutine(self._build(key, duplicate)))
        return index_ready

    def find(self, dictionary: Dictionary) -> Index | None:
        """Return the index of a dictionary in its state, if it has been built."""
        path, state = dictionary.path, dictionary.state
        loaded_state, index = self._loaded.get(path, (None, None))
        if index is None or loaded_state != state:
            index = self._cache.find(path, state)
            if index is not None:
                self._loaded[path] = (state, index)
        return index

    def invalidate(self, dictionary: Dictionary) -> None:
        """Have the next search load the index from the cache again, or build it."""
        self._loaded.pop(dictionary.path, None)

    def stop(self) -> Deferred[None]:
        """
        Stop all builds: kill the processes, and stop the thread at its next quote.

        @return: fires when the builds have ended and the cache is closed.
        """
        self._builder.stop()
        return self._outstanding.when_done().addCallback(lambda _: self._cache.close())

    async def _build(self, key: tuple[str, FileState], dictionary: Dictionary) -> None:
        """
        Build the index of a dictionary, close it, and fire what waits for it.

        @param key: the key of the build. The state of the dictionary differs from that
            in the key if the file was written to in between.
        """
        path, state = key
        result: Index | Failure
        try:
            result = await self._write_and_store(dictionary)
            self._failed.pop(path, None)
        except (OSError, BuildFailed) as error:
            # Most likely a full disk, which may be cleared.
            self._log.failure("No index of {path!a} was made.", path=path)
            if isinstance(error, BuildFailed) and error.seconds >= _SLOW_FAILURE:
                retry_at = self._reactor.seconds() + _RETRY_FACTOR * error.seconds
                self._failed[path] = state, retry_at
            result = Failure(_index_not_ready())
        except Exception as error:
            result = Failure()
            if not self._builds[key]:
                self._log.warn(
                    "No index of {path!a} was made: {reason!a}",
                    path=path,
                    reason=str(error),
                )
        waiters = self._builds.pop(key)
        while waiters:
            waiters.pop(0).callback(result)

    async def _write_and_store(self, dictionary: Dictionary) -> Index:
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
        for warning in index.warnings:
            self._log.warn(
                "In the dictionary {path!a}: {warning}.",
                path=dictionary.path,
                warning=warning,
            )
        return index


def _index_not_ready() -> ServiceNotReady:
    return ServiceNotReady("an index of that dictionary")
