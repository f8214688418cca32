"""
The stand-ins keep to the interfaces of what they stand in for.
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
    """What tests may count on."""

    def setUp(self) -> None:
        """Make a reactor with a process."""
        self.reactor = FakeReactor()
        self.process = self.reactor.spawnProcess(ProcessProtocol(), "/bin/x", ["x"])

    def test_they_keep_to_their_interfaces(self) -> None:
        """Nothing that code may call is missing."""
        verifyObject(IReactorProcess, self.reactor)
        verifyObject(IReactorTime, self.reactor)
        verifyObject(IReactorFromThreads, self.reactor)
        verifyObject(IProcessTransport, self.process)

    def test_a_signal_is_recorded_and_no_more(self) -> None:
        """The test ends the process, not the signal."""
        self.process.signalProcess("KILL")
        self.assertEqual(self.process.signals, ["KILL"])
        self.assertIsNotNone(self.process.pid)
        self.process.end(0, 9)
        self.assertIsNone(self.process.pid)

    def test_a_call_from_a_thread_comes_in_the_next_turn(self) -> None:
        """It is not made at once."""
        calls: list[int] = []
        self.reactor.callFromThread(calls.append, 1)
        self.assertEqual(calls, [])
        self.reactor.advance(0)
        self.assertEqual(calls, [1])

    def test_a_trigger_that_was_removed_is_not_fired(self) -> None:
        """Those that were not are fired in order."""
        add = self.reactor.addSystemEventTrigger
        removed = add("before", "shutdown", lambda: "removed")
        add("before", "shutdown", lambda: "kept")
        self.reactor.removeSystemEventTrigger(removed)
        self.assertEqual(self.reactor.fire_shutdown(), ["kept"])

    def test_what_is_written_and_closed_is_recorded(self) -> None:
        """All of it, in order."""
        self.process.write(b"a")
        self.process.writeToChild(0, b"b")
        self.process.writeSequence([b"c", b"d"])
        self.process.loseConnection()
        self.assertEqual(
            (self.process.written, self.process.closed), (b"abcd", [0, 1, 2])
        )
        self.assertRaises(NotImplementedError, self.process.getHost)
        self.assertRaises(NotImplementedError, self.process.getPeer)
