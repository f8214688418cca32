"""
Tests that the fakes behave like what they replace.
"""

from __future__ import annotations

from twisted.internet.interfaces import (
    IProcessTransport,
    IReactorFromThreads,
    IReactorProcess,
    IReactorTime,
)
from twisted.internet.protocol import ProcessProtocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from .fakes import FakeReactor


class FakeTests(SynchronousTestCase):
    """Tests of the fakes."""

    def setUp(self) -> None:
        """Make a reactor and a process."""
        self.reactor = FakeReactor()
        self.process = self.reactor.spawnProcess(ProcessProtocol(), "/bin/x", ["x"])

    def test_the_fakes_provide_their_interfaces(self) -> None:
        verifyObject(IReactorProcess, self.reactor)
        verifyObject(IReactorTime, self.reactor)
        verifyObject(IReactorFromThreads, self.reactor)
        verifyObject(IProcessTransport, self.process)

    def test_a_signal_is_only_recorded(self) -> None:
        """The test ends the process."""
        self.process.signalProcess("KILL")
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertIsNotNone(self.process.pid)
        self.process.end(0, 9)
        self.assertIsNone(self.process.pid)

    def test_a_call_from_a_thread_is_made_in_the_next_iteration(self) -> None:
        calls: list[int] = []
        self.reactor.callFromThread(calls.append, 1)
        self.assertEqual(calls, [])
        self.reactor.advance(0)
        self.assertEqual(calls, [1])

    def test_a_removed_trigger_is_not_fired(self) -> None:
        """Others are fired in order."""
        add = self.reactor.addSystemEventTrigger
        removed = add("before", "shutdown", lambda: "removed")
        add("before", "shutdown", lambda: "kept")
        self.reactor.removeSystemEventTrigger(removed)
        self.assertEqual(self.reactor.fire_shutdown(), ["kept"])

    def test_writes_and_closed_descriptors_are_recorded(self) -> None:
        """In order."""
        self.process.write(b"a")
        self.process.writeToChild(0, b"b")
        self.process.closeStdin()
        self.process.loseConnection()
        self.assertEqual(
            (self.process.written, self.process.closed), (b"ab", [0, 0, 1, 2])
        )
