"""
The supervisor: opens the sockets, has workers serve, and ends them all.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall

from twisted_quotes.concurrency.shared_counters import SharedCounters
from twisted_quotes.graceful_shutdown import GracefulService, IServiceReactor
from twisted_quotes.monitoring.metrics import Metrics
from twisted_quotes.monitoring.systemd import SystemdNotifier
from twisted_quotes.processes.orphans import Reaper
from twisted_quotes.processes.signals import SignalSubscriber

from .control import Close, Drain, Force, Reload
from .pool import StartWorker, WorkerPool
from .supervisor_sockets import Listeners

GRACE_PERIOD = 5.0
"""How long a worker may take to end when it has to, in seconds; then it is killed."""


HEALTH_CHECK_INTERVAL = 10.0
"""How often the supervisor looks after its workers, in seconds."""


class Supervisor(GracefulService):
    """
    Has workers serve, and ends them without losing a request.

    @param reactor: tells time, and when the end begins.
    @param count: how many workers there are to be, 2 or more.
    @param listeners: the listening sockets.
    @param start_worker: starts a worker.
    @param shared_counters: what they know of each other.
    @param drain_delay: how long they go on serving once shutdown began, in
        seconds.
    @param drain_timeout: how long after that beginning the end is forced, in
        seconds; they see to that themselves.
    @param on_signal: has signals call a function, and returns what undoes that.
    @param reaper: ends the workers should this process be killed.
    @param systemd_notifier: is told when the service is ready, and when it ends. Where
        it
        would end this process for giving no sign of life, workers that give none
        for as long are killed.
    @param metrics: those of this process, to which those of workers are added.
    @param exit_with_error: ends the program, with a reason, where no worker can serve.
    @param stops_on_hangup: whether SIGHUP means that the terminal is gone.
    """

    name = "quotes"

    def __init__(
        self,
        reactor: IServiceReactor,
        count: int,
        listeners: Listeners,
        start_worker: StartWorker,
        shared_counters: SharedCounters,
        drain_delay: float,
        drain_timeout: float,
        on_signal: SignalSubscriber,
        reaper: Reaper,
        systemd_notifier: SystemdNotifier,
        metrics: Metrics,
        exit_with_error: Callable[[str], object],
        stops_on_hangup: bool = False,
    ) -> None:
        self._listeners = listeners
        self._drain_timeout = drain_timeout
        self._reaper = reaper
        self._exit_with_error = exit_with_error
        self._health_check = LoopingCall(
            lambda: self.pool.check_health(systemd_notifier.watchdog_timeout)
        )
        self._health_check.clock = reactor
        self._kill_call: IDelayedCall | None = None
        self.pool = WorkerPool(
            clock=reactor,
            count=count,
            start_worker=start_worker,
            shared_counters=shared_counters,
            retirement_timeout=drain_timeout + GRACE_PERIOD,
            metrics=metrics,
            all_workers_started=self._all_workers_started,
            all_workers_failed=self._all_workers_failed,
        )
        super().__init__(
            reactor,
            self.pool.outstanding,
            drain_delay,
            on_signal,
            systemd_notifier,
            stops_on_hangup,
        )

    # The start

    def startService(self) -> None:
        """
        Open the listening sockets, and start the workers when the reactor runs.

        @raise CannotStart: one of them could not be opened.
        """
        super().startService()
        self._listeners.open()
        self._add_shutdown_trigger()
        self._reactor.callWhenRunning(self._start_workers)

    def _start_workers(self) -> None:
        if self._shutdown_done is None:
            self._reaper.start()
            self.pool.fill()
            self._health_check.start(HEALTH_CHECK_INTERVAL, now=False)

    def _all_workers_started(self) -> None:
        self._systemd_notifier.notify_ready(self._listeners.log_addresses())

    def _all_workers_failed(self, reason: str) -> None:
        self._log.critical("The start failed: {reason}", reason=reason)
        self._exit_with_error(f"no worker can serve: {reason}")

    def reload(self) -> None:
        """Have all workers open their access log anew."""
        self.pool.broadcast(Reload)

    # The end

    async def _shut_down(self) -> None:
        count = len(self.pool)
        self._log.info("Shutting down {count} workers.", count=count)
        self._systemd_notifier.notify_stopping(f"Shutting down {count} workers.")
        self._kill_call = self._reactor.callLater(
            self._drain_timeout + GRACE_PERIOD, self.pool.kill
        )
        self.pool.close()
        if self._health_check.running:
            self._health_check.stop()
        try:
            self.pool.broadcast(Drain)
            await self._delay_drain()
            # The last who closes them is a worker, which accepts who is left.
            await self._listeners.close()
            self.pool.broadcast(Close)
            while self._outstanding:
                await self._outstanding.when_done()
            await self._reaper.stop()
        finally:
            if self._kill_call.active():
                self._kill_call.cancel()
        self._log.info("All workers have ended.")

    def _start_drain_delay(self) -> Deferred[None]:
        """As long as there is a worker that serves, and no longer."""
        delay = super()._start_drain_delay()
        self._outstanding.when_done().addCallback(lambda _: delay.cancel())
        return delay

    def _force_shutdown(self) -> None:
        """Have all workers end now, and kill those that do not."""
        self.pool.broadcast(Force)
        if self._kill_call is not None and self._kill_call.active():
            self._kill_call.reset(GRACE_PERIOD)
