"""
The supervisor: opens the sockets, has workers serve, and ends them all.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall

from twisted_quotes.concurrency.shared_counters import Scoreboard
from twisted_quotes.graceful_shutdown import GracefulService, ReactorForService
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.monitoring.systemd import Systemd
from twisted_quotes.processes.orphans import Reaper
from twisted_quotes.processes.signals import OnSignal

from .control import Close, Drain, Force, Reload
from .pool import StartWorker, WorkerPool
from .supervisor_sockets import Listeners

GRACE = 5.0
"""How long a worker may take to end when it has to, in seconds; then it is killed."""


LOOK_EVERY = 10.0
"""How often the supervisor looks after its workers, in seconds."""


class Supervisor(GracefulService):
    """
    Has workers serve, and ends them without losing a request.

    @param reactor: tells time, and when the end begins.
    @param count: how many workers there are to be, 2 or more.
    @param listeners: the listening sockets.
    @param start_worker: starts a worker.
    @param scoreboard: what they know of each other.
    @param drain_delay: how long they go on serving once shutdown began, in
        seconds.
    @param drain_timeout: how long after that beginning the end is forced, in
        seconds; they see to that themselves.
    @param on_signal: has signals call a function, and returns what undoes that.
    @param reaper: ends the workers should this process be killed.
    @param systemd: is told when the service is ready, and when it ends. Where it
        would end this process for giving no sign of life, workers that give none
        for as long are killed.
    @param metrics: those of this process, to which those of workers are added.
    @param give_up: ends the program, with a reason, where no worker can serve.
    @param hangup_ends: whether SIGHUP means that the terminal is gone.
    """

    name = "quotes"

    def __init__(
        self,
        reactor: ReactorForService,
        count: int,
        listeners: Listeners,
        start_worker: StartWorker,
        scoreboard: Scoreboard,
        drain_delay: float,
        drain_timeout: float,
        on_signal: OnSignal,
        reaper: Reaper,
        systemd: Systemd,
        metrics: Metrics,
        give_up: Callable[[str], object],
        hangup_ends: bool = False,
    ) -> None:
        self._listeners = listeners
        self._drain_timeout = drain_timeout
        self._reaper = reaper
        self._give_up = give_up
        self._looks = LoopingCall(lambda: self.pool.look(systemd.watchdog))
        self._looks.clock = reactor
        self._kill_call: IDelayedCall | None = None
        self.pool = WorkerPool(
            clock=reactor,
            count=count,
            start_worker=start_worker,
            scoreboard=scoreboard,
            time_to_leave=drain_timeout + GRACE,
            metrics=metrics,
            all_serve=self._all_serve,
            none_can=self._none_can_serve,
        )
        super().__init__(
            reactor, self.pool.outstanding, drain_delay, on_signal, systemd, hangup_ends
        )

    # The start

    def startService(self) -> None:
        """
        Open the listening sockets, and start the workers when the reactor runs.

        @raise CannotStart: one of them could not be opened.
        """
        super().startService()
        self._listeners.open()
        self._end_with_reactor()
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        if self._over is None:
            self._reaper.start()
            self.pool.fill()
            self._looks.start(LOOK_EVERY, now=False)

    def _all_serve(self) -> None:
        self._systemd.ready(self._listeners.tell())

    def _none_can_serve(self, reason: str) -> None:
        self._log.critical("The start failed: {reason}", reason=reason)
        self._give_up(f"no worker can serve: {reason}")

    def reload(self) -> None:
        """Have all workers open their access log anew."""
        self.pool.tell(Reload)

    # The end

    async def _shut_down(self) -> None:
        count = len(self.pool)
        self._log.info("Shutting down {count} workers.", count=count)
        self._systemd.stopping(f"Shutting down {count} workers.")
        self._kill_call = self._reactor.callLater(
            self._drain_timeout + GRACE, self.pool.kill
        )
        self.pool.close()
        if self._looks.running:
            self._looks.stop()
        try:
            self.pool.tell(Drain)
            await self._serve_on()
            # The last who closes them is a worker, which accepts who is left.
            await self._listeners.close()
            self.pool.tell(Close)
            while self._outstanding:
                await self._outstanding.when_over()
            await self._reaper.stop()
        finally:
            if self._kill_call.active():
                self._kill_call.cancel()
        self._log.info("All workers have ended.")

    def _time_to_serve_on(self) -> Deferred[None]:
        """As long as there is a worker that serves, and no longer."""
        delay = super()._time_to_serve_on()
        self._outstanding.when_over().addCallback(lambda _: delay.cancel())
        return delay

    def _hurry(self) -> None:
        """Have all workers end now, and kill those that do not."""
        self.pool.tell(Force)
        if self._kill_call is not None and self._kill_call.active():
            self._kill_call.reset(GRACE)
