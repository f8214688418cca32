"""
Tests of the control connection.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from twisted_quotes.monitoring.metrics import MetricFamily, Metrics
from twisted_quotes.workers.control import ControlProtocol, Message, SendFinalMetrics
from twisted_quotes.workers.worker_process import Worker
from twisted_quotes.workers.worker_service import WorkerService


class FakeReceiver:
    """
    Records the messages that it receives, and reports metrics.

    @ivar messages: the names of the messages.
    @ivar error: raised by a request for metrics, if set.
    """

    def __init__(self, metrics: Metrics) -> None:
        self.messages: list[str] = []
        self.metrics = metrics
        self.received_families: list[MetricFamily] = []
        self.error: Exception | None = None
        for message in Message:
            setattr(self, message, lambda name=message: self.messages.append(name))

    def report_metrics(self) -> list[MetricFamily]:
        """Report the metrics, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.metrics.families()

    def metrics_received(self, families: list[MetricFamily]) -> None:
        """Record the metrics."""
        self.received_families = families


class ControlTests(SynchronousTestCase):
    """Tests of two connected ends."""

    def setUp(self) -> None:
        """Connect the ends."""
        self.metrics = Metrics()
        self.ends = ControlProtocol(), ControlProtocol()
        self.receivers = FakeReceiver(self.metrics), FakeReceiver(self.metrics)
        self.transports = StringTransport(), StringTransport()
        for end, receiver, transport in zip(
            self.ends, self.receivers, self.transports, strict=True
        ):
            end.receiver = receiver
            end.makeConnection(transport)

    def deliver(self) -> None:
        """Deliver everything that either end has sent."""
        for sender, end in ((0, 1), (1, 0), (0, 1)):
            data = self.transports[sender].value()
            self.transports[sender].clear()
            self.ends[end].dataReceived(data)

    def test_messages_call_methods_in_order(self) -> None:
        """At either end."""
        for end, receiver in ((0, 1), (1, 0)):
            for message in Message:
                self.ends[end].send(message)
            self.deliver()
            self.assertEqual(self.receivers[receiver].messages, list(Message))

    def test_each_message_has_a_method_at_one_end(self) -> None:
        """The worker has the methods of its messages, and the supervisor the others."""
        for message in Message:
            has_method = [hasattr(each, message) for each in (Worker, WorkerService)]
            self.assertEqual(sum(has_method), 1, message)

    def test_metrics_larger_than_the_limit_of_amp(self) -> None:
        """They are compressed."""
        for number in range(3000):
            self.metrics.requests.labels(f"/{number}", "200").inc()
        families = self.metrics.families()
        name = "quotes_requests"
        [expected] = [each for each in families if each.name == name]
        for end in self.ends:
            response = end.request_metrics()
            self.deliver()
            self.deliver()
            self.assertIn(expected, self.successResultOf(response))
        self.ends[0].callRemote(SendFinalMetrics, families=families)
        self.deliver()
        self.assertIn(expected, self.receivers[1].received_families)

    def test_an_error_is_reported_to_the_other_end(self) -> None:
        """The connection stays open."""
        for end, receiver in zip(self.ends, reversed(self.receivers), strict=True):
            receiver.error = OSError("no folder")
            errors: list[Failure] = []
            # AMP closes the connection when an error is not handled at once.
            end.request_metrics().addErrback(errors.append)
            self.deliver()
            self.deliver()
            self.assertEqual(errors[0].getErrorMessage(), "no folder")
        for transport in self.transports:
            self.assertFalse(transport.disconnecting)

    def test_a_lost_connection_fails_pending_requests(self) -> None:
        """Later messages are ignored."""
        response = self.ends[0].request_metrics()
        self.ends[0].connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(response, ConnectionLost)
        self.ends[0].send(Message.RELOAD)
