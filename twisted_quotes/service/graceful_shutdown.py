"""
The base of services: listening, the reaction to signals, and the order of the shutdown.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from signal import SIGHUP, Signals
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IProtocolFactory,
    IReactorCore,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.listening.sockets import format_listening_address, set_backlog
from twisted_quotes.monitoring.systemd import SystemdNotifier
from twisted_quotes.processes.signals import SignalSubscriber, stop_by_signal

from .startup import CannotStart, describe_listen_error


class IServiceReactor(IReactorCore, IReactorTime):
    """The reactor interfaces that a service needs."""


@dataclass(kw_only=True, eq=False, repr=False)
class GracefulService(Service, ABC):
    """
    A service that listens, and shuts down gracefully (contract, section 2).

    @ivar endpoints: the endpoints to listen on, each with its description.
    @ivar outstanding: what the shutdown waits for.
    @ivar drain_delay: how long the service goes on serving after the shutdown has
        started, in seconds.
    @ivar drain_timeout: after how many seconds the shutdown is forced.
    @ivar stops_on_hangup: whether SIGHUP means that the terminal was closed.
    """

    name = "quotes"
    _log = Logger()
    _shutdown_message = "Shutting down: {count} outstanding."

    reactor: IServiceReactor
    endpoints: Sequence[tuple[str, IStreamServerEndpoint]]
    outstanding: Outstanding
    drain_delay: float
    drain_timeout: float
    on_signal: SignalSubscriber
    systemd_notifier: SystemdNotifier
    stops_on_hangup: bool = False

    _ports: list[tuple[IListeningPort, str]] = field(init=False, default_factory=list)
    _failure: str | None = field(init=False, default=None)
    _restore_signals: Callable[[], None] | None = field(init=False, default=None)
    _shutdown_trigger: Any = field(init=False, default=None)
    _pending_drain_delay: Deferred[None] | None = field(init=False, default=None)
    _deadline: IDelayedCall | None = field(init=False, default=None)
    _shutdown_done: Deferred[list[tuple[bool, Any]]] | None = field(
        init=False, default=None
    )
    _shutdown_requested = _ended = _forced = False

    def _listen(self, factory: IProtocolFactory) -> None:
        """Listen on all endpoints; raise L{CannotStart} if that is impossible."""
        for description, endpoint in self.endpoints:
            listening = maybeDeferred(endpoint.listen, factory)
            listening.addCallback(self._listening_started, description)
            listening.addErrback(self._listening_failed, description)
            if not listening.called:
                self._listening_delayed(description)
        if self._failure is not None:
            self._close_ports()
            raise CannotStart(self._failure)
        self._shutdown_trigger = self.reactor.addSystemEventTrigger(
            "before", "shutdown", self.start_shutdown
        )
        # Our handlers replace those that Twisted installs when the reactor starts.
        self.reactor.callWhenRunning(self._install_signal_handlers)

    def _listening_started(self, port: IListeningPort, description: str) -> None:
        set_backlog(port, description)
        self._ports.append((port, description))

    def _listening_delayed(self, description: str) -> None:
        """Handle an endpoint that will listen later."""

    def _listening_failed(self, failure: Failure, description: str) -> None:
        """Make the start fail, or stop the reactor if the start is over."""
        self._failure = describe_listen_error(description, failure.value)
        if self._shutdown_trigger is not None:
            self._log.critical("The start failed: {reason}", reason=self._failure)
            self.reactor.stop()

    def _close_ports(self) -> Deferred[Any]:
        return DeferredList(
            [maybeDeferred(port.stopListening) for port, _ in self._ports]
        )

    def _notify_ready(self) -> None:
        """Log the address of each port, and notify systemd."""
        if self._shutdown_done is not None:
            return
        addresses = []
        for port, description in self._ports:
            addresses.append(format_listening_address(port.getHost(), description))
            self._log.info(
                "Listening on {address}", address=addresses[-1], endpoint=description
            )
        self.systemd_notifier.notify_ready(f"Listening on {', '.join(addresses)}")

    def _install_signal_handlers(self) -> None:
        if self._shutdown_done is None:
            self._restore_signals = self.on_signal(self.signal_received)

    def signal_received(self, number: int) -> None:
        """
        Handle a signal (contract, section 2): the first one starts the shutdown, the
        second one forces it. A SIGHUP that does not come from a terminal does neither.
        """
        if number == SIGHUP and not self.stops_on_hangup:
            self._log.info(
                "Received SIGHUP, going on: the access log is reopened, "
                "and the library is read again for each request."
            )
            self.reload()
        elif self._shutdown_done is None and not self._shutdown_requested:
            self._shutdown_requested = True
            name = Signals(number).name
            self._log.info("Received {name}, shutting down.", name=name)
            stop_by_signal(self.reactor, number)
        elif number != SIGHUP:
            # When a terminal closes, its shell and the kernel can each send a SIGHUP.
            self.start_shutdown()
            self.force()

    @abstractmethod
    def reload(self) -> None:
        """Reopen the access log."""

    # Shutdown

    def stopService(self) -> Deferred[list[tuple[bool, Any]]]:
        """Shut down, whether or not the reactor stops; fires when it is complete."""
        super().stopService()
        if self._shutdown_done is None and self._shutdown_trigger is not None:
            self.reactor.removeSystemEventTrigger(self._shutdown_trigger)
            self._shutdown_trigger = None
        return self.start_shutdown()

    def start_shutdown(self) -> Deferred[list[tuple[bool, Any]]]:
        """
        Start the shutdown, unless it has started.

        @return: a L{DeferredList<twisted.internet.defer.DeferredList>} of the shutdown
            and all that is outstanding, for the reactor to wait for.
        """
        if self._shutdown_done is None:
            shutdown = Deferred.fromCoroutine(self._shut_down())
            shutdown.addErrback(
                lambda failure: self._log.failure("The shutdown failed.", failure)
            )
            self._shutdown_done = self.outstanding.when_done(shutdown)
        return self._shutdown_done

    async def _shut_down(self) -> None:
        count = len(self.outstanding)
        self._log.info(self._shutdown_message, count=count)
        self.systemd_notifier.notify_stopping(
            self._shutdown_message.format(count=count)
        )
        try:
            self._start_draining()
            await self._wait_drain_delay()
            await self._stop_serving()
            while self.outstanding:
                await self.outstanding.when_done()
            await self._finish()
            self._log.info("The shutdown is complete.")
        finally:
            self._ended = True
            self._cancel_deadline()
            self._release()
            self.systemd_notifier.stop_watchdog()
            # If the reactor stops as well, further signals have no effect.
            if self._restore_signals is not None and self._shutdown_trigger is None:
                self._restore_signals()

    async def _wait_drain_delay(self) -> None:
        """Go on serving while load balancers notice that the service is not ready."""
        self._pending_drain_delay = self._make_drain_delay()
        try:
            await self._pending_drain_delay
        except CancelledError:
            self._log.info("The drain delay was cut short.")

    def _make_drain_delay(self) -> Deferred[None]:
        return deferLater(self.reactor, self.drain_delay)

    def force(self) -> None:
        """Force the shutdown. Further calls have no effect."""
        if self._forced or self._ended:
            return
        self._forced = True
        self._force_shutdown()
        if self._pending_drain_delay is not None:
            self._pending_drain_delay.cancel()

    def _set_deadline(self, seconds: float, call: Callable[[], object]) -> None:
        """Schedule a call, and cancel the one that was scheduled before."""
        self._cancel_deadline()
        self._deadline = self.reactor.callLater(seconds, call)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()

    # The steps of the shutdown; _shut_down calls them in order, force at any time

    @abstractmethod
    def _start_draining(self) -> None:
        """Go on serving, but report that the service is not ready."""

    @abstractmethod
    async def _stop_serving(self) -> None:
        """Close the listening sockets, and refuse new requests."""

    @abstractmethod
    def _force_shutdown(self) -> None:
        """Cancel what is outstanding; only a forced shutdown does this."""

    @abstractmethod
    async def _finish(self) -> None:
        """Do what must wait until nothing is outstanding."""

    def _release(self) -> None:
        """Release what is still open. This is called even if an earlier step fails."""
