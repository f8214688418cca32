"""
Tests of one worker, as its supervisor sees it.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ProcessExitedAlready
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import Family, Metrics
from twisted_quotes.processes.reaper import MARK
from twisted_quotes.workers.control import Drain, Report
from twisted_quotes.workers.inherited_fds import CONTROL, SCOREBOARD, SOCKETS, VARIABLE
from twisted_quotes.workers.worker_process import REPORT_TIME, Starter, Worker

from ..fakes import FakeProcess, FakeReactor
from .test_inherited_fds import inheritance


class Supervising:
    """
    Keeps what it is told.

    @ivar told: all of it, in order.
    """

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def serves(self, worker: Worker) -> None:
        """Keep it."""
        self.told.append(("serves", worker))

    def leaves(self, worker: Worker) -> None:
        """Keep it."""
        self.told.append(("leaves", worker))

    def has_ended(self, worker: Worker, how: str, well: bool) -> None:
        """Keep it."""
        self.told.append(("has ended", worker, how, well))

    def total(self) -> Deferred[list[Family]]:
        """Tell that there are no metrics."""
        return succeed([])


class SpawningReactor(FakeReactor):
    """
    A reactor that keeps what it is given to talk to.

    @ivar talking: for each connection its factory.
    @ivar marks: who each process belongs to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.talking: list[Any] = []
        self.marks: list[str] = []

    def spawnProcess(self, *args: Any, **kw: Any) -> FakeProcess:
        """Keep whose it is."""
        self.marks.append(kw["env"][MARK])
        return super().spawnProcess(*args, **kw)

    def adoptStreamConnection(
        self, fileDescriptor: int, addressFamily: int, factory: Any
    ) -> None:
        """Keep who talks there."""
        assert not os.get_blocking(fileDescriptor)
        assert addressFamily == socket.AF_UNIX
        self.talking.append(factory)


class WorkerTests(SynchronousTestCase):
    """Tests of a worker."""

    def setUp(self) -> None:
        """Have a worker, and whom it tells."""
        self.reactor = FakeReactor()
        self.supervising = Supervising()
        self.worker = Worker(self.reactor, self.supervising, 1, 0)
        self.process = FakeProcess(self.worker, "python", (), {}, {})
        self.asked: list[Any] = []
        self.answers: list[Deferred[Any]] = []

        def ask(command: Any) -> Deferred[Any]:
            self.asked.append(command)
            self.answers.append(Deferred())
            return self.answers[-1]

        self.patch(self.worker.control, "callRemote", ask)

    def test_its_service_is_timed(self) -> None:
        """From when it says that it serves."""
        self.reactor.advance(5)
        self.assertEqual((self.worker.is_serving, self.worker.served), (False, 0))
        self.worker.serves()
        self.reactor.advance(5)
        self.assertEqual((self.worker.is_serving, self.worker.served), (True, 5))
        self.worker.leaves()
        self.assertEqual(
            self.supervising.told, [("serves", self.worker), ("leaves", self.worker)]
        )

    def test_how_it_ended_is_told(self) -> None:
        """By itself, or by a signal."""
        self.process.end(0, 9)
        [(_, worker, how, well)] = self.supervising.told
        self.assertIs(worker, self.worker)
        self.assertIn("signal 9", how)
        self.assertFalse(well)
        self.successResultOf(self.worker.ended)

    def test_one_that_ends_well_has_ended_too(self) -> None:
        """It was not asked to."""
        self.process.end()
        how = self.supervising.told[0][2:]
        self.assertEqual(how, ("it ended by itself", True))

    def test_it_is_told_and_asked(self) -> None:
        """What it answers is kept."""
        families = Metrics().families()
        self.worker.tell(Drain)
        asked = self.worker.report()
        self.assertEqual(self.asked, [Drain, Report])
        self.answers[1].callback({"families": families})
        self.successResultOf(asked)
        self.assertEqual(self.worker.last, families)
        self.assertEqual(self.successResultOf(self.worker.total()), [])

    def test_one_that_does_not_answer_is_not_waited_for(self) -> None:
        """What it had told before stands, and the log says so."""
        self.worker.takes_leave(before := Metrics().families())
        asked = self.worker.report()
        self.assertNoResult(asked)
        with capturedLogs() as events:
            self.reactor.advance(REPORT_TIME)
        self.successResultOf(asked)
        self.assertEqual(self.worker.last, before)
        [event] = events
        self.assertEqual(event["reason"], "it has said nothing for 1 s")
        self.assertEqual(self.worker.silent_since, 0)
        self.worker.takes_leave(before)
        self.assertIsNone(self.worker.silent_since)

    def test_one_that_was_asked_is_not_asked_again(self) -> None:
        """Who asks meanwhile has the same answer, and does not wait for a late one."""
        one = self.worker.report()
        self.reactor.advance(REPORT_TIME / 2)
        other = self.worker.report()
        self.assertEqual(self.asked, [Report])
        with capturedLogs():
            self.reactor.advance(REPORT_TIME / 2)
        for asked in (one, other, self.worker.report()):
            self.successResultOf(asked)
        self.assertEqual(self.asked, [Report])
        families = Metrics().families()
        self.answers[0].callback({"families": families})
        self.assertEqual(self.worker.last, families)
        asked = self.worker.report()
        self.assertEqual(self.asked, [Report, Report])
        self.answers[1].callback({"families": []})
        self.successResultOf(asked)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_one_that_cannot_tell_its_metrics_does_not_hang(self) -> None:
        """One whose connection is lost may do so."""
        for error, since in ((Exception("no folder"), None), (ConnectionDone(), 0)):
            asked = self.worker.report()
            with capturedLogs() as events:
                self.answers[-1].errback(Failure(error))
            self.assertEqual(len(events), 1)
            self.successResultOf(asked)
            self.assertEqual(self.worker.silent_since, since)

    def test_it_can_be_killed(self) -> None:
        """Also when it is gone already."""
        self.worker.kill()
        self.assertEqual(self.process.signals, ["KILL"])

        def gone(_: object) -> None:
            raise ProcessExitedAlready()

        self.patch(self.process, "signalProcess", gone)
        self.worker.kill()


class StarterTests(SynchronousTestCase):
    """Tests of starting a worker."""

    def start(self, reactor: SpawningReactor) -> Worker:
        """Start one."""
        environment = {
            "TWISTED_QUOTES_TIMEOUT": "3",
            "PATH": "/bin",
            "NOTIFY_SOCKET": "/run/notify",
            "WATCHDOG_USEC": "1",
            MARK: "other",
        }
        starter = Starter(
            *(reactor, ["/bin/python", "-m", "twisted", "quotes"], environment, 77),
            *(lambda: [10, 12], lambda row, share: inheritance(share)),
        )
        return starter.start(Supervising(), 1, 0)

    def test_it_is_started_as_this_process_was(self) -> None:
        """With the same options, and what it inherits."""
        reactor = SpawningReactor()
        worker = self.start(reactor)
        [process] = reactor.processes
        self.assertIs(process.protocol, worker)
        self.assertEqual(process.executable, "/bin/python")
        self.assertEqual(process.arguments, ("/bin/python", "-m", "twisted", "quotes"))
        inherited = process.environment.pop(VARIABLE)
        self.assertIn('"shares":2', inherited)
        self.assertEqual(
            process.environment, {"TWISTED_QUOTES_TIMEOUT": "3", "PATH": "/bin"}
        )
        self.assertNotIn("other", reactor.marks)

    def test_it_has_the_sockets_and_a_way_to_talk(self) -> None:
        """And the log of this process, but not its input."""
        reactor = SpawningReactor()
        worker = self.start(reactor)
        [process] = reactor.processes
        files = process.child_fds
        self.assertEqual((files[1], files[2], files[SCOREBOARD]), (1, 2, 77))
        self.assertEqual((files[SOCKETS], files[SOCKETS + 1]), (10, 12))
        self.assertEqual(set(files), {0, 1, 2, CONTROL, 4, 5, 6})
        [factory] = reactor.talking
        self.assertIs(factory.buildProtocol(None), worker.control)

    def test_where_it_cannot_be_started_nothing_is_left(self) -> None:
        """No socket stays open."""
        reactor = SpawningReactor()
        reactor.spawn_error = OSError("no more processes")
        before = os.listdir("/proc/self/fd")
        self.assertRaises(OSError, self.start, reactor)
        self.assertEqual(os.listdir("/proc/self/fd"), before)
        self.assertEqual(reactor.talking, [])
