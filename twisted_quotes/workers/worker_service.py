"""
The service in a worker: it serves as the only process would, and begins and ends
as the supervisor says.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError, maybeDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IListeningPort
from twisted.internet.tcp import Port

from twisted_quotes.concurrency.shared_counters import Column, Scoreboard
from twisted_quotes.errors import NotReadyNow
from twisted_quotes.monitoring.metrics import Family, Metrics
from twisted_quotes.service import QuotesService

from .control import Commanded, Farewell, Leaving, Once, Serving, WorkerEnd
from .worker_sockets import FairReader

TOTAL_TIME = 3.0
"""How long the supervisor may take to add up all metrics, in seconds."""


class Link:
    """
    What a worker asks of the supervisor.

    @param reactor: tells time.
    @param descriptor: the way there, as an open file.
    @param metrics: those of this process.
    """

    def __init__(self, reactor: Any, descriptor: int, metrics: Metrics) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self.control = WorkerEnd()
        self.metrics = metrics

    def connect(self, worker: Commanded) -> None:
        """
        Do what the supervisor says from now on.

        @param worker: does it.
        """
        self.control.worker = worker
        with socket.socket(fileno=self._descriptor) as ours:
            ours.setblocking(False)
            self._reactor.adoptStreamConnection(
                ours.fileno(), ours.family, Once(self.control)
            )

    async def total(self) -> list[Family]:
        """
        The metrics of all workers.

        @raise NotReadyNow: the supervisor does not answer.
        """
        try:
            return await self.control.total().addTimeout(TOTAL_TIME, self._reactor)
        except (TimeoutError, ConnectionDone, ConnectionLost):
            raise NotReadyNow("what adds up the metrics") from None

    async def take_leave(self) -> None:
        """Tell the last metrics, if there is still somebody to tell."""
        told: Deferred[Any] = self.control.callRemote(
            Farewell, families=self.metrics.families()
        )
        told.addTimeout(TOTAL_TIME, self._reactor)
        # Who is gone, or stands still, has no use for them.
        await DeferredList([told], consumeErrors=True)


class WorkerService(QuotesService):
    """
    The service in a worker.
    """

    _link: Link
    _scoreboard: Scoreboard
    _row: int
    _stopping = _retiring = False
    # Whether the others go on, so that the sockets are to stay as they are.
    _alone = True

    def work_for(self, link: Link, scoreboard: Scoreboard, row: int) -> None:
        """
        Be part of a whole; it is to be called before the start.

        @param link: the way to the supervisor.
        @param scoreboard: what the workers know of each other.
        @param row: the row of this one.
        """
        self._link = link
        self._scoreboard = scoreboard
        self._row = row
        self._readers: list[FairReader] = []
        self._closing: Deferred[None] = Deferred()

    # The start

    def startService(self) -> None:
        """Listen on all sockets, and on the supervisor."""
        super().startService()
        self._link.connect(self)

    def _opened(self, port: IListeningPort, description: str) -> None:
        """The supervisor tells where it is, and has many wait, once for all."""
        assert isinstance(port, Port)
        reader = FairReader(self._reactor, port, self._scoreboard, self._row)
        reader.start()
        self._readers.append(reader)

    def _tell_ready(self) -> None:
        if self._over is None:
            self._scoreboard.write(self._row, Column.SERVING, 1)
            self._link.control.callRemote(Serving)

    def signalled(self, number: int) -> None:
        """
        Ask the supervisor to be replaced, or end at once at a second signal.

        A signal to the whole process group comes to the supervisor as well, which
        may have said so before.

        @param number: the signal, SIGTERM.
        """
        if self._end_requested:
            self._end_alone()
        elif not self._stopping:
            self._link.control.callRemote(Leaving)
        self._end_requested = True

    # What the supervisor says

    def drain(self) -> None:
        """Go on serving, and be ready no more."""
        self._readiness.draining = True
        self._begin_to_end()

    def close(self) -> None:
        """Close the listening sockets, as all others do, and end."""
        self._alone = False
        self._go_on()
        if self._retiring:
            # Nobody else serves any more, either.
            self._site.close()

    def retire(self) -> None:
        """Leave the listening sockets to the others, answer who is here, and end."""
        self._retiring = not self._stopping
        self._begin_to_end()
        self._go_on()

    def report(self) -> list[Family]:
        """Tell the metrics of this process."""
        return self._link.metrics.families()

    def supervisor_lost(self) -> None:
        """Nobody will tell when to end: end now."""
        if self._over is None or not self._over.called:
            self._log.error("The connection to the supervisor is lost.")
            self._readiness.draining = True
            # It may be there still, and the others, too.
            self._end_alone()

    def _end_alone(self) -> None:
        """End now, and leave the sockets to the others as they are."""
        self._begin_to_end()
        self._go_on()
        super().force()

    def force(self) -> None:
        """End now, as all others do."""
        self._alone = False
        self._go_on()
        super().force()

    def _begin_to_end(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._reactor.stop()

    def _go_on(self) -> None:
        if not self._closing.called:
            self._closing.callback(None)

    # The end

    def _time_to_serve_on(self) -> Deferred[None]:
        return self._closing

    async def _stop_listening(self) -> None:
        self._scoreboard.write(self._row, Column.SERVING, 0)
        for reader in self._readers:
            reader.stop()
        if self._alone:
            await DeferredList(
                [maybeDeferred(port.stopListening) for port, _ in self._ports]
            )
        else:
            await super()._stop_listening()

    def _be_ready_no_more(self) -> None:
        """It is the service that is ready; where one worker leaves, it still is."""
        if not self._retiring:
            super()._be_ready_no_more()

    def _close_site(self) -> None:
        """Refuse nobody whom another worker would not refuse."""
        if self._retiring and self._alone:
            self._site.retire()
        else:
            super()._close_site()

    async def _finish(self) -> None:
        await super()._finish()
        await self._link.take_leave()
