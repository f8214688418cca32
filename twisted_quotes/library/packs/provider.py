"""
Provides the packs of a library: from the cache, or from builds that all requests share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from twisted_quotes.concurrency.coalescing import CoalescedCall
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.errors import (
    DictionaryChanging,
    ServiceNotReady,
    TooBusy,
    Unavailable,
)
from twisted_quotes.library.dictionary import FileState
from twisted_quotes.library.monitor import LibraryMonitor, Snapshot
from twisted_quotes.library.stability import MAX_ATTEMPTS
from twisted_quotes.processes.process import ReactorForProcesses
from twisted_quotes.text.display import list_names

from .building.builder import MAX_PROCESSES, PackBuilder
from .building.builds import DictionaryIsolated, PackBuilds
from .cache import PackCache
from .collection import PackCollection
from .pack import Pack
from .parts import PackPart
from .plan import PackPlan, plan_packs
from .progress import IndexingProgress

_MARK_INTERVAL = 24 * 3600.0


class IndexedParts(NamedTuple):
    """
    The parts of packs with dictionaries.

    @ivar is_complete: whether no dictionary is left out for lack of an index.
    """

    parts: Sequence[PackPart]
    is_complete: bool


class PackProvider:
    """
    Provides the packs of a library, which are stored or are built.

    @ivar progress: how much of the library has an index.
    """

    _log = Logger()

    def __init__(
        self, monitor: LibraryMonitor, in_thread: DeferToThread, builds: PackBuilds
    ) -> None:
        self.collection = builds.collection
        self.builds = builds
        self._monitor = monitor
        self._in_thread = in_thread
        self._loading = CoalescedCall(self._load_all)
        self._is_loaded = False
        self._preparation = CoalescedCall(self._prepare)
        # The snapshot for which all packs are ready, and these.
        self._ready: tuple[Snapshot, IndexedParts] | None = None
        self.progress = IndexingProgress(monitor, builds.collection)
        self._reactor = builds.reactor
        self._mark_at = 0.0

    @property
    def size(self) -> int:
        """The size of all packs, in bytes."""
        return sum(pack.size for pack in self.collection.packs)

    def start_indexing(self) -> None:
        """Index the library in the background."""
        finding = Deferred.fromCoroutine(self.find_all())
        # The log has the reason if a build failed, and a shutdown may stop it.
        finding.addErrback(
            lambda failure: failure.trap(Unavailable, CancelledError, OSError)
        )

    async def find_all(self) -> IndexedParts:
        """
        Wait until all dictionaries of the library have an index, if it can be made.

        @raise TooBusy: too many requests wait.
        @raise ServiceNotReady: no dictionary has an index.
        """
        snapshot = await self._monitor.snapshot()
        if self._ready is not None and self._ready[0].digest == snapshot.digest:
            self._mark_used()
            return self._ready[1]
        if self._preparation.waiting_count >= max(1, self.builds.max_waiting):
            raise TooBusy()
        return await self._preparation.request()

    async def find(self, name: str, state: FileState) -> PackPart:
        """
        Wait until a dictionary has an index.

        @return: its part of a pack, in that state or a later one.
        @raise Unavailable: too many requests wait, or it is being written to, or it
            has no index.
        """
        await self._load_stored()
        for _ in range(MAX_ATTEMPTS):
            part = self.collection.find(state, name)
            if part is not None:
                self._mark_used()
                return part
            plan = await self._find_plan(name, state)
            try:
                built = await self.builds.get(plan)
            except DictionaryIsolated:
                continue
            part = self.collection.find(state, name) or PackPart.named(built.pack, name)
            if part is not None:
                self._supersede()
                return part
            break
        raise DictionaryChanging()

    def discard_damaged(self, pack: Pack) -> None:
        """Have a pack loaded again, or built if it is damaged or was removed."""
        if pack in self.collection.packs and os.path.exists(pack.folder):
            self._log.warn("The index in {folder!a} is damaged.", folder=pack.folder)
        self._ready = None
        self.collection.forget(pack)

    def warnings(self) -> dict[str, Sequence[str]]:
        """Return the warnings about dictionaries in their latest states, by name."""
        states = self._monitor.latest_states
        return {
            each.name: each.warnings
            for pack in self.collection.packs
            for each in pack.dictionaries
            if each.warnings and states.get(each.name) == each.state
        }

    def _mark_used(self) -> None:
        """Once a day, have the cache keep the packs for another month."""
        if self._reactor.seconds() >= self._mark_at:
            self._mark_at = self._reactor.seconds() + _MARK_INTERVAL
            folders = [pack.folder for pack in self.collection.packs]
            self._in_thread(self.builds.cache.mark_used, folders)

    async def _load_stored(self) -> None:
        """Load what is stored, once."""
        if not self._is_loaded:
            await self._loading.request()

    async def _load_all(self) -> None:
        if not self._is_loaded:
            stored = self.builds.cache.load_all(self._monitor.latest_states)
            while (pack := await self._in_thread(next, stored, None)) is not None:
                if self.builds.builder.is_stopped:
                    raise CancelledError()
                self.collection.add(pack)
            self._is_loaded = True

    async def _plan(self, snapshot: Snapshot) -> list[PackPlan]:
        self.builds.isolated.intersection_update(snapshot.states)
        isolated = frozenset(self.builds.isolated)
        plans: list[PackPlan] = await self._in_thread(
            list, plan_packs(snapshot.states, isolated)
        )
        return plans

    async def _find_plan(self, name: str, state: FileState) -> PackPlan:
        """Return the plan with a dictionary; one of its own if it is in no other."""
        for plan in await self._plan(await self._monitor.snapshot()):
            if any(each == state for _, each in plan.dictionaries):
                return plan
        return PackPlan(((name, state),))

    async def _prepare(self) -> IndexedParts:
        """Get all packs, one after another."""
        await self._load_stored()
        parts: IndexedParts | None = None
        for _ in range(MAX_ATTEMPTS):
            snapshot = await self._monitor.snapshot()
            try:
                parts = await self._get_packs(await self._plan(snapshot))
            except DictionaryIsolated:
                continue
            self._supersede()
            if parts.is_complete:
                self._ready = snapshot, parts
                return parts
            if (await self._monitor.snapshot()).digest == snapshot.digest:
                return parts
        if parts is None:
            raise DictionaryChanging()
        return parts

    async def _get_packs(self, plans: Sequence[PackPlan]) -> IndexedParts:
        parts: list[PackPart] = []
        last_error: Unavailable | None = None
        for number, plan in enumerate(plans):
            for following in plans[number + 1 : number + MAX_PROCESSES]:
                self._start_build(following)
            left_out: Sequence[str]
            # A build that was started before may have isolated one of them.
            if plan.mixes(self.builds.isolated):
                raise DictionaryIsolated()
            # Other dictionaries need not wait for one that takes long.
            wait = plan.dictionaries[0][0] not in self.builds.isolated
            try:
                pack, left_out = await self.builds.get(plan, wait)
            except (ServiceNotReady, TooBusy) as error:
                last_error = error
                known = self.collection.locations
                parts += self.collection.find_each(plan.dictionaries)
                left_out = [name for name, x in plan.dictionaries if x not in known]
            else:
                if pack.dictionaries:
                    parts.append(PackPart.whole(pack))
                last_error = DictionaryChanging() if left_out else last_error
            if left_out:
                self._log.warn(
                    "{names} left out: {reason}",
                    names=list_names(left_out),
                    reason=last_error.message if last_error else "",
                )
        if last_error is not None and not parts:
            raise last_error
        return IndexedParts(parts, last_error is None)

    def _start_build(self, plan: PackPlan) -> None:
        """Start to build a pack that is needed later, if it is not there."""
        if self.collection.find_pack(plan) is None:
            started = self.builds.get(plan, wait=False)
            started.addErrback(lambda reason: reason.trap(Unavailable, CancelledError))

    def _supersede(self) -> None:
        self.collection.supersede(self._monitor.latest_states.values())


def make_pack_provider(
    reactor: ReactorForProcesses,
    monitor: LibraryMonitor,
    in_thread: DeferToThread,
    cache: PackCache,
    max_waiting: int,
) -> PackProvider:
    """Return a provider with all its parts; C{max_waiting} is for L{PackBuilds}."""
    builder = PackBuilder(reactor, in_thread, monitor.root)
    # To remove a pack takes a while; nothing waits for it.
    collection = PackCollection(
        lambda folder: in_thread(cache.drop, cache.detach(folder))
    )
    builds = PackBuilds(reactor, in_thread, builder, cache, collection, max_waiting)
    return PackProvider(monitor, in_thread, builds)
