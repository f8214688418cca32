"""
Fakes of the reactor and of processes, so that tests need no real time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import (
    IProcessProtocol,
    IProcessTransport,
    IReactorFromThreads,
    IReactorProcess,
)
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.library import Library
from twisted_quotes.library.monitor import LibraryMonitor
from twisted_quotes.library.packs.cache import PackCache
from twisted_quotes.library.packs.provider import make_pack_provider
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.reaper_process import SERVICE_ID_VARIABLE
from twisted_quotes.query.queries import Query
from twisted_quotes.search.composition import make_finder
from twisted_quotes.search.finder import Finder
from twisted_quotes.search.results import Entries, EntryResults


@implementer(IProcessTransport)
class FakeProcess(StringTransport):
    """
    A process that the test controls.

    @ivar executable: the path of the program.
    @ivar arguments: its C{argv}.
    @ivar environment: its environment, without C{service_id}.
    @ivar service_id: the id of the service in its environment.
    @ivar child_fds: how its descriptors are connected.
    @ivar signals: the signals that were sent; they do not end it.
    @ivar closed: the descriptors that were closed, in order.
    """

    pid: int | None = 4711

    def __init__(
        self,
        protocol: IProcessProtocol,
        executable: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        child_fds: Mapping[int, object],
    ) -> None:
        super().__init__()
        self.protocol = protocol
        self.executable = executable
        self.arguments = tuple(arguments)
        self.environment = dict(environment)
        self.service_id = self.environment.pop(SERVICE_ID_VARIABLE, None)
        self.child_fds = dict(child_fds)
        self.signals: list[str | int] = []
        self.closed: list[int] = []
        protocol.makeConnection(self)

    # Called by tests

    @property
    def written(self) -> bytes:
        """What was written to its standard input."""
        written: bytes = self.value()
        return written

    def print(self, output: bytes = b"", errors: bytes = b"") -> None:
        """Write output."""
        if output:
            self.protocol.childDataReceived(1, output)
        if errors:
            self.protocol.childDataReceived(2, errors)

    def end(self, status: int = 0, signal: int | None = None) -> None:
        """End by itself or by a signal."""
        self.pid = None
        reason: Exception
        if signal is None and status == 0:
            reason = ProcessDone(0)
        else:
            reason = ProcessTerminated(None if signal else status, signal, status)
        self.protocol.processExited(Failure(reason))
        self.protocol.processEnded(Failure(reason))

    # IProcessTransport

    def signalProcess(self, signalID: str | int) -> None:
        """Record the signal."""
        self.signals.append(signalID)

    def writeToChild(self, childFD: int, data: bytes) -> None:
        self.write(data)

    def closeChildFD(self, descriptor: int) -> None:
        """Record the descriptor."""
        self.closed.append(descriptor)

    def closeStdin(self) -> None:
        self.closeChildFD(0)

    def closeStdout(self) -> None:
        self.closeChildFD(1)

    def closeStderr(self) -> None:
        self.closeChildFD(2)

    def loseConnection(self) -> None:
        self.closed += [0, 1, 2]

    # IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pull all data from a producer."""
        super().registerProducer(producer, streaming)
        while self.producer is not None:
            self.producer.resumeProducing()


class FakeThreadPool:
    """A thread pool that calls functions immediately, in the same thread."""

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, object], object],
        func: Callable[..., object],
        *args: object,
        **kw: object,
    ) -> None:
        """Call a function, and pass on its result or failure."""
        maybeDeferred(func, *args, **kw).addBoth(
            lambda result: onResult(not isinstance(result, Failure), result)
        )


def apply_no_limits(pid: int, seconds: float, is_slow: bool) -> None:
    """Do nothing: the process may not exist."""


def run_immediately(function: Callable[..., Any], /, *arguments: Any) -> Deferred[Any]:
    """Call a function like C{deferToThread}, but immediately."""
    return maybeDeferred(function, *arguments)


@implementer(IReactorProcess, IReactorFromThreads)
class FakeReactor(MemoryReactorClock):
    """
    A reactor in memory that also spawns L{FakeProcess}es.

    @ivar processes: the processes that were spawned, in order.
    @ivar spawn_error: the error that L{spawnProcess} raises, if any.
    """

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.spawn_error: OSError | None = None

    # Narrower than the interface: only the parameters that are used.
    def spawnProcess(  # type: ignore[override]
        self,
        processProtocol: IProcessProtocol,
        executable: str,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        path: str | None = None,
        uid: int | None = None,
        gid: int | None = None,
        usePTY: bool | tuple[int, int, str] = False,
        childFDs: Mapping[int, int | str] | None = None,
    ) -> FakeProcess:
        """Make a process that does nothing until the test says so."""
        if self.spawn_error is not None:
            raise self.spawn_error
        process = FakeProcess(
            processProtocol, executable, args, env or {}, childFDs or {}
        )
        self.processes.append(process)
        return process

    def getThreadPool(self) -> FakeThreadPool:
        """Return a pool without threads."""
        return FakeThreadPool()

    def callFromThread(
        self, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> None:
        """Call a function in the next iteration."""
        self.callLater(0, callable, *args, **kwargs)

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """Remove a trigger."""
        phase, event_type, trigger = triggerID
        self.triggers[phase][event_type].remove(trigger)

    def addSystemEventTrigger(
        self,
        phase: str,
        eventType: str,
        callable: Callable[..., Any],
        *args: object,
        **kw: object,
    ) -> Any:
        """Record a trigger."""
        trigger = (callable, args, kw)
        self.triggers.setdefault(phase, {}).setdefault(eventType, []).append(trigger)
        return phase, eventType, trigger

    def fire_shutdown(self) -> list[Any]:
        """Call the triggers before shutdown; return their results."""
        triggers = self.triggers.get("before", {}).get("shutdown", [])
        return [call(*args, **kw) for call, args, kw in triggers]


class CollectedEntries(EntryResults):
    """Entries that are collected in a list."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def start(self, count: int) -> None:
        """Remove the entries of a previous search."""
        super().start(count)
        self.entries = []

    async def write(self, entries: Entries) -> None:
        """Collect entries."""
        self.remaining -= len(entries)
        self.entries += entries


def find_entries(finder: Finder, query: Query) -> Deferred[list[str]]:
    """Return all entries of a query, and check their announced number."""
    collected = CollectedEntries()

    def complete(_: None) -> list[str]:
        assert not collected.remaining, f"{collected.remaining} are missing"
        return collected.entries

    return finder.find_entries(query, collected).addCallback(complete)


def make_test_finder(
    reactor: Any,
    library: Library,
    cache: str | Path,
    running: int = 1,
    waiting: int = 1000,
    time_limit: float = 10.0,
    executable: str = "/bin/grep",
    in_thread: DeferToThread = run_immediately,
    now: float = 2**33,
    clock: Callable[[], float] | None = None,
    metrics: Metrics | None = None,
    batch_threshold: int = 0,
    max_prestarted: int = 0,
) -> Finder:
    """
    Make a finder.

    @param now: the time, which stands still unless there is a C{clock}.
    """
    clock = clock or (lambda: now)
    runner = GrepRunner(
        reactor,
        executable,
        ConcurrencyLimiter(running, waiting),
        time_limit,
        Outstanding(),
        apply_no_limits,
        metrics or Metrics(),
    )
    monitor = LibraryMonitor(reactor, library, in_thread, clock)
    pack_cache = PackCache(str(cache), library.root)
    packs = make_pack_provider(reactor, monitor, in_thread, pack_cache, waiting)
    return make_finder(
        runner,
        library,
        monitor,
        packs,
        in_thread,
        clock,
        batch_threshold=batch_threshold,
        max_prestarted=max_prestarted,
    )
