"""
Services that end in good order: when the reactor stops, and no sooner than all is
over, unless a second signal or an order hurries them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from signal import SIGHUP, Signals
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.monitoring.systemd import SystemdNotifier
from twisted_quotes.processes.signals import SignalSubscriber, stop_by_signal


class IServiceReactor(IReactorCore, IReactorTime):
    """What is needed of the reactor: triggers and time."""


class GracefulService(Service, ABC):
    """
    A service whose end takes its time (contract, section 2).

    @param reactor: tells time, and when the end begins.
    @param outstanding: all that the end must wait for.
    @param drain_delay: how long to go on serving once shutdown began, in
        seconds.
    @param on_signal: has signals call a function, and returns what undoes that.
    @param systemd_notifier: is told when the end begins, and when it is over.
    @param stops_on_hangup: whether SIGHUP means that the terminal is gone.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IServiceReactor,
        outstanding: Outstanding,
        drain_delay: float,
        on_signal: SignalSubscriber,
        systemd_notifier: SystemdNotifier,
        stops_on_hangup: bool = False,
    ) -> None:
        self._reactor = reactor
        self._outstanding = outstanding
        self._drain_delay = drain_delay
        self._on_signal = on_signal
        self._systemd_notifier = systemd_notifier
        self._stops_on_hangup = stops_on_hangup
        self._restore_signals: Callable[[], None] | None = None
        self._shutdown_requested = self._reactor_stopping = False
        self._ended = self._forced = False
        self._shutdown_trigger: Any = None
        self._pending_drain_delay: Deferred[None] | None = None
        self._shutdown_done: Deferred[list[tuple[bool, Any]]] | None = None

    def _add_shutdown_trigger(self) -> None:
        """Have the reactor wait for the end, from now on."""
        self._shutdown_trigger = self._reactor.addSystemEventTrigger(
            "before", "shutdown", self._reactor_shutdown_started
        )
        # Twisted installs its handlers when it starts; these take their place.
        self._reactor.callWhenRunning(self._install_signal_handlers)

    def _reactor_shutdown_started(self) -> Deferred[list[tuple[bool, Any]]]:
        self._reactor_stopping = True
        return self.start_shutdown()

    def _install_signal_handlers(self) -> None:
        if self._shutdown_done is None:
            self._restore_signals = self._on_signal(self.signal_received)

    def signal_received(self, number: int) -> None:
        """
        React to a signal (contract, section 2): the first begins the end, the
        second forces it. A SIGHUP that is not from a terminal does neither.

        @param number: the signal.
        """
        if number == SIGHUP and not self._stops_on_hangup:
            self._log.info(
                "Received SIGHUP, going on: the access log is reopened, "
                "and the library is read anew for each request."
            )
            self.reload()
        elif self._shutdown_done is None and not self._shutdown_requested:
            self._shutdown_requested = True
            name = Signals(number).name
            self._log.info("Received {name}, shutting down.", name=name)
            stop_by_signal(self._reactor, number)
        elif number != SIGHUP:
            # A terminal that closes may send two: one by its shell, one by the kernel.
            self.start_shutdown()
            self.force()

    @abstractmethod
    def reload(self) -> None:
        """Open anew what was opened by name, and lose nothing."""

    def stopService(self) -> Deferred[list[tuple[bool, Any]]]:
        """
        End in good order, whether or not the reactor is going to stop.

        @return: fires when all is over.
        """
        super().stopService()
        if self._shutdown_done is None and self._shutdown_trigger is not None:
            self._reactor.removeSystemEventTrigger(self._shutdown_trigger)
        return self.start_shutdown()

    def start_shutdown(self) -> Deferred[list[tuple[bool, Any]]]:
        """
        Begin the end.

        @return: a L{DeferredList<twisted.internet.defer.DeferredList>} of the end
            and all that is outstanding now; the reactor waits for it.
        """
        if self._shutdown_done is None:
            shutdown = Deferred.fromCoroutine(self._run_shutdown())
            shutdown.addErrback(
                lambda failure: self._log.failure("Ended badly.", failure)
            )
            self._shutdown_done = self._outstanding.when_done(shutdown)
        return self._shutdown_done

    async def _run_shutdown(self) -> None:
        try:
            await self._shut_down()
        finally:
            self._ended = True
            self._systemd_notifier.stop_watchdog()
            # Where the reactor stops as well, a late signal has nothing left to do.
            if self._restore_signals is not None and not self._reactor_stopping:
                self._restore_signals()

    @abstractmethod
    async def _shut_down(self) -> None:
        """The end, from its first step to its last."""

    async def _delay_drain(self) -> None:
        """Let load balancers see that the service is draining."""
        self._pending_drain_delay = self._start_drain_delay()
        try:
            await self._pending_drain_delay
        except CancelledError:
            self._log.info("The drain delay was cut short.")

    def _start_drain_delay(self) -> Deferred[None]:
        """Fires when the drain delay is over; cancelling it cuts that short."""
        return deferLater(self._reactor, self._drain_delay)

    def force(self) -> None:
        """End now. It may be said more than once."""
        if self._forced or self._ended:
            return
        self._forced = True
        self._force_shutdown()
        if self._pending_drain_delay is not None:
            self._pending_drain_delay.cancel()

    @abstractmethod
    def _force_shutdown(self) -> None:
        """Have what is under way end now."""
