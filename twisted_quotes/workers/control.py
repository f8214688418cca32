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

from twisted_quotes.monitoring.metrics import Family

_encoder = Encoder()
_decoder = Decoder(list[Family])


class Families(Argument):
    """
    Metrics, as they stood at one time.

    They are compressed, for AMP takes no more than 64 KiB.
    """

    def toString(self, inObject: Sequence[Family]) -> bytes:
        """Encode them."""
        return compress(_encoder.encode(inObject), 1)

    def fromString(self, inString: bytes) -> list[Family]:
        """Decode them."""
        return _decoder.decode(decompress(inString))


class _Order(Command):
    """Something that needs no answer."""

    requiresAnswer = False


class Drain(_Order):
    """To a worker: the end has begun. Go on serving, and be ready no more."""


class Close(_Order):
    """To a worker: close the listening sockets, and answer who has connected."""


class Retire(_Order):
    """To a worker: leave who connects to the others, and answer who has connected."""


class Force(_Order):
    """To a worker: end now."""


class Reload(_Order):
    """To a worker: open anew what was opened by name."""


# Without that, an error at the other end would end the connection, and the worker.
_ERRORS: dict[type[Exception], bytes] = {Exception: b"FAILED"}


class Report(Command):
    """To a worker: tell your metrics."""

    errors = _ERRORS
    response = [(b"families", Families())]


class Serving(_Order):
    """To the supervisor: I listen."""


class Leaving(_Order):
    """To the supervisor: I have been asked to end."""


class Total(Command):
    """To the supervisor: tell the metrics of all."""

    errors = _ERRORS
    response = [(b"families", Families())]


class Farewell(Command):
    """To the supervisor: these are my last metrics."""

    errors = _ERRORS
    arguments = [(b"families", Families())]


class _End(AMP):
    """One end. It does not log its addresses, for it has none."""

    def makeConnection(self, transport: Any) -> None:
        """Begin to talk."""
        BinaryBoxProtocol.makeConnection(self, transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The other end is gone."""
        BinaryBoxProtocol.connectionLost(self, reason)
        self.transport = None


class Commanded(Protocol):
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

    def report(self) -> list[Family]:
        """Tell the metrics."""

    def supervisor_lost(self) -> None:
        """The supervisor is gone."""


class WorkerEnd(_End):
    """
    The end of the worker.

    @ivar worker: does what the supervisor says; it is to be set before that
        can say anything.
    """

    worker: Commanded

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

    @Report.responder
    def _report(self) -> dict[str, Any]:
        return {"families": self.worker.report()}

    def total(self) -> Deferred[list[Family]]:
        """Ask for the metrics of all workers."""
        answered: Deferred[dict[str, list[Family]]] = self.callRemote(Total)
        return answered.addCallback(lambda answer: answer["families"])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The supervisor is gone."""
        super().connectionLost(reason)
        self.worker.supervisor_lost()


class Supervising(Protocol):
    """What becomes of what one worker says."""

    def serves(self) -> None:
        """It listens."""

    def leaves(self) -> None:
        """It has been asked to end."""

    def total(self) -> Deferred[list[Family]]:
        """It wants the metrics of all."""

    def takes_leave(self, families: list[Family]) -> None:
        """It tells its last metrics."""


class SupervisorEnd(_End):
    """
    The end of the supervisor.

    @param told: does what follows from what the worker says.
    """

    def __init__(self, told: Supervising) -> None:
        super().__init__()
        self._told = told

    @Serving.responder
    def _serving(self) -> dict[str, Any]:
        self._told.serves()
        return {}

    @Leaving.responder
    def _leaving(self) -> dict[str, Any]:
        self._told.leaves()
        return {}

    @Total.responder
    def _total(self) -> Deferred[dict[str, Any]]:
        return self._told.total().addCallback(lambda total: {"families": total})

    @Farewell.responder
    def _farewell(self, families: list[Family]) -> dict[str, Any]:
        self._told.takes_leave(families)
        return {}

    def report(self) -> Deferred[list[Family]]:
        """Ask for the metrics of the worker."""
        answered: Deferred[dict[str, list[Family]]] = self.callRemote(Report)
        return answered.addCallback(lambda answer: answer["families"])


class Once(Factory):
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
