"""
What the supervisor and a worker say to each other (AMP, on a pair of sockets).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from zlib import compress, decompress

from msgspec.msgpack import Decoder, Encoder
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.amp import AMP, Argument, BinaryBoxProtocol, Command
from twisted.python.failure import Failure

from twisted_quotes.monitoring.metrics import MetricFamily

_encoder = Encoder()
_decoder = Decoder(list[MetricFamily])


class MetricFamilies(Argument):
    """
    Metrics, as they stood at one time.

    They are compressed, for AMP takes no more than 64 KiB.
    """

    def toString(self, inObject: Sequence[MetricFamily]) -> bytes:
        """Encode them."""
        return compress(_encoder.encode(inObject), 1)

    def fromString(self, inString: bytes) -> list[MetricFamily]:
        """Decode them."""
        return _decoder.decode(decompress(inString))


class _OneWayCommand(Command):
    """Something that needs no answer."""

    requiresAnswer = False


class Drain(_OneWayCommand):
    """To a worker: the end has begun. Go on serving, and be ready no more."""


class Close(_OneWayCommand):
    """To a worker: close the listening sockets, and answer who has connected."""


class Retire(_OneWayCommand):
    """To a worker: leave who connects to the others, and answer who has connected."""


class Force(_OneWayCommand):
    """To a worker: end now."""


class Reload(_OneWayCommand):
    """To a worker: open anew what was opened by name."""


# Without that, an error at the other end would end the connection, and the worker.
_ERRORS: dict[type[Exception], bytes] = {Exception: b"FAILED"}


class ReportMetrics(Command):
    """To a worker: tell your metrics."""

    errors = _ERRORS
    response = [(b"families", MetricFamilies())]


class ServingStarted(_OneWayCommand):
    """To the supervisor: I listen."""


class RequestRetirement(_OneWayCommand):
    """To the supervisor: I have been asked to end."""


class CollectAllMetrics(Command):
    """To the supervisor: tell the metrics of all."""

    errors = _ERRORS
    response = [(b"families", MetricFamilies())]


class SendFinalMetrics(Command):
    """To the supervisor: these are my last metrics."""

    errors = _ERRORS
    arguments = [(b"families", MetricFamilies())]


class _ControlProtocol(AMP):
    """One end. It does not log its addresses, for it has none."""

    def makeConnection(self, transport: Any) -> None:
        """Begin to talk."""
        BinaryBoxProtocol.makeConnection(self, transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The other end is gone."""
        BinaryBoxProtocol.connectionLost(self, reason)
        self.transport = None


class ControlledWorker(Protocol):
    """What a worker does when it is told to."""

    def drain(self) -> None:
        """Go on serving, and be ready no more."""

    def close(self) -> None:
        """Close the listening sockets, as all others do, and end."""

    def retire(self) -> None:
        """Leave the listening sockets to the others, and end."""

    def force(self) -> None:
        """End now."""

    def reload(self) -> None:
        """Open anew what was opened by name."""

    def report_metrics(self) -> list[MetricFamily]:
        """Tell the metrics."""

    def supervisor_lost(self) -> None:
        """The supervisor is gone."""


class WorkerControlProtocol(_ControlProtocol):
    """
    The end of the worker.

    @ivar worker: does what the supervisor says; it is to be set before that
        can say anything.
    """

    worker: ControlledWorker

    @Drain.responder
    def _drain(self) -> dict[str, Any]:
        self.worker.drain()
        return {}

    @Close.responder
    def _close(self) -> dict[str, Any]:
        self.worker.close()
        return {}

    @Retire.responder
    def _retire(self) -> dict[str, Any]:
        self.worker.retire()
        return {}

    @Force.responder
    def _force(self) -> dict[str, Any]:
        self.worker.force()
        return {}

    @Reload.responder
    def _reload(self) -> dict[str, Any]:
        self.worker.reload()
        return {}

    @ReportMetrics.responder
    def _report_metrics(self) -> dict[str, Any]:
        return {"families": self.worker.report_metrics()}

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """Ask for the metrics of all workers."""
        answered: Deferred[dict[str, list[MetricFamily]]] = self.callRemote(
            CollectAllMetrics
        )
        return answered.addCallback(lambda answer: answer["families"])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The supervisor is gone."""
        super().connectionLost(reason)
        self.worker.supervisor_lost()


class SupervisedWorker(Protocol):
    """What becomes of what one worker says."""

    def serving_started(self) -> None:
        """It listens."""

    def retirement_requested(self) -> None:
        """It has been asked to end."""

    def collect_all_metrics(self) -> Deferred[list[MetricFamily]]:
        """It wants the metrics of all."""

    def metrics_received(self, families: list[MetricFamily]) -> None:
        """It tells its last metrics."""


class SupervisorControlProtocol(_ControlProtocol):
    """
    The end of the supervisor.

    @param worker: does what follows from what the worker says.
    """

    def __init__(self, worker: SupervisedWorker) -> None:
        super().__init__()
        self._worker = worker

    @ServingStarted.responder
    def _serving_started(self) -> dict[str, Any]:
        self._worker.serving_started()
        return {}

    @RequestRetirement.responder
    def _retirement_requested(self) -> dict[str, Any]:
        self._worker.retirement_requested()
        return {}

    @CollectAllMetrics.responder
    def _collect_all_metrics(self) -> Deferred[dict[str, Any]]:
        return self._worker.collect_all_metrics().addCallback(
            lambda total: {"families": total}
        )

    @SendFinalMetrics.responder
    def _metrics_received(self, families: list[MetricFamily]) -> dict[str, Any]:
        self._worker.metrics_received(families)
        return {}

    def request_metrics(self) -> Deferred[list[MetricFamily]]:
        """Ask for the metrics of the worker."""
        answered: Deferred[dict[str, list[MetricFamily]]] = self.callRemote(
            ReportMetrics
        )
        return answered.addCallback(lambda answer: answer["families"])


class SingleConnectionFactory(Factory):
    """
    Has one connection, with a protocol that is there already.

    @param protocol: that protocol.
    """

    noisy = False

    def __init__(self, protocol: AMP) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: object) -> AMP:
        """Take the one connection."""
        return self._protocol
