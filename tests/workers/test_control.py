"""
Tests of what the supervisor and a worker say to each other.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import Family, Metrics
from twisted_quotes.workers.control import (
    Close,
    Drain,
    Farewell,
    Force,
    Leaving,
    Once,
    Reload,
    Retire,
    Serving,
    SupervisorEnd,
    WorkerEnd,
)


class Both:
    """
    Both sides: keeps what each is told.

    @ivar told: the names of all that, in order.
    @ivar error: raised where metrics are asked for, if set.
    """

    def __init__(self) -> None:
        self.told: list[str] = []
        self.metrics = Metrics()
        self.last: list[Family] = []
        self.error: Exception | None = None

    def drain(self) -> None:
        """Keep it."""
        self.told.append("drain")

    def close(self) -> None:
        """Keep it."""
        self.told.append("close")

    def retire(self) -> None:
        """Keep it."""
        self.told.append("retire")

    def force(self) -> None:
        """Keep it."""
        self.told.append("force")

    def report(self) -> list[Family]:
        """Tell metrics, or fail."""
        if self.error is not None:
            raise self.error
        return self.metrics.families()

    def reload(self) -> None:
        """Keep it."""
        self.told.append("reload")

    def supervisor_lost(self) -> None:
        """Keep it."""
        self.told.append("lost")

    def serves(self) -> None:
        """Keep it."""
        self.told.append("serves")

    def leaves(self) -> None:
        """Keep it."""
        self.told.append("leaves")

    def total(self) -> Deferred[list[Family]]:
        """Tell metrics, or fail."""
        if self.error is not None:
            return fail(self.error)
        return succeed(self.metrics.families())

    def takes_leave(self, families: list[Family]) -> None:
        """Keep them."""
        self.last = families


class ControlTests(SynchronousTestCase):
    """Tests of both ends together."""

    def setUp(self) -> None:
        """Connect the ends."""
        self.both = Both()
        self.worker = WorkerEnd()
        self.worker.worker = self.both
        self.supervisor = SupervisorEnd(self.both)
        self.transports = StringTransport(), StringTransport()
        self.worker.makeConnection(self.transports[0])
        self.supervisor.makeConnection(self.transports[1])

    def pump(self) -> None:
        """Let all arrive that was sent."""
        ends = self.supervisor, self.worker
        for _ in range(4):
            for transport, end in zip(self.transports, ends, strict=True):
                data = transport.value()
                transport.clear()
                if data:
                    end.dataReceived(data)

    def test_a_worker_does_what_it_is_told(self) -> None:
        """In the order in which it is told."""
        for order in (Drain, Close, Retire, Reload, Force):
            self.assertIsNone(self.supervisor.callRemote(order))
        self.pump()
        self.assertEqual(
            self.both.told, ["drain", "close", "retire", "reload", "force"]
        )

    def test_a_worker_tells_how_it_is(self) -> None:
        """That it serves, and that it was asked to end."""
        for news in (Serving, Leaving):
            self.worker.callRemote(news)
        self.pump()
        self.assertEqual(self.both.told, ["serves", "leaves"])

    def test_metrics_are_told_both_ways(self) -> None:
        """However many there are: more than AMP takes by itself."""
        for number in range(3000):
            self.both.metrics.requests.labels(f"/{number}", "200").inc()
        families = self.both.metrics.families()
        name = "quotes_requests"
        [wanted] = [each for each in families if each.name == name]
        for asked in (self.supervisor.report(), self.worker.total()):
            self.pump()
            told = self.successResultOf(asked)
            [found] = [each for each in told if each.name == name]
            self.assertEqual(found, wanted)
        self.worker.callRemote(Farewell, families=families)
        self.pump()
        self.assertIn(wanted, self.both.last)

    def test_what_goes_wrong_at_one_end_is_told_to_the_other(self) -> None:
        """Both go on talking."""
        self.both.error = OSError("no folder")
        for ask in (self.supervisor.report, self.worker.total):
            told = ask().addErrback(lambda failure: [failure.getErrorMessage()])
            self.pump()
            self.assertEqual(self.successResultOf(told), ["no folder"])
        for transport in self.transports:
            self.assertFalse(transport.disconnecting)

    def test_a_worker_learns_that_its_supervisor_is_gone(self) -> None:
        """What it asks then fails."""
        asked = self.worker.total()
        self.worker.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.both.told, ["lost"])
        self.failureResultOf(asked, ConnectionLost)

    def test_there_is_one_connection(self) -> None:
        """Its protocol is there before it is."""
        self.assertIs(Once(self.worker).buildProtocol(None), self.worker)
