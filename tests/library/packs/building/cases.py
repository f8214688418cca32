"""
What the tests of builds share.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.defer import Deferred, maybeDeferred

from twisted_quotes.library.library import Library
from twisted_quotes.library.monitor import LibraryMonitor
from twisted_quotes.library.packs.building.builds import BuiltPack
from twisted_quotes.library.packs.building.process import Task
from twisted_quotes.library.packs.building.writer import write_pack
from twisted_quotes.library.packs.cache import PackCache
from twisted_quotes.library.packs.pack import Pack
from twisted_quotes.library.packs.plan import PackPlan
from twisted_quotes.library.packs.provider import PackProvider, make_pack_provider

from ....fakes import FakeProcess, FakeReactor
from ..cases import PackTestCase


class FakeThreads:
    """
    Threads that a test lets do what they are given.

    @ivar waiting: what they have not done yet.
    """

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def __call__(self, call: Callable[..., Any], /, *arguments: Any) -> Deferred[Any]:
        """Queue a call."""
        done: Deferred[Any] = Deferred()
        self.waiting.append(lambda: maybeDeferred(call, *arguments).chainDeferred(done))
        return done

    def run(self, count: int = 1) -> None:
        """Make the next calls."""
        for _ in range(count):
            self.waiting.pop(0)()

    def run_all(self) -> None:
        """Make all calls, and those that follow from them."""
        while self.waiting:
            self.run()


class BuildTestCase(PackTestCase):
    """Has a library of one dictionary, and threads that a test controls."""

    def setUp(self) -> None:
        super().setUp()
        self.write({"book": "one\n\ntwo\n"})
        self.book = self.folder / "book"
        self.library = Library(self.folder)
        self.reactor = FakeReactor()
        self.threads = FakeThreads()
        self.cache_folder = self.temporary_folder / "cache"
        self.provider = self.make_provider()
        self.builds = self.provider.builds

    def make_provider(self, max_waiting: int = 100) -> PackProvider:
        """Return a provider that uses the same cache as others."""
        reactor: Any = self.reactor
        monitor = LibraryMonitor(reactor, self.library, self.threads, lambda: 2.0**33)
        self.addCleanup(monitor.stop)
        self.cache = PackCache(str(self.cache_folder), str(self.folder))
        return make_pack_provider(
            reactor, monitor, self.threads, self.cache, max_waiting
        )

    def plan_for(self, *names: str) -> PackPlan:
        """Return a plan with some dictionaries."""
        states = self.library.states(lambda _: None, {})
        return PackPlan(tuple((name, states[name]) for name in names))

    def get_pack(self, *names: str) -> Deferred[BuiltPack]:
        """Get the pack with some dictionaries, by default C{book}."""
        return self.builds.get(self.plan_for(*(names or ["book"])))

    def build_pack(self, *names: str) -> Pack:
        """Get a pack that a thread writes."""
        waiting = self.get_pack(*names)
        self.threads.run_all()
        return self.successResultOf(waiting).pack

    def run_turns(self, count: int = 5) -> None:
        """Run the threads and the reactor for a number of turns."""
        for _ in range(count):
            self.threads.run_all()
            self.reactor.advance(0)

    def finish_build(self, process: FakeProcess) -> None:
        """Write the pack that a process was started for, and end the process."""
        task = msgspec.json.decode(process.written, type=Task)
        plan = PackPlan(task.dictionaries)
        folder = os.fsdecode(process.arguments[-1])
        left_out = write_pack(os.fsdecode(task.root), plan, folder, {})
        process.print(msgspec.json.encode(left_out))
        process.end()
        self.threads.run_all()

    def leftovers(self) -> list[str]:
        """Return the build folders and locks in the cache."""
        return [n for n in os.listdir(self.cache_folder) if n.startswith("building")]
