"""
Services that end in good order: when the reactor stops, and no sooner than all is
over, unless a second signal or an order hurries them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorCore, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .notify import Systemd
from .outstanding import Outstanding


class ReactorForService(IReactorCore, IReactorTime):
    """What is needed of the reactor: triggers and time."""


class GracefulService(Service, ABC):
    """
    A service whose end takes its time (contract, section 2).

    @param reactor: tells time, and when the end begins.
    @param outstanding: all that the end must wait for.
    @param drain_delay: how long to go on serving once shutdown began, in
        seconds.
    @param on_signal: has a further shutdown signal call a function, and
        returns what undoes that.
    @param systemd: is told when the end begins, and when it is over.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: ReactorForService,
        outstanding: Outstanding,
        drain_delay: float,
        on_signal: Callable[[Callable[[], object]], Callable[[], None]],
        systemd: Systemd,
    ) -> None:
        self._reactor = reactor
        self._outstanding = outstanding
        self._drain_delay = drain_delay
        self._on_signal = on_signal
        self._systemd = systemd
        self._forced = False
        self._trigger: Any = None
        self._delay: Deferred[None] | None = None
        self._over: Deferred[list[tuple[bool, Any]]] | None = None

    def _end_with_reactor(self) -> None:
        """Have the reactor wait for the end, from now on."""
        self._trigger = self._reactor.addSystemEventTrigger(
            "before", "shutdown", self.before_shutdown
        )

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
        # Who sees that it has begun may hurry it, from the first line of the log on.
        restore = self._on_signal(self.force)
        try:
            await self._shut_down()
        finally:
            self._systemd.stopped()
            restore()

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
        if self._forced:
            return
        self._forced = True
        self._hurry()
        if self._delay is not None:
            self._delay.cancel()

    @abstractmethod
    def _hurry(self) -> None:
        """Have what is under way end now."""
