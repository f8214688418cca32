"""
The supervisor: opens the listening sockets, runs the workers, and shuts them down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.internet.tcp import Port
from twisted.python.failure import Failure

from twisted_quotes.processes.reaper import Reaper
from twisted_quotes.service.graceful_shutdown import GracefulService

from .control import Message
from .pool import WorkerPool

GRACE_PERIOD = 5.0
"""How long a worker may take to end when it has to, in seconds; then it is killed."""

HEALTH_CHECK_INTERVAL = 10.0
"""The interval at which the supervisor checks its workers, in seconds."""

_NOT_SHAREABLE = "workers cannot share it: use --workers=1"


class _RefusingFactory(Factory):
    """Refuses endpoints that have no socket, and ask for a protocol at once."""

    noisy = False

    def buildProtocol(self, addr: object) -> NoReturn:
        raise ValueError(_NOT_SHAREABLE)


@dataclass(kw_only=True, eq=False, repr=False)
class Supervisor(GracefulService):
    """
    Runs workers, which serve, and shuts them down without losing a request.

    The workers enforce the drain timeout themselves. Workers that do not respond for
    the watchdog timeout of systemd are killed.

    @ivar reaper: kills the workers if this process is killed.
    @ivar exit_with_error: ends the program, with a reason, if no worker can serve.
    """

    _shutdown_message = "Shutting down {count} workers."

    pool: WorkerPool
    reaper: Reaper
    exit_with_error: Callable[[str], object]

    def __post_init__(self) -> None:
        self.pool.started.addCallbacks(
            lambda _: self._notify_ready(), self._no_worker_started
        )
        self._health_check = LoopingCall(
            lambda: self.pool.check_health(self.systemd_notifier.watchdog_timeout)
        )
        self._health_check.clock = self.reactor

    def startService(self) -> None:
        """Listen on all endpoints, and start the workers when the reactor runs."""
        super().startService()
        self._listen(_RefusingFactory())
        self.reactor.callWhenRunning(self._start_workers)

    def _listening_started(self, port: IListeningPort, description: str) -> None:
        if not isinstance(port, Port):
            port.stopListening()
            raise ValueError(_NOT_SHAREABLE)
        super()._listening_started(port, description)
        # Only the workers accept connections.
        port.stopReading()
        # A shutdown(2) here would end the listening in the workers as well.
        port._shouldShutdown = False
        self.pool.listener_fds.append(int(port.fileno()))

    def _listening_delayed(self, description: str) -> None:
        self._listening_failed(Failure(ValueError(_NOT_SHAREABLE)), description)

    def _start_workers(self) -> None:
        if self._shutdown_done is None:
            self.reaper.start()
            self.pool.fill()
            self._health_check.start(HEALTH_CHECK_INTERVAL, now=False)

    def _no_worker_started(self, failure: Failure) -> None:
        reason = failure.getErrorMessage()
        self._log.critical("The start failed: {reason}", reason=reason)
        self.exit_with_error(f"no worker can serve: {reason}")

    def reload(self) -> None:
        self.pool.broadcast(Message.RELOAD)

    def _start_draining(self) -> None:
        self._set_deadline(self.drain_timeout + GRACE_PERIOD, self.pool.kill)
        self.pool.close()
        if self._health_check.running:
            self._health_check.stop()
        self.pool.broadcast(Message.DRAIN)

    def _make_drain_delay(self) -> Deferred[None]:
        """Return the drain delay, which ends early if all workers have ended."""
        delay = super()._make_drain_delay()
        self.outstanding.when_done().addCallback(lambda _: delay.cancel())
        return delay

    async def _stop_serving(self) -> None:
        # The workers close the sockets last, and accept the remaining connections.
        await self._close_ports()
        self.pool.broadcast(Message.CLOSE)

    async def _finish(self) -> None:
        await self.reaper.stop()

    def _force_shutdown(self) -> None:
        self._set_deadline(GRACE_PERIOD, self.pool.kill)
        self.pool.broadcast(Message.FORCE)
