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
from twisted_quotes.monitoring.systemd import Systemd
from twisted_quotes.processes.signals import OnSignal, stop_by_signal


class ReactorForService(IReactorCore, IReactorTime):
    """What is needed of the reactor: triggers and time."""


class GracefulService(Service, ABC):
    """
    A service whose end takes its time (contract, section 2).

    @param reactor: tells time, and when the end begins.
    @param outstanding: all that the end must wait for.
    @param drain_delay: how long to go on serving once shutdown began, in
        seconds.
    @param on_signal: has signals call a function, and returns what undoes that.
    @param systemd: is told when the end begins, and when it is over.
    @param hangup_ends: whether SIGHUP means that the terminal is gone.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: ReactorForService,
        outstanding: Outstanding,
        drain_delay: float,
        on_signal: OnSignal,
        systemd: Systemd,
        hangup_ends: bool = False,
    ) -> None:
        self._reactor = reactor
        self._outstanding = outstanding
        self._drain_delay = drain_delay
        self._on_signal = on_signal
        self._systemd = systemd
        self._hangup_ends = hangup_ends
        self._restore_signals: Callable[[], None] | None = None
        self._end_requested = self._reactor_stopping = False
        self._ended = self._forced = False
        self._trigger: Any = None
        self._delay: Deferred[None] | None = None
        self._over: Deferred[list[tuple[bool, Any]]] | None = None

    def _end_with_reactor(self) -> None:
        """Have the reactor wait for the end, from now on."""
        self._trigger = self._reactor.addSystemEventTrigger(
            "before", "shutdown", self._reactor_stops
        )
        # Twisted installs its handlers when it starts; these take their place.
        self._reactor.callWhenRunning(self._install_signal_handlers)

    def _reactor_stops(self) -> Deferred[list[tuple[bool, Any]]]:
        self._reactor_stopping = True
        return self.before_shutdown()

    def _install_signal_handlers(self) -> None:
        if self._over is None:
            self._restore_signals = self._on_signal(self.signalled)

    def signalled(self, number: int) -> None:
        """
        React to a signal (contract, section 2): the first begins the end, the
        second forces it. A SIGHUP that is not from a terminal does neither.

        @param number: the signal.
        """
        if number == SIGHUP and not self._hangup_ends:
            self._log.info(
                "Received SIGHUP, going on: the access log is reopened, "
                "and the library is read anew for each request."
            )
            self.reload()
        elif self._over is None and not self._end_requested:
            self._end_requested = True
            name = Signals(number).name
            self._log.info("Received {name}, shutting down.", name=name)
            stop_by_signal(self._reactor, number)
        elif number != SIGHUP:
            # A terminal that closes may send two: one by its shell, one by the kernel.
            self.before_shutdown()
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
        if self._over is None and self._trigger is not None:
            self._reactor.removeSystemEventTrigger(self._trigger)
        return self.before_shutdown()

    def before_shutdown(self) -> Deferred[list[tuple[bool, Any]]]:
        """
        Begin the end.

        @return: a L{DeferredList<twisted.internet.defer.DeferredList>} of the end
            and all that is outstanding now; the reactor waits for it.
        """
        if self._over is None:
            end = Deferred.fromCoroutine(self._end())
            end.addErrback(lambda failure: self._log.failure("Ended badly.", failure))
            self._over = self._outstanding.when_over(end)
        return self._over

    async def _end(self) -> None:
        try:
            await self._shut_down()
        finally:
            self._ended = True
            self._systemd.stopped()
            # Where the reactor stops as well, a late signal has nothing left to do.
            if self._restore_signals is not None and not self._reactor_stopping:
                self._restore_signals()

    @abstractmethod
    async def _shut_down(self) -> None:
        """The end, from its first step to its last."""

    async def _serve_on(self) -> None:
        """Let load balancers see that the service is draining."""
        self._delay = self._time_to_serve_on()
        try:
            await self._delay
        except CancelledError:
            self._log.info("The drain delay was cut short.")

    def _time_to_serve_on(self) -> Deferred[None]:
        """Fires when the drain delay is over; cancelling it cuts that short."""
        return deferLater(self._reactor, self._drain_delay)

    def force(self) -> None:
        """End now. It may be said more than once."""
        if self._forced or self._ended:
            return
        self._forced = True
        self._hurry()
        if self._delay is not None:
            self._delay.cancel()

    @abstractmethod
    def _hurry(self) -> None:
        """Have what is under way end now."""
