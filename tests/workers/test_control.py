"""
Tests of what the supervisor and a worker say to each other.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.workers.control import (
    Close,
    Drain,
    Force,
    Reload,
    RequestRetirement,
    Retire,
    SendFinalMetrics,
    ServingStarted,
    SingleConnectionFactory,
    SupervisorControlProtocol,
    WorkerControlProtocol,
)


class FakeWorkerAndSupervisor:
    """
    Both sides: keeps what each is told.

    @ivar commands: the names of all that, in order.
    @ivar error: raised where metrics are asked for, if set.
    """

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.metrics = Metrics()
        self.last_families: list[MetricFamily] = []
        self.error: Exception | None = None

    def drain(self) -> None:
        """Keep it."""
        self.commands.append("drain")

    def close(self) -> None:
        """Keep it."""
        self.commands.append("close")

    def retire(self) -> None:
        """Keep it."""
        self.commands.append("retire")

    def force(self) -> None:
        """Keep it."""
        self.commands.append("force")

    def report_metrics(self) -> list[MetricFamily]:
        """Tell metrics, or fail."""
        if self.error is not None:
            raise self.error
        return self.metrics.families()

    def reload(self) -> None:
        """Keep it."""
        self.commands.append("reload")

    def supervisor_lost(self) -> None:
        """Keep it."""
        self.commands.append("lost")

    def serving_started(self) -> None:
        """Keep it."""
        self.commands.append("serves")

    def retirement_requested(self) -> None:
        """Keep it."""
        self.commands.append("leaves")

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """Tell metrics, or fail."""
        if self.error is not None:
            return fail(self.error)
        return succeed(self.metrics.families())

    def metrics_received(self, families: list[MetricFamily]) -> None:
        """Keep them."""
        self.last_families = families


class ControlTests(SynchronousTestCase):
    """Tests of both ends together."""

    def setUp(self) -> None:
        """Connect the ends."""
        self.fake = FakeWorkerAndSupervisor()
        self.worker = WorkerControlProtocol()
        self.worker.worker = self.fake
        self.supervisor = SupervisorControlProtocol(self.fake)
        self.transports = StringTransport(), StringTransport()
        self.worker.makeConnection(self.transports[0])
        self.supervisor.makeConnection(self.transports[1])

    def deliver_messages(self) -> None:
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
        self.deliver_messages()
        self.assertEqual(
            self.fake.commands, ["drain", "close", "retire", "reload", "force"]
        )

    def test_a_worker_tells_how_it_is(self) -> None:
        """That it serves, and that it was asked to end."""
        for news in (ServingStarted, RequestRetirement):
            self.worker.callRemote(news)
        self.deliver_messages()
        self.assertEqual(self.fake.commands, ["serves", "leaves"])

    def test_metrics_are_told_both_ways(self) -> None:
        """However many there are: more than AMP takes by itself."""
        for number in range(3000):
            self.fake.metrics.requests.labels(f"/{number}", "200").inc()
        families = self.fake.metrics.families()
        name = "quotes_requests"
        [wanted] = [each for each in families if each.name == name]
        for asked in (
            self.supervisor.request_metrics(),
            self.worker.collect_all_metrics(),
        ):
            self.deliver_messages()
            told = self.successResultOf(asked)
            [found] = [each for each in told if each.name == name]
            self.assertEqual(found, wanted)
        self.worker.callRemote(SendFinalMetrics, families=families)
        self.deliver_messages()
        self.assertIn(wanted, self.fake.last_families)

    def test_what_goes_wrong_at_one_end_is_told_to_the_other(self) -> None:
        """Both go on talking."""
        self.fake.error = OSError("no folder")
        for ask in (self.supervisor.request_metrics, self.worker.collect_all_metrics):
            told = ask().addErrback(lambda failure: [failure.getErrorMessage()])
            self.deliver_messages()
            self.assertEqual(self.successResultOf(told), ["no folder"])
        for transport in self.transports:
            self.assertFalse(transport.disconnecting)

    def test_a_worker_learns_that_its_supervisor_is_gone(self) -> None:
        """What it asks then fails."""
        asked = self.worker.collect_all_metrics()
        self.worker.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.fake.commands, ["lost"])
        self.failureResultOf(asked, ConnectionLost)

    def test_there_is_one_connection(self) -> None:
        """Its protocol is there before it is."""
        self.assertIs(
            SingleConnectionFactory(self.worker).buildProtocol(None), self.worker
        )
