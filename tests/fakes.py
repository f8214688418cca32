"""
Stand-ins for the reactor and for processes, so that tests need neither a real
clock nor luck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.interfaces import (
    IAddress,
    IProcessProtocol,
    IProcessTransport,
    IReactorFromThreads,
    IReactorProcess,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from zope.interface import implementer

from twisted_quotes.concurrency.limiter import ConcurrencyLimiter
from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.concurrency.threads import DeferToThread
from twisted_quotes.grep.runner import GrepRunner
from twisted_quotes.library.index_cache import IndexCache
from twisted_quotes.library.indexes import Indexes
from twisted_quotes.library.library import Library
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.processes.reaper import SERVICE_ID_VARIABLE
from twisted_quotes.query.queries import Query
from twisted_quotes.search.finder import Finder, make_finder
from twisted_quotes.search.results import Entries, EntryResults


@implementer(IProcessTransport)
class FakeProcess:
    """
    A process that a test starts, feeds and ends by hand.

    @ivar executable: what was asked to be run.
    @ivar arguments: its C{argv}.
    @ivar environment: all of its environment but the mark that all have.
    @ivar child_fds: how its file descriptors were asked to be connected.
    @ivar signals: what it was sent. It does not end by that: the test ends it.
    @ivar written: what was written to its standard input.
    @ivar closed: the file descriptors that were closed, in order.
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
        self.protocol = protocol
        self.executable = executable
        self.arguments = tuple(arguments)
        self.environment = dict(environment)
        self.child_fds = dict(child_fds)
        self.signals: list[str | int] = []
        self.written = b""
        self.closed: list[int] = []
        protocol.makeConnection(self)

    # What a test does

    def print(self, output: bytes = b"", errors: bytes = b"") -> None:
        """Have the process write something."""
        if output:
            self.protocol.childDataReceived(1, output)
        if errors:
            self.protocol.childDataReceived(2, errors)

    def end(self, status: int = 0, signal: int | None = None) -> None:
        """Have the process end, by itself or by a signal."""
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

    def write(self, data: bytes) -> None:
        """Take what is written to the standard input."""
        self.written += data

    def writeToChild(self, childFD: int, data: bytes) -> None:
        """Take what is written to the standard input."""
        self.written += data

    def closeChildFD(self, descriptor: int) -> None:
        """Record what is closed."""
        self.closed.append(descriptor)

    def closeStdin(self) -> None:
        """Record that the standard input is closed."""
        self.closeChildFD(0)

    def closeStdout(self) -> None:
        """Record that the standard output is closed."""
        self.closeChildFD(1)

    def closeStderr(self) -> None:
        """Record that the standard error is closed."""
        self.closeChildFD(2)

    def loseConnection(self) -> None:
        """Record that all three are closed."""
        for descriptor in (0, 1, 2):
            self.closeChildFD(descriptor)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Take what is written to the standard input."""
        self.write(b"".join(data))

    def getHost(self) -> IAddress:
        """A process has no address."""
        raise NotImplementedError

    def getPeer(self) -> IAddress:
        """A process has no address."""
        raise NotImplementedError

    # IConsumer, as far as a pull producer needs it

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pull all that the producer has."""
        self._producer = producer
        while self._producer is not None:
            self._producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Pull no more."""
        self._producer = None


class FakeThreadPool:
    """Threads that do what they are given at once."""

    def callInThreadWithCallback(
        self,
        onResult: Callable[[bool, object], object],
        func: Callable[..., object],
        *args: object,
        **kw: object,
    ) -> None:
        """Call a function, and tell what became of it."""
        try:
            result = func(*args, **kw)
        except BaseException:
            onResult(False, Failure())
        else:
            onResult(True, result)


def apply_no_limits(pid: int, seconds: float, is_slow: bool) -> None:
    """Leave a process alone: it may be none."""


def run_immediately(function: Callable[..., Any], /, *arguments: Any) -> Deferred[Any]:
    """Do what a thread is to do, before anything else."""
    return maybeDeferred(function, *arguments)


@implementer(IReactorProcess, IReactorFromThreads)
class FakeReactor(MemoryReactorClock):
    """
    A reactor in memory that also spawns L{FakeProcess}es.

    @ivar processes: all that were spawned, in order.
    @ivar spawn_error: raised by the next attempts to spawn, if set.
    """

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.spawn_error: OSError | None = None

    # Narrower than the interface: only what is used here.
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
        """Spawn a process that does nothing until the test has it do so."""
        if self.spawn_error is not None:
            raise self.spawn_error
        environment = dict(env or {})
        # Whose it is: all have that, and tests may take it for granted.
        environment.pop(SERVICE_ID_VARIABLE, None)
        process = FakeProcess(
            processProtocol, executable, args, environment, childFDs or {}
        )
        self.processes.append(process)
        return process

    def getThreadPool(self) -> FakeThreadPool:
        """The threads of this reactor, which has none."""
        return FakeThreadPool()

    def callFromThread(
        self, callable: Callable[..., object], *args: object, **kwargs: object
    ) -> None:
        """Call the function in the next turn."""
        self.callLater(0, callable, *args, **kwargs)

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        """Forget a trigger."""
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
        """Keep a trigger, for the test to call."""
        trigger = (callable, args, kw)
        self.triggers.setdefault(phase, {}).setdefault(eventType, []).append(trigger)
        return phase, eventType, trigger

    def fire_shutdown(self) -> list[Any]:
        """Call the triggers before shutdown, and return what they returned."""
        triggers = self.triggers.get("before", {}).get("shutdown", [])
        return [call(*args, **kw) for call, args, kw in triggers]


class CollectedEntries(EntryResults):
    """Entries that are collected, and can be discarded at any time."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    def start(self, count: int) -> None:
        """Discard all entries."""
        super().start(count)
        self.entries = []

    async def write(self, entries: Entries) -> None:
        """Collect entries."""
        self.remaining -= len(entries)
        self.entries += entries


def find_entries(finder: Finder, query: Query) -> Deferred[list[str]]:
    """All entries that a finder finds, as many as it has said that there are."""
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
    metrics: Metrics | None = None,
    batch_threshold: int = 0,
    max_prestarted: int = 0,
) -> Finder:
    """
    A finder for whom time stands still.

    @param cache: the folder of its indexes.
    @param now: the time, so late that every file was written long ago.
    """
    runner = GrepRunner(
        reactor,
        executable,
        ConcurrencyLimiter(running, waiting),
        time_limit,
        Outstanding(),
        apply_no_limits,
        metrics or Metrics(),
    )
    indexes = Indexes(reactor, in_thread, IndexCache(str(cache)), waiting)
    return make_finder(
        *(runner, library, indexes, in_thread, lambda: now),
        batch_threshold=batch_threshold,
        max_prestarted=max_prestarted,
    )
