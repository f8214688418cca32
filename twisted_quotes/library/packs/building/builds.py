"""
Builds of packs: each is shared by all requests that need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import ServiceNotReady, TooBusy
from twisted_quotes.library.packs.cache import PackCache
from twisted_quotes.library.packs.collection import PackCollection
from twisted_quotes.library.packs.columns import PackDamaged
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.plan import PackPlan
from twisted_quotes.text.display import list_names

from .builder import MAX_SIZE_FOR_THREAD, BuildFailed, PackBuilder
from .process import time_limit

_SLOW_FAILURE = 5.0
"""After a build that failed in fewer seconds, the next request starts another one."""

_RETRY_FACTOR = 10
"""After a slow failure, the next build waits for its duration times this factor."""

_LOCK_INTERVAL = 0.05
"""The interval at which a lock of another process is tried again, in seconds."""

_PARTIAL_LIFETIME, _MAX_PARTIAL = 1.0, 20
"""
After how many seconds a pack is written again because a dictionary could not be read,
and the maximum number of such packs.
"""

_MAX_FAILED = 1000


class BuiltPack(NamedTuple):
    """
    A pack for a plan.

    @ivar left_out: the names of the dictionaries that could not be read.
    """

    pack: Pack
    left_out: Sequence[str] = ()


class DictionaryIsolated(Exception):
    """A dictionary takes too long to index, and gets a pack of its own from now on."""


@dataclass
class PackBuilds:
    """
    Builds packs.

    @ivar max_waiting: the maximum number of requests that wait for builds that other
        requests started, 0 or more.
    @ivar isolated: the names of dictionaries that have a pack of their own, because
        they take too long to index.
    """

    reactor: IReactorTime
    in_thread: DeferToThread
    builder: PackBuilder
    cache: PackCache
    collection: PackCollection
    max_waiting: int
    isolated: set[str] = field(default_factory=set)

    _log = Logger()

    def __post_init__(self) -> None:
        self._outstanding = Outstanding()
        # The builds in progress, with the Deferreds that wait for each.
        self._builds: dict[PackPlan, list[Deferred[BuiltPack]]] = {}
        # The plans whose builds failed slowly, and when to start another.
        self._failed: dict[PackPlan, float] = {}
        # The packs without some dictionaries of their plans, and when to write others.
        self._partial: dict[PackPlan, tuple[BuiltPack, float]] = {}

    @property
    def count(self) -> int:
        """The number of builds in progress."""
        return len(self._builds)

    def get(self, plan: PackPlan, wait: bool = True) -> Deferred[BuiltPack]:
        """
        Get the pack of a plan.

        @param wait: whether to wait for a build. If not, it is only started.
        @return: fires with the pack. Cancelling it stops the wait but not the build.
            It fails with L{ServiceNotReady} if the build fails; the log has the
            reason. It fails with L{DictionaryIsolated} if another plan is needed.
        @raise TooBusy: too many requests wait.
        """
        pack = self.collection.find_pack(plan)
        if pack is not None:
            # Its dictionaries may also be in another pack, which is superseded now.
            return succeed(BuiltPack(self.collection.add(pack, plan)))
        partial, expires_at = self._partial.get(plan, (None, 0.0))
        is_valid = self.reactor.seconds() < expires_at
        if partial and is_valid and partial.pack in self.collection.packs:
            return succeed(partial)
        if self.builder.is_stopped:
            return fail(CancelledError())
        retry_at = self._failed.get(plan)
        if retry_at is not None and self.reactor.seconds() < retry_at:
            return fail(_index_not_ready())
        is_new = plan not in self._builds
        waiting_count = sum(map(len, self._builds.values())) - self.count
        if wait and not is_new and waiting_count >= self.max_waiting:
            raise TooBusy()
        waiters = self._builds.setdefault(plan, [])
        pack_ready: Deferred[BuiltPack]
        if not wait:
            pack_ready = fail(_index_not_ready())
        else:
            pack_ready = Deferred(waiters.remove)
            waiters.append(pack_ready)
        if is_new:
            # After the waiter is added, because the build may finish at once.
            self._outstanding.add(Deferred.fromCoroutine(self._build(plan)))
        return pack_ready

    def stop(self) -> Deferred[None]:
        """
        Stop all builds: kill the processes, and stop the thread at its next quote.

        @return: fires when the builds have ended and the cache is closed.
        """
        self.builder.stop()
        return self._outstanding.when_done().addCallback(lambda _: self.cache.close())

    async def _build(self, plan: PackPlan) -> None:
        """Build the pack of a plan, and fire what waits for it."""
        result: BuiltPack | Failure
        try:
            result = await Deferred.fromCoroutine(self._find_or_write(plan))
            self._failed.pop(plan, None)
        except (OSError, BuildFailed, PackDamaged) as error:
            result = self._handle_failure(plan, error)
        except Exception as error:
            result = Failure()
            if not (self._builds[plan] or isinstance(error, CancelledError)):
                self._log.failure("A build failed.", failure=result)
        waiters = self._builds.pop(plan)
        while waiters:
            waiters.pop(0).callback(result)

    def _handle_failure(self, plan: PackPlan, error: Exception) -> Failure:
        """Log why a build failed, and return what to tell those who wait."""
        names = [n for n, state in plan.dictionaries if not self.collection.find(state)]
        if isinstance(error, BuildFailed) and error.culprit is not None:
            name = error.culprit
            if len(plan.dictionaries) > 1:
                self._log.warn(
                    "To index {name!a} takes long: {reason}.",
                    name=name,
                    reason=str(error),
                )
                self.isolated.add(name)
                return Failure(DictionaryIsolated())
        # Most likely a full disk, which may be cleared.
        self._log.failure(
            "No index was made: {names} left out.",
            failure=Failure(error),
            names=list_names(names),
        )
        if isinstance(error, BuildFailed) and error.seconds >= _SLOW_FAILURE:
            self._failed[plan] = self.reactor.seconds() + _RETRY_FACTOR * error.seconds
            if len(self._failed) > _MAX_FAILED:
                del self._failed[next(iter(self._failed))]
        return Failure(_index_not_ready())

    async def _find_or_write(self, plan: PackPlan) -> BuiltPack:
        """Load the pack of a plan, or write it while other processes wait for it."""
        deadline = self.reactor.seconds() + 2 * time_limit(plan.size, True)
        while True:
            lock = await self.in_thread(self.cache.try_lock, plan)
            if lock is not None or self.reactor.seconds() >= deadline:
                break
            await deferLater(self.reactor, _LOCK_INTERVAL)
            if self.builder.is_stopped:
                raise CancelledError()
        left_out: Sequence[str] = ()
        try:
            pack: Pack | None = await self.in_thread(self.cache.find, plan)
            if pack is None:
                pack, left_out = await self._write(plan, lock is not None)
        finally:
            if lock is not None:
                self.cache.unlock(plan, lock)
        self._log_warnings(pack)
        pack = self.collection.add(pack, None if left_out else plan)
        self._partial.pop(plan, None)
        built = BuiltPack(pack, left_out)
        if left_out:
            expires_at = self.reactor.seconds() + _PARTIAL_LIFETIME
            self._partial[plan] = built, expires_at
            if len(self._partial) > _MAX_PARTIAL:
                del self._partial[next(iter(self._partial))]
        return built

    async def _write(self, plan: PackPlan, is_locked: bool) -> BuiltPack:
        sources = {
            state: self.collection.locations[state]
            for _, state in plan.dictionaries
            if state in self.collection.locations
        }
        started_at = self.reactor.seconds()
        numbers = {
            "files": len(plan.dictionaries) - len(sources),
            "bytes": plan.size - sum(state.size for state in sources),
        }
        self._log.debug("Indexing {files} files, {bytes} bytes.", **numbers)
        folder = await self.in_thread(self.cache.create_build_folder, plan, is_locked)
        try:
            left_out = await self.builder.write(plan, folder, sources)
            pack = await self.in_thread(self.cache.store, folder, plan, left_out)
        except Exception:
            await self.in_thread(self.cache.drop, folder)
            raise
        await self.in_thread(self.cache.drop, folder)
        seconds = self.reactor.seconds() - started_at
        # A small file may change once a second.
        is_large = numbers["bytes"] > MAX_SIZE_FOR_THREAD
        self._log.emit(
            LogLevel.info if is_large else LogLevel.debug,
            "Indexed {files} files, {bytes} bytes, in {seconds:.2f} seconds.",
            seconds=seconds,
            **numbers,
        )
        return BuiltPack(pack, left_out)

    def _log_warnings(self, pack: Pack) -> None:
        """Log the warnings about dictionaries that are new."""
        for packed in pack.dictionaries:
            if packed.warnings and packed.state not in self.collection.locations:
                for warning in packed.warnings:
                    self._log.warn(
                        "In the dictionary {name!a}: {problem}.",
                        name=packed.name,
                        problem=warning,
                    )


def _index_not_ready() -> ServiceNotReady:
    return ServiceNotReady("an index of that dictionary")
