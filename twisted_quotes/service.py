"""
The service: how it starts, and the order in which it ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IListeningPort,
    IStreamServerEndpoint,
)
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from twisted_quotes.concurrency.outstanding import Outstanding
from twisted_quotes.library.readiness import Readiness
from twisted_quotes.listening.sockets import (
    accept_batches,
    format_listening_address,
    is_on_loopback,
    is_systemd_socket,
    reject_new_connections,
    set_backlog,
)
from twisted_quotes.monitoring.systemd import SystemdNotifier
from twisted_quotes.processes.signals import SignalSubscriber
from twisted_quotes.web.server.site import QuotesSite

from .graceful_shutdown import GracefulService, IServiceReactor
from .startup import CannotStart

FLUSH_TIMEOUT = 0.5
"""How long a forced end waits for its last answers to be taken, in seconds."""


class QuotesService(GracefulService):
    """
    Listens, and ends without losing a request.

    @param reactor: tells time, and when the end begins.
    @param site: answers the requests.
    @param endpoints: where to listen, each with its description.
    @param outstanding: all that the end must wait for.
    @param drain_delay: how long to go on serving once shutdown began, in
        seconds.
    @param drain_timeout: how long after that beginning the end is forced, in
        seconds.
    @param on_signal: has signals call a function, and returns what undoes that.
    @param site_closed: is called when no more requests are taken.
    @param clean_up: is called when all is answered; the end waits for it.
    @param readiness: is told when the end has begun.
    @param systemd_notifier: is told when the service is ready, and when it ends.
    @param host_names: where all ports are on loopback, the names to be called by
        besides those of loopback; C{"*"} is any.
    @param stops_on_hangup: whether SIGHUP means that the terminal is gone.
    """

    name = "quotes"

    def __init__(
        self,
        reactor: IServiceReactor,
        site: QuotesSite,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        outstanding: Outstanding,
        drain_delay: float,
        drain_timeout: float,
        on_signal: SignalSubscriber,
        site_closed: Callable[[], object],
        clean_up: Callable[[], Awaitable[None]],
        readiness: Readiness,
        systemd_notifier: SystemdNotifier,
        host_names: Collection[str],
        stops_on_hangup: bool = False,
    ) -> None:
        super().__init__(
            reactor,
            outstanding,
            drain_delay,
            on_signal,
            systemd_notifier,
            stops_on_hangup,
        )
        self._host_names = host_names
        self._readiness = readiness
        self._site = site
        self._endpoints = endpoints
        self._drain_timeout = drain_timeout
        self._site_closed = site_closed
        self._clean_up = clean_up
        self._ports: list[tuple[IListeningPort, str]] = []
        self._failure: str | None = None
        self._abort_call: IDelayedCall | None = None

    def startService(self) -> None:
        """
        Listen on all endpoints.

        @raise CannotStart: one of them could not be listened on.
        """
        super().startService()
        # One start of our own keeps the access log open when the last port closes.
        self._site.doStart()
        for description, endpoint in self._endpoints:
            listening = endpoint.listen(self._site)
            listening.addCallback(self._listening_started, description)
            listening.addErrback(self._listening_failed, description)
        if self._failure is not None:
            for port, _ in self._ports:
                port.stopListening()
            self._site.doStop()
            raise CannotStart(self._failure)
        self._add_shutdown_trigger()

    def _listening_started(self, port: IListeningPort, description: str) -> None:
        self._ports.append((port, description))
        self._port_opened(port, description)
        if len(self._ports) == len(self._endpoints):
            if all(is_on_loopback(*each) for each in self._ports):
                self._site.allowed_hosts = self._host_names
            # From then on a signal begins the end, and does not just kill.
            self._reactor.callWhenRunning(self._notify_ready)

    def _port_opened(self, port: IListeningPort, description: str) -> None:
        set_backlog(port, description)
        self._log.info(
            "Listening on {address}",
            address=format_listening_address(port.getHost(), description),
            endpoint=description,
        )

    def _notify_ready(self) -> None:
        if self._shutdown_done is None:
            addresses = (
                format_listening_address(port.getHost(), each)
                for port, each in self._ports
            )
            self._systemd_notifier.notify_ready(f"Listening on {', '.join(addresses)}")

    def _listening_failed(self, failure: Failure, description: str) -> None:
        """Stop the start, or the program where the failure comes later."""
        self._failure = f"cannot listen on {description!r}: {failure.getErrorMessage()}"
        if self._shutdown_trigger is not None:
            self._log.critical("The start failed: {reason}", reason=self._failure)
            self._reactor.stop()

    def reload(self) -> None:
        """Open the access log anew."""
        self._site.reopen_log()

    async def _shut_down(self) -> None:
        self._mark_not_ready()
        count = len(self._outstanding)
        self._log.info("Shutting down: {count} under way.", count=count)
        self._systemd_notifier.notify_stopping(f"Shutting down: {count} under way.")
        deadline = self._reactor.callLater(self._drain_timeout, self.force)
        try:
            await self._delay_drain()
            await self._stop_listening()
            await self._read_pending_data()
            self._close_site()
            self._site_closed()
            while self._outstanding:
                await self._outstanding.when_done()
            await self._finish()
        finally:
            for call in (deadline, self._abort_call):
                if call is not None and call.active():
                    call.cancel()
            self._site.abort_connections()
            self._site.doStop()
        self._log.info("All is answered.")

    def _mark_not_ready(self) -> None:
        self._readiness.draining = True

    def _close_site(self) -> None:
        self._site.close()

    async def _stop_listening(self) -> None:
        """Close the listening sockets, and lose nobody who has connected."""
        for port, description in self._ports:
            if not is_systemd_socket(description):
                reject_new_connections(port, description)
                # With pauses, so that refused connections can be closed meanwhile. All
                # at once may be more than there are descriptors.
                for _ in accept_batches(port):
                    await deferLater(self._reactor, 0)
                # The socket is closed one turn later.
                self._reactor.callLater(0, list, accept_batches(port))
        await DeferredList(
            [maybeDeferred(port.stopListening) for port, _ in self._ports]
        )

    async def _finish(self) -> None:
        """Do what is left when all is answered."""
        await self._clean_up()

    async def _read_pending_data(self) -> None:
        """Let the reactor look at each connection once more."""
        await deferLater(self._reactor, 0)

    def _force_shutdown(self) -> None:
        """Kill the greps, answer what can still be answered, cut the rest."""
        self._log.warn(
            "Ending at once: {count} under way.", count=len(self._outstanding)
        )
        self._abort_call = self._reactor.callLater(
            FLUSH_TIMEOUT, self._abort_connections
        )
        self._site.close()
        self._outstanding.cancel()
        self._site.refuse_incomplete()

    def _abort_connections(self) -> None:
        self._site.abort_connections()
        self._outstanding.discard()
